package pgpkey_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

func ExampleJudge() {
	data, err := os.ReadFile("../../directory/testdata/keys/expired.asc")
	if err != nil {
		log.Fatal(err)
	}
	r := pgpkey.Judge(data, pgpkey.Policy{}, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
	fmt.Println("grade", r.Grade)
	for _, f := range r.Findings {
		fmt.Println(f.Severity, f.Code, f.Evidence)
	}
	// Output:
	// grade F
	// error pgpkey.expired on 2025-01-01
}

func ExampleWKDAdvanced() {
	address, err := directory.ParseEmail("Joe.Doe@Example.ORG")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pgpkey.WKDAdvanced(address))
	fmt.Println(pgpkey.OPENPGPKEYName("hugh@example.com"))
	// Output:
	// https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe
	// c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6._openpgpkey.example.com.
}

func ExampleSucceeds() {
	var parts [3][]byte
	for i, name := range []string{"old", "new", "statement"} {
		var err error
		if parts[i], err = os.ReadFile("testdata/succession/" + name + ".asc"); err != nil {
			log.Fatal(err)
		}
	}
	p := pgpkey.Succeeds(pgpkey.Succession{
		Old: parts[0], New: parts[1], Statement: parts[2],
		Fingerprint: "8A15F4BE5791B2C495F476ADED6E27219EAA6301", Address: "csirt@example.org",
		Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
	})
	fmt.Println("to be proposed:", p.Proposed())
	for _, reason := range p.Reasons() {
		fmt.Println(reason)
	}
	// Output:
	// to be proposed: true
	// certified by the old key on 2024-06-01
	// named in a statement that the old key signed on 2024-06-01
}
