package main

import (
	"os"
	"testing"
)

// TestHelo: mail servers are told the name that the relay is told, if it is a whole one.
func TestHelo(t *testing.T) {
	nameless := (&call{cfg: &config{}}).helo() // of this machine, or none
	if machine, _ := os.Hostname(); nameless != "" && nameless != machine {
		t.Errorf("without a name it says %q; the machine is %q", nameless, machine)
	}
	for host, want := range map[string]string{"mx.example.org": "mx.example.org", "localhost": nameless, "mx example.org": nameless, "x\r\ny.example": nameless} {
		c := &call{cfg: &config{Challenge: challengeConfig{Host: host}}}
		if got := c.helo(); got != want {
			t.Errorf("with %q it says %q, want %q", host, got, want)
		}
	}
}
