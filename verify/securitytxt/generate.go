package securitytxt

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Plan says what [Generate] writes beside what the profile of a team has.
type Plan struct {
	Now time.Time
	// Lasts is how long the file is good for; 0 is half a year. RFC 9116 section
	// 2.5.5 recommends less than a year.
	Lasts time.Duration
	// Hosts are where the file will lie, each under /.well-known/; nil: the
	// host of the team's website, or nowhere.
	Hosts []directory.Domain
	// Keys are https URLs of the team's keys; nil: the fingerprints are named.
	Keys []string
	// Acknowledgments, Policy, Hiring and CSAF are https URLs; "" leaves them out.
	Acknowledgments, Policy, Hiring, CSAF string
}

// ErrNoContact is why no file can be made: the team has no contact that anybody
// may see and that has a URI. Publish one.
var ErrNoContact = errors.New("securitytxt: no public contact")

// ErrPlan is why no file can be made of a plan that is wrong. What is wrong with
// one field is a [*PlanError].
var ErrPlan = errors.New("securitytxt: plan")

// PlanError is a value that the file can't have.
type PlanError struct {
	Field  Name // whose line it would be
	Value  string
	Code   verify.Code // what [Parse] finds in it
	Advice string
}

// Error says which field can't have which value.
func (e *PlanError) Error() string {
	return fmt.Sprintf("%v: %s can't be %q (%s): %s", ErrPlan, e.Field, e.Value, e.Code, e.Advice)
}

// Is makes it an [ErrPlan].
func (e *PlanError) Is(target error) bool { return target == ErrPlan }

// Generate makes the file of a team from its profile. It holds only what is
// published to everybody: contacts for vulnerabilities first, then general ones, each in
// the team's order; keys; languages. Parse and Validate find nothing wrong with it, but that
// it is unsigned.
func Generate(t *directory.Team, p Plan) (File, error) {
	f := File{}
	add := func(name Name, values ...string) {
		for _, v := range values {
			if v != "" {
				f.Fields = append(f.Fields, Field{Name: name, Value: v})
			}
		}
	}
	if add(Contact, contactsOf(t)...); len(f.Fields) == 0 {
		return File{}, fmt.Errorf("%w: team %s", ErrNoContact, t.Handle)
	}
	if p.Lasts == 0 {
		p.Lasts = 180 * day
	}
	add(Expires, p.Now.Add(p.Lasts).UTC().Truncate(time.Second).Format(time.RFC3339))
	add(Encryption, keysOf(t, p)...)
	add(Acknowledgments, p.Acknowledgments)
	add(PreferredLanguages, languagesOf(t))
	add(Canonical, placesOf(t, p)...)
	add(Policy, p.Policy)
	add(Hiring, p.Hiring)
	add(CSAF, p.CSAF)
	// What the caller gave may be anything: it is read as others will read it.
	if _, findings := Parse([]byte(f.String())); len(findings) > 0 {
		return File{}, f.refusal(&findings[0])
	}
	if p.Lasts < 0 || p.Now.Add(p.Lasts).After(p.Now.AddDate(1, 0, 0)) {
		return File{}, fmt.Errorf("%w: a file lasts a year at most", ErrPlan)
	}
	return f, nil
}

// refusal says which field is to blame for a finding. A value of several lines is
// the one that begins at or before it.
func (f *File) refusal(finding *verify.Finding) error {
	line := 0
	for _, one := range f.Fields {
		if line += 1 + strings.Count(one.Value, "\n"); line >= finding.Line {
			return &PlanError{one.Name, one.Value, finding.Code, finding.Advice}
		}
	}
	return fmt.Errorf("%w: %s", ErrPlan, finding.Code)
}

// contactsOf returns the URIs of public contacts, those for vulnerabilities first.
// RFC 9116 section 2.5.3: they are listed in order of preference.
func contactsOf(t *directory.Team) []string {
	list := slices.DeleteFunc(slices.Clone(t.Contacts), func(c directory.Contact) bool {
		return !public(c.Visibility) || contactURI(c) == "" || !c.Serves("vulnerability") && !c.Serves("general") && !c.Serves("emergency")
	})
	rank := func(c directory.Contact) int {
		if c.Serves("vulnerability") {
			return c.Order
		}
		return 100 + c.Order
	}
	slices.SortStableFunc(list, func(a, b directory.Contact) int { return rank(a) - rank(b) })
	var out []string
	for _, c := range list {
		if u := contactURI(c); !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

func public(l directory.TLP) bool { return l == "" || l == directory.Clear }

// contactURI returns a contact as RFC 9116 section 2.5.3 wants it, "" when it can't be
// one that readers know what to do with.
func contactURI(c directory.Contact) string {
	switch c.Channel {
	case "email":
		local, domain, _ := strings.Cut(c.Value, "@")
		return "mailto:" + mailtoEscape(local) + "@" + domain
	case "phone":
		return "tel:" + c.Value
	}
	if strings.HasPrefix(c.Value, "https://") {
		return encodeURI(c.Value)
	}
	return ""
}

// mailtoEscape encodes what a local part may have and a mailto: URI may not
// (RFC 6068 section 2).
func mailtoEscape(local string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "&", "%26", "#", "%23", "/", "%2F", "^", "%5E", "`", "%60", "{", "%7B", "|", "%7C", "}", "%7D", "=", "%3D").Replace(local)
}

// keysOf returns where the team's keys are, or which they are.
func keysOf(t *directory.Team, p Plan) []string {
	if p.Keys != nil {
		return p.Keys
	}
	var out []string
	for _, k := range t.Keys {
		if encrypt, _, _ := k.UsableAt(p.Now); public(k.Visibility) && encrypt {
			out = append(out, "openpgp4fpr:"+string(k.Fingerprint))
		}
	}
	return out
}

func languagesOf(t *directory.Team) string {
	var tags []string
	for _, l := range t.Languages {
		tags = append(tags, string(l))
	}
	return strings.Join(tags, ", ")
}

func placesOf(t *directory.Team, p Plan) []string {
	hosts := p.Hosts
	if u, err := url.Parse(t.Website); hosts == nil && err == nil {
		if d, err := directory.ParseDomain(u.Hostname()); err == nil {
			hosts = []directory.Domain{d}
		}
	}
	var out []string
	for _, h := range hosts {
		out = append(out, "https://"+string(h)+wellKnownPath)
	}
	return out
}
