package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// hookKey signs the answers of the automation that a receiver stands for.
const hookKey = "the secret of the automation of team one"

// receiver is what others run: an https site for webhooks, with the name server and
// the proxy by which it is reached, since no test can listen on port 443.
type receiver struct {
	dir string // of the script
	mu  sync.Mutex
}

// receiverCmd implements "receiver": it serves https://hooks.example, writes each
// request into hooks.log, and sets what leads there: $RESOLVER, $PROXY, $SSL_CERT_FILE.
func receiverCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: receiver")
	}
	r := &receiver{dir: ts.MkAbs(".")}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { _ = l.Close() })
		return l
	}
	certificate, root, err := hookCertificate("hooks.example")
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(r.dir, "ca.pem"), root, 0o600))
	site, proxy := listen(), listen()
	server := &http.Server{Handler: r, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		_ = server.Serve(tls.NewListener(site, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	}()
	go leadTo(proxy, site.Addr().String())
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	resolver := &dns.Server{PacketConn: names, Handler: dns.HandlerFunc(answerHooks)}
	started := make(chan struct{})
	resolver.NotifyStartedFunc = func() { close(started) }
	go func() { _ = resolver.ActivateAndServe() }()
	<-started
	ts.Defer(func() { _ = resolver.Shutdown(); _ = server.Close() })
	ts.Setenv("RESOLVER", names.LocalAddr().String())
	ts.Setenv("PROXY", "http://"+proxy.Addr().String())
	ts.Setenv("SSL_CERT_FILE", filepath.Join(r.dir, "ca.pem"))
}

// answerHooks has every name lead to one address, inner.example to one that nobody opened.
func answerHooks(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		address := "127.80.0.9"
		if strings.HasPrefix(q.Question[0].Name, "inner.") {
			address = "10.0.0.9"
		}
		rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN A " + address)
		m.Answer = append(m.Answer, rr)
	}
	_ = w.WriteMsg(m)
}

// leadTo is a proxy that leads every CONNECT to one place.
func leadTo(l net.Listener, to string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close() //nolint:errcheck // a test's connection
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			_, _ = io.Copy(c, out)
		}()
	}
}

// ServeHTTP notes what was posted, and whether it is signed by the secret in the file
// "secret". What the path ends with is the answer: "/410" is 410. A question is answered into files.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	signed := "forged"
	secret, _ := os.ReadFile(filepath.Join(r.dir, "secret"))
	for s := range strings.FieldsSeq(string(secret)) {
		if challenge.VerifyAnswer(challenge.AnswerKey{Scheme: challenge.SchemeHMAC, Key: []byte(s)}, q.Header.Get(challenge.SignatureHeader), body, time.Now()) == nil {
			signed = "signed"
		}
	}
	f, err := os.OpenFile(filepath.Join(r.dir, "hooks.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // the script reads it
	fmt.Fprintf(f, "%s %s %s %s %s\n", q.Method, q.URL.Path, q.Header.Get("Rollcall-Event"), signed, body)
	if q.Header.Get("Rollcall-Event") == "question" {
		r.answer(body)
	}
	status := http.StatusNoContent
	_, _ = fmt.Sscanf(filepath.Base(q.URL.Path), "%d", &status)
	w.WriteHeader(status)
}

// answer writes the answer to a question, and its signature, where the script finds them.
func (r *receiver) answer(body []byte) {
	var q challenge.Question
	if json.Unmarshal(body, &q) != nil {
		return
	}
	answer, _ := json.Marshal(challenge.Answer{Challenge: q.Challenge, Nonce: q.Nonce})
	_ = os.WriteFile(filepath.Join(r.dir, "answer.sig"), []byte(challenge.Sign(answer, time.Now(), []byte(hookKey))), 0o600)
	_ = os.WriteFile(filepath.Join(r.dir, "answer.json"), answer, 0o600)
}

// hookCertificate makes an authority and the certificate of a site.
func hookCertificate(host string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), err
}
