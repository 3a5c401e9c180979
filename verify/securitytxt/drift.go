package securitytxt

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// drift compares the file with what the team published in the directory: contacts
// that anybody may see, and keys. What others may not see has no part in it, so
// that neither a finding nor its absence tells of it.
func (l *look) drift(f File) {
	published := l.published()
	said := 0
	for _, x := range f.Fields {
		name := l.driftOf(x, published)
		switch {
		case name == "":
		case said == maxFacts:
			l.say(find("too-many-findings", x.Value).AtLine(x.Line))
			return
		default:
			said++
			l.say(find(name, x.Value).AtLine(x.Line))
		}
	}
}

// driftOf says what the directory does not have of a field, "" for nothing. A team that
// has published no contact, or no key, is not told so here.
func (l *look) driftOf(x Field, published []string) string {
	keys := l.target.Claims.Keys
	switch {
	case splitURI(x.Value).scheme == "": // which is told elsewhere
	case x.Name == Contact && len(published) > 0 && len(minus(contactKeys(x.Value), published)) > 0:
		return "contact-not-in-directory"
	case x.Name == Encryption && len(keys) > 0:
		u := splitURI(x.Value)
		known := func(k verify.ClaimedKey) bool { return strings.EqualFold(k.Fingerprint, u.rest) }
		if u.scheme == "openpgp4fpr" && fingerprint(u.rest) && !slices.ContainsFunc(keys, known) {
			return "encryption-not-in-directory"
		}
	}
	return ""
}

// published returns the team's public contacts in a form in which two spellings
// of one are equal.
func (l *look) published() []string {
	var out []string
	for _, c := range l.target.Claims.Contacts {
		if !c.Public {
			continue
		}
		switch c.Channel {
		case "email":
			out = append(out, "mailto:"+strings.ToLower(c.Value))
		case "phone":
			out = append(out, "tel:"+c.Value)
		default:
			out = append(out, webKey(c.Value))
		}
	}
	if len(out) > 0 && l.target.Claims.Website != "" {
		out = append(out, webKey(l.target.Claims.Website))
	}
	return out
}

// contactKeys returns the contacts that a value names in the same form.
func contactKeys(value string) []string {
	u := splitURI(value)
	switch u.scheme {
	case "mailto":
		to := before(u.rest, '?')
		if to == "" {
			to = headerTo(u.rest)
		}
		var out []string
		for addr := range strings.SplitSeq(to, ",") {
			if s, err := url.PathUnescape(addr); err == nil {
				addr = s
			}
			out = append(out, "mailto:"+strings.ToLower(addr))
		}
		return out
	case "tel":
		if n, err := directory.ParsePhone(before(u.rest, ';'), ""); err == nil {
			return []string{"tel:" + string(n)}
		}
	}
	return []string{webKey(value)}
}

// webKey is a URL without what makes no difference to people.
func webKey(s string) string {
	if u, err := directory.ParseURL(s); err == nil {
		s = u
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, "#"), "/")
}

// watched are the facts of which a change may be the work of somebody who took over
// the website (RFC 9116 section 5.1).
func watched() []string { return []string{"contact", "encryption", "canonical", "signed-by"} }

// earlier is what stands before the names of facts that are no longer seen, but were
// when the file was last read.
const earlier = "earlier-"

// changeLasts is for how long a change is told: the next run has nothing to compare
// with, and somebody has to see it first. mostChanges are kept of a file that goes
// to and fro.
const (
	changeLasts = 14 * day
	mostChanges = 20
	changed     = "changed" // a fact: when, and what
)

// changes compares the file with what was seen when it was last read, and repeats for
// a while what was told before. A change that the team signed, or to contacts that it
// has published in the directory too, is told, but is no warning; it ends the
// warnings before it.
func (l *look) changes(f File, s Signature) {
	was, now := l.before(), watchedFacts(f, s)
	pending := l.pending()
	for _, name := range watched() {
		sure := s.Verified || name == "contact" && l.vouched(now[name])
		if sure {
			pending = slices.DeleteFunc(pending, func(p string) bool { return strings.HasPrefix(afterTime(p), name+":") })
		}
		gone, added := minus(was[name], now[name]), minus(now[name], was[name])
		if len(was) == 0 || len(gone)+len(added) == 0 {
			continue
		}
		what := verify.Quote(fmt.Sprintf("%s %s: gone %s; new %s", l.target.Now.UTC().Format(time.RFC3339), name, list(gone), list(added)))
		if sure {
			l.say(find("changed", what).As(verify.Info))
			continue
		}
		again := func(p string) bool { return afterTime(p) == afterTime(what) }
		pending = append(slices.DeleteFunc(pending, again), what)
	}
	l.tell(pending)
}

