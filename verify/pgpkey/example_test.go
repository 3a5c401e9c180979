package pgpkey_test

import (
	"fmt"
	"os"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

func ExampleJudge() {
	data, err := os.ReadFile("../../directory/testdata/keys/expired.asc")
	if err != nil {
		fmt.Println(err)
		return
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
