package mail_test

import (
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// TestDMARC: RFC 9989 section 4.10: whose policy it is, and what is aligned.
func TestDMARC(t *testing.T) {
	tests := []struct {
		name     string
		records  map[string]string // by the name below _dmarc.
		from     string
		signedBy string
		dmarc    string
		policy   string
	}{
		{"its own", map[string]string{"a.team.example": "p=reject", "team.example": "p=none"}, "a.team.example", "a.team.example", "pass", "reject"},
		{"the organisation's", map[string]string{"team.example": "p=reject"}, "a.team.example", "team.example", "pass", "reject"},
		{"the organisation's for what is below", map[string]string{"team.example": "p=reject; sp=quarantine"}, "a.team.example", "b.team.example", "pass", "quarantine"},
		{"not that of a name between", map[string]string{"b.team.example": "p=none", "team.example": "p=reject"}, "a.b.team.example", "team.example", "pass", "reject"},
		{"the registry's", map[string]string{"example": "p=reject; psd=y"}, "team.example", "other.example", "fail", "reject"},
		{"the registry's, for one below an organisation", map[string]string{"example": "p=reject; psd=y"}, "a.team.example", "team.example", "pass", "reject"},
		{"an organisation below another", map[string]string{"a.team.example": "p=reject; psd=n", "team.example": "p=none"}, "a.team.example", "team.example", "fail", "reject"},
		{"strict", map[string]string{"team.example": "p=reject; adkim=s"}, "team.example", "a.team.example", "fail", "reject"},
		{"strict, and the same", map[string]string{"team.example": "p=reject; adkim=s"}, "team.example", "team.example", "pass", "reject"},
		{"another's", map[string]string{"team.example": "p=reject", "other.example": "p=none"}, "team.example", "other.example", "fail", "reject"},
		{"no version first", map[string]string{"team.example": "; p=reject"}, "team.example", "team.example", "none", ""},
		{"a policy that is none", map[string]string{"team.example": "p=<b>"}, "team.example", "team.example", "pass", "none"},
		{"none", nil, "team.example", "team.example", "none", ""},
		{"a name of many labels", map[string]string{"team.example": "p=reject"}, "a.b.c.d.e.f.g.h.i.j.team.example", "team.example", "pass", "reject"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			zone := names{"TXT k._domainkey." + tt.signedBy: {instance(t).Records()[1].Value}}
			for name, record := range tt.records {
				version := "v=DMARC1; "
				if record[0] == ';' {
					version = ""
				}
				zone["TXT _dmarc."+name] = []string{version + record}
			}
			raw := dkimSigned(t, tt.signedBy, reply{from: "From: csirt@" + tt.from + "\n", content: text(yes)}.mail())
			a := mail.Authenticate(t.Context(), zone, mail.Envelope{Raw: raw}, read(t, raw))
			if a.DMARC != tt.dmarc || a.Policy != tt.policy {
				t.Errorf("Authenticate = %+v", a)
			}
		})
	}
}
