package format

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// AppendTeam appends the JSON of t to dst, the same that [TeamFrom] and
// encoding/json make, at a fraction of the price: whole directories leave this
// way. A test holds the two against each other. It shows all that t holds:
// redact t before.
func AppendTeam(dst []byte, t *directory.Team, policy directory.Policy, now time.Time) []byte {
	b := writer(dst)
	b = append(b, '{')
	b.must("id", string(t.ID))
	b.must("handle", string(t.Handle))
	b.must("name", t.Name())
	b.key("revision")
	b = strconv.AppendInt(b, t.Revision, 10)
	b.key("seq")
	b = strconv.AppendInt(b, t.Seq, 10)
	b.key("created")
	b.instant(t.Created)
	b.key("updated")
	b.instant(t.Updated)
	b.time("deleted", t.Deleted)
	b.text("merged_into", string(t.MergedInto))
	b.facts(&t.Profile)
	b.items(t, policy, now)
	objects(&b, "checks", t.Checks, (*writer).check)
	b.origins(t.Origins)
	objects(&b, "raw", t.Raw, func(b *writer, r *directory.Raw) {
		b.must("field", r.Field)
		b.must("text", r.Text)
		b.text("visibility", string(r.Visibility))
		b.origin("origin", r.Origin)
	})
	texts(&b, "withheld", t.Withheld)
	return append(b, '}')
}

// writer is JSON in the making.
type writer []byte

// facts writes the single values of a profile, and the lists of words that
// stand between them, in the order of the wire type.
func (b *writer) facts(p *directory.Profile) {
	b.names(&p.Names)
	texts(b, "kinds", p.Kinds)
	b.text("status", p.Status)
	b.text("host", p.Host)
	b.text("country", string(p.Country))
	b.text("address", p.Address)
	b.text("zone", string(p.Zone))
	if !p.Hours.IsZero() {
		b.text("hours", p.Hours.String())
	}
	texts(b, "holidays", p.Holidays)
	texts(b, "languages", p.Languages)
	b.text("website", p.Website)
	b.text("established", string(p.Established))
	b.constituency(&p.Constituency)
}

// items writes the lists of a team, each contact with its standing.
func (b *writer) items(t *directory.Team, policy directory.Policy, now time.Time) {
	objects(b, "resources", t.Resources, (*writer).resource)
	objects(b, "contacts", t.Contacts, func(b *writer, c *directory.Contact) {
		b.contact(c, directory.Assess(*c, t.Evidence, policy, now))
	})
	objects(b, "keys", t.Keys, (*writer).teamKey)
	objects(b, "prose", t.Prose, (*writer).section)
	texts(b, "services", t.Services)
	objects(b, "memberships", t.Memberships, (*writer).membership)
	objects(b, "designations", t.Designations, (*writer).designation)
	b.maturity(&t.Maturity)
}

func (b *writer) names(n *directory.Names) {
	if n.Short == "" && n.Full == "" && n.Former == nil && n.Other == nil {
		return
	}
	b.open("names")
	b.text("short", n.Short)
	b.text("full", n.Full)
	texts(b, "former", n.Former)
	texts(b, "other", n.Other)
	*b = append(*b, '}')
}

func (b *writer) constituency(c *directory.Constituency) {
	if c.Types == nil && c.Sectors == nil && c.Countries == nil && c.Text == "" {
		return
	}
	b.open("constituency")
	objects(b, "types", c.Types, func(b *writer, t *directory.ConstituencyType) {
		b.must("type", t.Type)
		b.text("scope", t.Scope)
	})
	texts(b, "sectors", c.Sectors)
	texts(b, "countries", c.Countries)
	b.text("text", c.Text)
	*b = append(*b, '}')
}

func (b *writer) resource(r *directory.Resource) {
	b.must("type", r.Type)
	b.must("value", r.Value())
	b.text("claim", r.Claim)
	b.text("holder", r.Holder)
	b.text("visibility", string(r.Visibility))
	b.origin("origin", r.Origin)
}

