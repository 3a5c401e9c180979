package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// TestHelo: mail servers are told the name that the relay is told, else the machine's if it is public.
func TestHelo(t *testing.T) {
	const machine = "checker.example.com"
	for _, tt := range []struct{ host, machine, want string }{
		{"mx.example.org", machine, "mx.example.org"}, {"localhost", machine, machine}, {"mx example.org", machine, machine}, {"x\r\ny.example", machine, machine},
		{"rollcall.inside", "", "rollcall.inside"}, // somebody wanted that
		{"", machine, machine}, {"", "checker", ""}, {"", "checker.corp.internal", ""}, {"", "checker.lan", ""}, {"", "checker.local", ""}, {"", "co.uk", ""}, {"", "", ""},
		{"", "ec2-192-0-2-1.compute-1.amazonaws.com", ""}, // a provider's name for an address
	} {
		if got := heloOf(tt.host, tt.machine); got != tt.want {
			t.Errorf("with mail_host %q on %q it says %q, want %q", tt.host, tt.machine, got, tt.want)
		}
	}
}

// TestHeloIsDemanded: without a name that may be told, nobody visits mail servers.
func TestHeloIsDemanded(t *testing.T) {
	for _, on := range []bool{false, true} {
		for _, host := range []string{"", "mx.example.org"} {
			c := &call{cfg: &config{Verify: verifyConfig{SMTP: on}, Challenge: challengeConfig{Host: host}}, world: world{now: time.Now}}
			_, err := c.newRunner(verify.RunnerConfig{})
			machine, _ := os.Hostname()
			want := on && heloOf(host, machine) == ""
			if got := err != nil && strings.HasPrefix(err.Error(), "mail_host: "); got != want {
				t.Errorf("verify_smtp %t, mail_host %q on %q: newRunner = %v", on, host, machine, err)
			}
		}
	}
}
