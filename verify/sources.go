package verify

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// SourceAspect is what sources are compared about.
type SourceAspect string

// The aspects.
const (
	SourceContacts SourceAspect = "contacts"
	SourceKeys     SourceAspect = "keys"
)

// The sources that checks read. An imported one is "import:" and its name.
const (
	SourceProfile        = "profile"     // what the directory shows of the team
	SourceSecurityTxt    = "securitytxt" // RFC 9116; of keys, its Encryption
	SourceSecurityRecord = "dnssecuritytxt"
	SourceIodef          = "caa-iodef" // RFC 8659 section 4.4
	sourceImport         = "import:"
)

// Statement is what one place publishes about a team.
type Statement struct {
	Source string          `json:"source"`
	Where  string          `json:"where,omitempty"` // URL or DNS name; "" for what is kept here
	Values []string        `json:"values"`          // in canonical form, sorted: address, URI, fingerprint
	At     time.Time       `json:"at,omitzero"`     // since when it says so, as far as is known: see [SourceComparison]
	Seen   time.Time       `json:"seen,omitzero"`   // when a check last read it
	Level  directory.Level `json:"level"`           // the most that was proven about one of the values
	Signed bool            `json:"signed,omitempty"`
	Agrees int             `json:"agrees"` // other places that say one of the same values
}

// SourceComparison says where the sources of one aspect differ.
//
// How old a statement is has nothing to do with when it was last read. It is
// from when its newest value was entered here, from the day that an imported
// source says it is of, from when a check first saw what had not been there
// before, from when a valid signature was made, or of keys at least from when
// the newest was made. Where nothing of it is known, it is never the newest.
type SourceComparison struct {
	Aspect     SourceAspect `json:"aspect"`
	Subject    string       `json:"subject,omitempty"` // of keys: the address whose keys they are
	Statements []Statement  `json:"statements"`
	Newest     string       `json:"newest"`   // the source whose statement is the newest; "" where nothing says how old one is
	Best       string       `json:"best"`     // the source whose statement is the best proven
	Findings   []Finding    `json:"findings"` // what to correct; none where all agree
}

// Layer is what an imported source says of a team, as the viewer may see it.
type Layer struct {
	Source   string
	At       time.Time // the day that it vouches for, else that of the import
	Contacts []directory.Contact
	Keys     []directory.TeamKey
}

// LayersOf are the layers of a team that say something about contacts or keys.
func LayersOf(layers []directory.Layer) []Layer {
	var out []Layer
	for _, l := range layers {
		if len(l.Profile.Contacts)+len(l.Profile.Keys) > 0 {
			out = append(out, Layer{Source: l.Source, At: firstTime(l.AsOf, l.At), Contacts: l.Profile.Contacts, Keys: l.Profile.Keys})
		}
	}
	return out
}

// SourcesAsk is what is compared.
type SourcesAsk struct {
	Team   *directory.Team // as the viewer may see it; nil: nothing is known
	Layers []Layer
	Known  []Verification // of what the viewer may see
	Policy directory.Policy
	Now    time.Time
}

// Rows of the public table for sources that differ.
var (
	problemContactsDiffer = Problem{Code: "sources.contacts-differ", Severity: Warning, Spec: "",
		Title: "Places where the team's contacts are published do not agree", Advice: "Publish the same contact in all places, or take the old one out."}
	problemKeysDiffer = Problem{Code: "sources.keys-differ", Severity: Warning, Spec: "",
		Title: "Places where the keys of an address are published do not agree", Advice: "Publish the same key in all places, and have the old one revoked there."}
)

// SourceProblems are the rows of the table for what [CompareSources] finds.
func SourceProblems() []Problem { return []Problem{problemContactsDiffer, problemKeysDiffer} }

// CompareSources puts side by side what is published about a team in all the
// places that were read, and says which place is the newest, which is the best
// proven, and what is to be corrected where. It is pure. An aspect that fewer
// than two places speak of is left out.
func CompareSources(ask SourcesAsk) []SourceComparison {
	var out []SourceComparison
	if c, ok := compare(SourceContacts, "", ask.notYet(ask.contacts())); ok {
		out = append(out, c)
	}
	for i := range ask.Known {
		v := &ask.Known[i]
		if v.Check != "pgpkey-contact" {
			continue
		}
		if c, ok := compare(SourceKeys, v.Subject.ID, ask.notYet(ask.keys(v))); ok {
			out = append(out, c)
		}
	}
	return out
}

// Differ reports whether something is to be corrected.
func Differ(list []SourceComparison) bool {
	return slices.ContainsFunc(list, func(c SourceComparison) bool { return len(c.Findings) > 0 })
}