// tell warns of changes, and keeps them for the next run.
func (l *look) tell(pending []string) {
	for _, p := range pending[max(0, len(pending)-mostChanges):] {
		l.say(find("changed", p))
		l.fact(changed, p)
	}
}

// pending returns the changes that were told before and are not too long ago, the
// oldest first.
func (l *look) pending() (all []string) {
	for _, f := range l.target.Previous {
		when, _, _ := strings.Cut(f.Value, " ")
		at, err := time.Parse(time.RFC3339, when)
		if f.Name == changed && err == nil && l.target.Now.Sub(at) < changeLasts {
			all = append(all, f.Value)
		}
	}
	return all
}

func afterTime(change string) string {
	_, what, _ := strings.Cut(change, " ")
	return what
}

// vouched reports whether the team has published in the directory all contacts that
// the file names.
func (l *look) vouched(contacts []string) bool {
	published := l.published()
	return len(contacts) > 0 && len(published) > 0 &&
		!slices.ContainsFunc(contacts, func(c string) bool { return len(minus(contactKeys(c), published)) > 0 })
}

// before returns the watched facts of when the file was last read.
func (l *look) before() map[string][]string {
	out := map[string][]string{}
	for _, fact := range l.target.Previous {
		name := strings.TrimPrefix(fact.Name, earlier)
		if slices.Contains(watched(), name) {
			out[name] = append(out[name], fact.Value)
		}
	}
	return out
}

// remember keeps the watched facts over a time in which there is no file, so that
// what comes after it is still compared with what was before it.
func (l *look) remember() {
	l.tell(l.pending())
	was := l.before()
	for _, name := range watched() {
		for _, v := range was[name] {
			l.facts = append(l.facts, verify.Fact{Name: earlier + name, Value: v})
		}
	}
}

func watchedFacts(f File, s Signature) map[string][]string {
	out := map[string][]string{"contact": shown(f, Contact), "encryption": shown(f, Encryption), "canonical": shown(f, Canonical)}
	if s.Issuer != "" {
		out["signed-by"] = []string{s.Issuer}
	}
	return out
}

// maxFacts is how many values of a field are kept as facts.
const maxFacts = 20

// shown returns the values of a field as facts have them.
func shown(f File, name Name) []string {
	values := f.Values(name)
	values = values[:min(len(values), maxFacts)]
	for i, v := range values {
		values[i] = verify.Quote(v)
	}
	return values
}

// minus returns what is in a and not in b.
func minus(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func list(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, ", ")
}

func (l *look) fact(name, value string) {
	l.facts = append(l.facts, verify.Fact{Name: name, Value: verify.Quote(value)})
}

// note keeps what the file says as facts.
func (l *look) note(f File, s Signature) {
	for _, of := range []struct {
		fact string
		name Name
	}{
		{"contact", Contact}, {"encryption", Encryption}, {"canonical", Canonical}, {"policy", Policy}, {"acknowledgments", Acknowledgments},
		{"hiring", Hiring}, {"languages", PreferredLanguages}, {"csaf", CSAF}, {"bug-bounty", BugBounty},
	} {
		for _, v := range shown(f, of.name) {
			l.facts = append(l.facts, verify.Fact{Name: of.fact, Value: v})
		}
	}
	if at, ok := f.Expires(); ok {
		l.fact("expires", at.UTC().Format(time.RFC3339))
	}
	if f.Signed == nil || s.Issuer == "" {
		return
	}
	l.fact("signed-by", s.Issuer)
	l.fact("signed-at", s.Made.Format(time.RFC3339))
	if s.Verified {
		l.fact("signature", "verified")
	}
}