func (b *writer) contact(c *directory.Contact, s directory.Standing) {
	b.text("id", string(c.ID))
	b.number("revision", c.Revision)
	b.must("channel", c.Channel)
	b.must("value", c.Value)
	texts(b, "uses", c.Uses)
	b.text("person", c.Person)
	b.text("label", c.Label)
	if !c.Hours.IsZero() {
		b.text("hours", c.Hours.String())
	}
	b.number("order", c.Order)
	texts(b, "classes", c.Classes)
	b.text("visibility", string(c.Visibility))
	b.time("since", c.Since)
	b.open("evidence")
	b.key("level")
	*b = strconv.AppendInt(*b, int64(s.Level), 10)
	b.must("level_name", s.Level.String())
	b.must("state", string(s.State))
	b.time("at", s.At)
	b.must("method", s.Method)
	b.text("by", s.By)
	b.time("valid_until", s.ValidUntil)
	*b = append(*b, '}')
	b.origin("origin", c.Origin)
}

func (b *writer) check(v *directory.CheckVerdict) {
	b.must("check", v.Check)
	b.must("kind", v.Kind)
	b.must("subject", v.Subject)
	b.must("verdict", v.Verdict)
	b.time("since", v.Since)
	b.time("checked", v.Checked)
}

func (b *writer) teamKey(k *directory.TeamKey) {
	b.text("fingerprint", string(k.Fingerprint))
	b.number("version", k.Version)
	b.text("algorithm", k.Algorithm)
	b.number("bits", k.Bits)
	b.time("created", k.Created)
	b.time("expires", k.Expires)
	b.time("encryption_expires", k.EncryptionExpires)
	b.flag("revoked", k.Revoked)
	b.time("revoked_at", k.RevokedAt)
	b.text("revocation_reason", k.RevocationReason)
	objects(b, "user_ids", k.UserIDs, func(b *writer, u *directory.UserID) {
		b.text("name", u.Name)
		b.text("email", u.Email)
		b.text("raw", u.Raw)
		b.flag("primary", u.Primary)
		b.flag("revoked", u.Revoked)
	})
	b.number("stripped", k.Stripped)
	texts(b, "repairs", k.Repairs)
	b.text("armor", k.Armor)
	b.text("visibility", string(k.Visibility))
	b.text("continuity", k.Continuity)
	b.origin("origin", k.Origin)
}

func (b *writer) section(s *directory.Section) {
	b.must("number", s.Number)
	b.text("language", string(s.Language))
	b.must("text", s.Text)
	b.text("visibility", string(s.Visibility))
	b.origin("origin", s.Origin)
}

func (b *writer) membership(m *directory.Membership) {
	b.must("forum", m.Forum)
	b.text("type", m.Type)
	b.must("status", m.Status)
	texts(b, "sponsors", m.Sponsors)
	b.text("since", string(m.Since))
	b.text("until", string(m.Until))
	objects(b, "history", m.History, func(b *writer, s *directory.MembershipStatus) {
		b.must("status", s.Status)
		b.text("since", string(s.Since))
	})
	b.origin("origin", m.Origin)
}

func (b *writer) designation(d *directory.Designation) {
	b.must("country", string(d.Country))
	b.must("scope", d.Scope)
	b.text("by", d.By)
	b.text("evidence", d.Evidence)
	b.text("since", string(d.Since))
	b.text("until", string(d.Until))
	b.number("preference", d.Preference)
	b.origin("origin", d.Origin)
}

