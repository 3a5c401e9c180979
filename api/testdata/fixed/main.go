// Command fixed is what .ci/load compares the server with: plain net/http and
// a handler that writes a body of the size that is asked for.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
)

func main() {
	size := flag.Int("size", 1400, "bytes of the body")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	body := bytes.Repeat([]byte("x"), *size)
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client has gone
	})))
}