// contacts are the statements about contacts.
func (a *SourcesAsk) contacts() []Statement {
	var list []Statement
	if a.Team != nil {
		s := Statement{Source: SourceProfile}
		for _, c := range a.Team.Contacts {
			s.add(ContactKey(c.Channel, c.Value))
			s.At = latestOf(s.At, firstTime(c.Origin.AsOf, c.Since, c.Origin.At))
		}
		list = append(list, s)
	}
	for _, l := range a.Layers {
		s := Statement{Source: sourceImport + l.Source, At: l.At}
		for _, c := range l.Contacts {
			s.add(ContactKey(c.Channel, c.Value))
		}
		list = append(list, s)
	}
	for i := range a.Known {
		list = append(list, published(&a.Known[i]))
	}
	list = slices.DeleteFunc(list, func(s Statement) bool { return len(s.Values) == 0 })
	for i := range list {
		list[i].Level = a.level(list[i].Values)
	}
	return list
}

// notYet takes times that are yet to come, which somebody's clock or key says, for now.
func (a *SourcesAsk) notYet(list []Statement) []Statement {
	for i := range list {
		if list[i].At.After(a.Now) {
			list[i].At = a.Now
		}
	}
	return list
}

// published is what a check read about contacts; without values where the
// check does not read any.
func published(v *Verification) Statement {
	s := Statement{Seen: v.Checked}
	var made time.Time // the signature
	for _, f := range v.Facts {
		switch {
		case v.Check == "securitytxt" && f.Name == "contact":
			s.Source = SourceSecurityTxt
			s.add(uriKey(f.Value))
			s.At = latestOf(s.At, f.Since)
		case v.Check == "securitytxt" && f.Name == "location":
			s.Where = f.Value
		case v.Check == "securitytxt" && f.Name == "signature":
			s.Signed = f.Value == "verified"
		case v.Check == "securitytxt" && f.Name == "signed-at":
			made, _ = time.Parse(time.RFC3339, f.Value)
		case v.Check == "dnssecuritytxt" && f.Name == "security-contact":
			s.Source, s.Where = SourceSecurityRecord, "_security."+v.Subject.ID
			s.add(uriKey(f.Value))
			s.At = latestOf(s.At, f.Since)
		case v.Check == "caa" && f.Name == "caa" && strings.HasPrefix(f.Value, "iodef "):
			s.Source, s.Where = SourceIodef, v.Subject.ID
			s.add(uriKey(strings.TrimPrefix(f.Value, "iodef ")))
			s.At = latestOf(s.At, f.Since)
		}
	}
	if s.Signed {
		s.At = latestOf(s.At, made)
	}
	return s
}

// level is the most that was proven about one of the values, as far as it is fresh.
func (a *SourcesAsk) level(values []string) (most directory.Level) {
	if a.Team == nil {
		return most
	}
	for _, c := range a.Team.Contacts {
		s := directory.Assess(c, a.Team.Evidence, a.Policy, a.Now)
		if slices.Contains(values, ContactKey(c.Channel, c.Value)) && (s.State == directory.Verified || s.State == directory.Due) {
			most = max(most, s.Level)
		}
	}
	return most
}

// keyChannels are the channels of the check that compares keys, by source. What
// anybody can upload for anybody vouches for nothing, so that HKP is not among
// them.
func keyChannels() map[string]bool {
	return map[string]bool{"wkd": true, "openpgpkey": true, "vks": true, SourceSecurityTxt: true}
}

// keys are the statements about the keys of one address.
func (a *SourcesAsk) keys(v *Verification) []Statement {
	made := madeAt(v.Facts)
	var list []Statement
	if a.Team != nil {
		s := Statement{Source: SourceProfile}
		s.addKeys(a.Team.Keys, v.Subject.ID)
		list = append(list, s)
	}
	for _, l := range a.Layers {
		s := Statement{Source: sourceImport + l.Source, At: l.At}
		s.addKeys(l.Keys, v.Subject.ID)
		list = append(list, s)
	}
	for _, f := range v.Facts {
		channel, ok := strings.CutPrefix(f.Name, "channel.")
		fields := strings.Fields(f.Value) // where, state, fingerprints
		if !ok || !keyChannels()[channel] || len(fields) < 3 || fields[1] != "found" {
			continue
		}
		s := Statement{Source: channel, Where: fields[0], At: f.Since, Seen: v.Checked}
		for _, print := range fields[2:] {
			s.add(strings.ToUpper(print))
			s.At = latestOf(s.At, made[strings.ToUpper(print)])
		}
		list = append(list, s)
	}
	return slices.DeleteFunc(list, func(s Statement) bool { return len(s.Values) == 0 })
}