func (b *writer) maturity(m *directory.Maturity) {
	if m.Model == "" && m.By == "" && m.Assessed == "" && m.ValidUntil == "" && m.Levels == nil && m.Visibility == "" {
		return
	}
	b.open("maturity")
	b.text("model", m.Model)
	b.text("by", m.By)
	b.text("assessed", string(m.Assessed))
	b.text("valid_until", string(m.ValidUntil))
	if m.Levels != nil {
		b.open("levels")
		for _, name := range sortedKeys(m.Levels) {
			b.key(name)
			*b = strconv.AppendInt(*b, int64(m.Levels[name]), 10)
		}
		*b = append(*b, '}')
	}
	b.text("visibility", string(m.Visibility))
	*b = append(*b, '}')
}

func (b *writer) origins(m map[string]directory.Origin) {
	if len(m) == 0 {
		return
	}
	b.open("origins")
	for _, name := range sortedKeys(m) {
		b.origin(name, m[name])
	}
	*b = append(*b, '}')
}

// sortedKeys returns the keys in order, with room on the stack for as many as
// there usually are.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, 24)
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (b *writer) origin(name string, o directory.Origin) {
	if o == (directory.Origin{}) {
		return
	}
	b.open(name)
	b.must("source", o.Source)
	b.time("as_of", o.AsOf)
	b.time("at", o.At)
	*b = append(*b, '}')
}

// key begins a member. Names are ours, but for those of maturity, which may be
// anything and are escaped.
func (b *writer) key(name string) {
	if last := len(*b) - 1; (*b)[last] != '{' {
		*b = append(*b, ',')
	}
	b.string(name)
	*b = append(*b, ':')
}

func (b *writer) open(name string) {
	b.key(name)
	*b = append(*b, '{')
}

// must writes a member also when it is empty.
func (b *writer) must(name, value string) {
	b.key(name)
	b.string(value)
}

func (b *writer) text(name, value string) {
	if value != "" {
		b.must(name, value)
	}
}

func (b *writer) number(name string, n int) {
	if n != 0 {
		b.key(name)
		*b = strconv.AppendInt(*b, int64(n), 10)
	}
}

func (b *writer) flag(name string, set bool) {
	if set {
		b.key(name)
		*b = append(*b, "true"...)
	}
}

func (b *writer) time(name string, t time.Time) {
	if !t.IsZero() {
		b.key(name)
		b.instant(t)
	}
}

func (b *writer) instant(t time.Time) {
	*b = append(*b, '"')
	*b = t.UTC().AppendFormat(*b, time.RFC3339Nano)
	*b = append(*b, '"')
}

// texts writes a list of words; nil says nothing, and is left out.
func texts[T ~string](b *writer, name string, list []T) {
	if list == nil {
		return
	}
	b.key(name)
	*b = append(*b, '[')
	for i, s := range list {
		if i > 0 {
			*b = append(*b, ',')
		}
		b.string(string(s))
	}
	*b = append(*b, ']')
}

// objects writes a list of objects; nil says nothing, and is left out.
func objects[T any](b *writer, name string, items []T, write func(*writer, *T)) {
	if items == nil {
		return
	}
	b.key(name)
	*b = append(*b, '[')
	for i := range items {
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = append(*b, '{')
		write(b, &items[i])
		*b = append(*b, '}')
	}
	*b = append(*b, ']')
}

// string writes a text as encoding/json does without its escapes for HTML.
func (b *writer) string(s string) {
	d := append(*b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		n := 1
		r := rune(c)
		if c >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(s[i:]); (r != utf8.RuneError || n > 1) && r != '\u2028' && r != '\u2029' {
				i += n
				continue
			}
		}
		d = append(d, s[from:i]...)
		d = appendEscape(d, r)
		i += n
		from = i
	}
	*b = append(append(d, s[from:]...), '"')
}

func appendEscape(d []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(d, '\\', byte(r))
	case '\b':
		return append(d, '\\', 'b')
	case '\f':
		return append(d, '\\', 'f')
	case '\n':
		return append(d, '\\', 'n')
	case '\r':
		return append(d, '\\', 'r')
	case '\t':
		return append(d, '\\', 't')
	}
	return append(d, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