// addKeys adds those keys of a list that are for an address, or that nothing says
// of whose address they are.
func (s *Statement) addKeys(keys []directory.TeamKey, address string) {
	for i := range keys {
		k := &keys[i]
		if len(k.UserIDs) > 0 && !slices.ContainsFunc(k.UserIDs, func(u directory.UserID) bool { return strings.EqualFold(u.Email, address) }) {
			continue
		}
		s.add(string(k.Fingerprint))
		s.At = latestOf(s.At, k.Created, firstTime(k.Origin.AsOf, k.Origin.At))
	}
}

// madeAt is when the keys that a check found were made, by fingerprint.
func madeAt(facts []Fact) map[string]time.Time {
	made := map[string]time.Time{}
	for _, f := range facts {
		print, day, _ := strings.Cut(f.Value, " ")
		if at, err := time.Parse(time.DateOnly, day); f.Name == "key-created" && err == nil {
			made[strings.ToUpper(print)] = at
		}
	}
	return made
}

func (s *Statement) add(value string) {
	if i, found := slices.BinarySearch(s.Values, value); value != "" && !found {
		s.Values = slices.Insert(s.Values, i, value)
	}
}

func (s *Statement) shares(o *Statement) bool {
	return slices.ContainsFunc(s.Values, func(v string) bool { return slices.Contains(o.Values, v) })
}

// ContactKey is the form in which contacts of all places are compared.
func ContactKey(channel directory.Word, value string) string {
	switch channel {
	case "email":
		return "mailto:" + strings.ToLower(value)
	case "phone":
		return "tel:" + value
	}
	return uriKey(value)
}

// uriKey is [ContactKey] of a URI.
func uriKey(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return s
	case u.Scheme == "mailto":
		address, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return s
		}
		return "mailto:" + strings.ToLower(address)
	case u.Scheme == "tel":
		return "tel:" + strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(u.Opaque)
	case u.Host != "":
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		return strings.TrimSuffix(u.String(), "/")
	}
	return s
}

// firstTime returns the first that is known.
func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func latestOf(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// compare judges statements; false where there are not two to compare.
func compare(aspect SourceAspect, subject string, list []Statement) (SourceComparison, bool) {
	if len(list) < 2 {
		return SourceComparison{}, false
	}
	for i := range list {
		for j := range list {
			if i != j && list[i].shares(&list[j]) {
				list[i].Agrees++
			}
		}
	}
	best := slices.MinFunc(list, betterFirst)
	c := SourceComparison{Aspect: aspect, Subject: subject, Statements: list, Best: best.Source, Findings: []Finding{}}
	if newest := slices.MaxFunc(list, func(p, q Statement) int { return p.At.Compare(q.At) }); !newest.At.IsZero() {
		c.Newest = newest.Source
	}
	var profile *Statement
	if list[0].Source == SourceProfile {
		profile = &list[0]
	}
	for i := range list {
		if f, ok := c.differs(&list[i], &best, profile); ok {
			c.Findings = append(c.Findings, f)
		}
	}
	return c, true
}

// betterFirst orders statements by how well they are proven: what was proven
// to answer, what is signed, what most others say, and then what the team itself
// keeps up here before what it has published elsewhere, the newer first.
func betterFirst(p, q Statement) int {
	return cmp.Or(cmp.Compare(q.Level, p.Level), b2i(q.Signed)-b2i(p.Signed), cmp.Compare(q.Agrees, p.Agrees),
		cmp.Compare(rankOf(p.Source), rankOf(q.Source)), q.At.Compare(p.At))
}

func rankOf(source string) int {
	order := []string{SourceProfile, "wkd", "openpgpkey", SourceSecurityTxt, "vks", SourceSecurityRecord, SourceIodef}
	if i := slices.Index(order, source); i >= 0 {
		return i
	}
	return len(order)
}

// differs says what a statement has that neither the best one nor the profile
// has, or that it has nothing of the best one.
func (c *SourceComparison) differs(s, best, profile *Statement) (Finding, bool) {
	if s.Source == best.Source && s.Where == best.Where {
		return Finding{}, false
	}
	var others []string
	for _, v := range s.Values {
		if !slices.Contains(best.Values, v) && (profile == nil || s.Source == SourceProfile || !slices.Contains(profile.Values, v)) {
			others = append(others, v)
		}
	}
	if s.shares(best) && (len(others) == 0 || s.Source == SourceProfile) {
		return Finding{}, false // a profile may say more than a file for reporters
	}
	if len(others) == 0 && profile != nil && s.shares(profile) {
		return Finding{}, false
	}
	problem := problemContactsDiffer
	if c.Aspect == SourceKeys {
		problem = problemKeysDiffer
	}
	return problem.Find(strings.Join(s.Values, ", ")).On(strings.TrimSpace(s.Source + " " + s.Where)).Right(Quote(strings.Join(best.Values, ", "))), true
}
