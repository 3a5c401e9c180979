package format

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"unicode"

	"github.com/rollcall-csirt/rollcall/directory"
)

// parser turns wire values into domain values and collects every problem.
type parser struct {
	stored   bool              // our own format: read back what the directory set
	home     directory.Country // of phone numbers without a country code
	problems []directory.Problem
}

// ProfileFrom parses every value of w. The problems carry JSON pointers into w
// and are all there are, not only the first; the profile is of use only when
// there are none. Ranges, lengths and rules between fields are the business of
// [directory.Profile.Check].
func ProfileFrom(w Profile) (directory.Profile, []directory.Problem) {
	p := parser{}
	return p.profile("", w), p.problems
}

func (p *parser) profile(at string, w Profile) directory.Profile {
	out := directory.Profile{
		Kinds:       parseList(p, at+"/kinds", w.Kinds, vocabulary("kind.unknown", directory.Kinds)),
		Status:      optional(p, at+"/status", w.Status, vocabulary("status.unknown", directory.Statuses)),
		Host:        w.Host,
		Country:     optional(p, at+"/country", w.Country, directory.ParseCountry),
		Address:     w.Address,
		Zone:        optional(p, at+"/zone", w.Zone, directory.ParseZone),
		Hours:       optional(p, at+"/hours", w.Hours, directory.ParseHours),
		Holidays:    parseList(p, at+"/holidays", w.Holidays, directory.ParseDate),
		Languages:   parseList(p, at+"/languages", w.Languages, directory.ParseLanguage),
		Website:     optional(p, at+"/website", w.Website, directory.ParseURL),
		Established: optional(p, at+"/established", w.Established, directory.ParseDate),
		Services:    parseList(p, at+"/services", w.Services, vocabulary("service.unknown", directory.Services)),
	}
	if out.Country != "" {
		p.home = out.Country
	}
	out.Names = p.names(w.Names)
	out.Constituency = p.constituency(at+"/constituency", w.Constituency)
	out.Resources = convert(at+"/resources", w.Resources, p.resource)
	out.Contacts = convert(at+"/contacts", w.Contacts, p.contact)
	out.Keys = convert(at+"/keys", w.Keys, p.key)
	out.Prose = convert(at+"/prose", w.Prose, p.section)
	out.Memberships = convert(at+"/memberships", w.Memberships, p.membership)
	out.Designations = convert(at+"/designations", w.Designations, p.designation)
	out.Maturity = p.maturity(at+"/maturity", w.Maturity)
	return out
}

// convert parses the items of a list and keeps the difference between none
// and nothing said.
func convert[A, B any](at string, list []A, from func(string, A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, item := range list {
		out[i] = from(at+"/"+strconv.Itoa(i), item)
	}
	return out
}

// optional parses a value unless it is empty.
func optional[T any](p *parser, at, s string, parse func(string) (T, error)) T {
	var none T
	if s == "" {
		return none
	}
	return required(p, at, s, parse)
}

// required parses a value and reports when it is empty.
func required[T any](p *parser, at, s string, parse func(string) (T, error)) T {
	var none T
	if s == "" {
		p.add("field.missing", at, "", "this value must be given", "")
		return none
	}
	v, err := parse(s)
	if err != nil {
		p.fail(at, s, err)
		return none
	}
	return v
}

func parseList[T any](p *parser, at string, list []string, parse func(string) (T, error)) []T {
	return convert(at, list, func(at, s string) T { return required(p, at, s, parse) })
}

func (p *parser) add(code directory.Code, at, value, reason, want string) {
	p.problems = append(p.problems, wireProblem(code, at, value, reason, want))
}

func (p *parser) fail(at, value string, err error) {
	found, ok := errors.AsType[directory.Problem](err)
	if !ok {
		found = wireProblem("value.invalid", "", value, err.Error(), "")
	}
	p.problems = append(p.problems, found.At(at))
}

func vocabulary(code directory.Code, words []directory.Word) func(string) (directory.Word, error) {
	return func(s string) (directory.Word, error) { return directory.ParseWord(code, s, words) }
}

// plain takes text that no value parser and no [directory.Profile.Check] sees.
func (p *parser) plain(at, s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }) {
		p.add("text.control", at, s, "a control character in text", "text without control characters")
	}
	return s
}

// number checks the range of a number.
func (p *parser) number(at string, n, least, most int) int {
	if n < least || n > most {
		p.add("field.range", at, strconv.Itoa(n), "a number outside of its range", strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n
}

func (p *parser) names(w *Names) directory.Names {
	if w == nil {
		return directory.Names{}
	}
	return directory.Names{Short: w.Short, Full: w.Full, Former: w.Former, Other: w.Other}
}

func (p *parser) constituency(at string, w *Constituency) directory.Constituency {
	if w == nil {
		return directory.Constituency{}
	}
	return directory.Constituency{
		Types: convert(at+"/types", w.Types, func(at string, t ConstituencyType) directory.ConstituencyType {
			return directory.ConstituencyType{
				Type:  required(p, at+"/type", t.Type, vocabulary("constituency-type.unknown", directory.ConstituencyTypes)),
				Scope: optional(p, at+"/scope", t.Scope, vocabulary("constituency-scope.unknown", directory.ConstituencyScopes)),
			}
		}),
		Sectors:   parseList(p, at+"/sectors", w.Sectors, vocabulary("sector.unknown", directory.Sectors)),
		Countries: parseList(p, at+"/countries", w.Countries, directory.ParseCountry),
		Text:      w.Text,
	}
}

func (p *parser) resource(at string, w Resource) directory.Resource {
	r := directory.Resource{
		Type:       required(p, at+"/type", w.Type, vocabulary("resource-type.unknown", directory.ResourceTypes)),
		Claim:      optional(p, at+"/claim", w.Claim, vocabulary("claim.unknown", directory.Claims)),
		Holder:     w.Holder,
		Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP),
	}
	at += "/value"
	switch r.Type {
	case "prefix":
		r.Prefix = required(p, at, w.Value, directory.ParsePrefix)
	case "asn":
		r.ASN = required(p, at, w.Value, directory.ParseASN)
	case "domain":
		r.Domain = required(p, at, w.Value, directory.ParseDomain)
	case "country":
		r.Country = required(p, at, w.Value, directory.ParseCountry)
	}
	return r
}

func (p *parser) contact(at string, w Contact) directory.Contact {
	c := directory.Contact{
		ID:         optional(p, at+"/id", w.ID, parseContactID),
		Revision:   p.number(at+"/revision", w.Revision, 0, 1<<31-1),
		Since:      w.Since,
		Channel:    required(p, at+"/channel", w.Channel, vocabulary("channel.unknown", directory.Channels)),
		Uses:       parseList(p, at+"/uses", w.Uses, vocabulary("use.unknown", directory.Uses)),
		Person:     w.Person,
		Label:      w.Label,
		Hours:      optional(p, at+"/hours", w.Hours, directory.ParseHours),
		Order:      w.Order,
		Classes:    parseList(p, at+"/classes", w.Classes, vocabulary("incident-class.unknown", directory.IncidentClasses)),
		Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP),
	}
	switch {
	case c.Channel != "":
		c.Value = required(p, at+"/value", w.Value, func(s string) (string, error) {
			return directory.ParseContactValue(c.Channel, s, p.home)
		})
	case w.Value == "":
		p.add("field.missing", at+"/value", "", "this value must be given", "")
	}
	return c
}

func (p *parser) section(at string, w Section) directory.Section {
	s := directory.Section{
		Number:     required(p, at+"/number", w.Number, directory.ParseSection),
		Language:   "en",
		Text:       w.Text,
		Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP),
	}
	if w.Language != "" {
		s.Language = required(p, at+"/language", w.Language, directory.ParseLanguage)
	}
	return s
}

func (p *parser) membership(at string, w Membership) directory.Membership {
	status := vocabulary("membership-status.unknown", directory.MembershipStatuses)
	return directory.Membership{
		Forum:    string(required(p, at+"/forum", w.Forum, directory.ParseHandle)),
		Type:     w.Type,
		Status:   required(p, at+"/status", w.Status, status),
		Sponsors: parseList(p, at+"/sponsors", w.Sponsors, directory.ParseHandle),
		Since:    optional(p, at+"/since", w.Since, directory.ParseDate),
		Until:    optional(p, at+"/until", w.Until, directory.ParseDate),
		History: convert(at+"/history", w.History, func(at string, h MembershipStatus) directory.MembershipStatus {
			return directory.MembershipStatus{
				Status: required(p, at+"/status", h.Status, status),
				Since:  optional(p, at+"/since", h.Since, directory.ParseDate),
			}
		}),
	}
}

func (p *parser) designation(at string, w Designation) directory.Designation {
	return directory.Designation{
		Country:    required(p, at+"/country", w.Country, directory.ParseCountry),
		Scope:      required(p, at+"/scope", w.Scope, vocabulary("designation-scope.unknown", directory.DesignationScopes)),
		By:         w.By,
		Evidence:   optional(p, at+"/evidence", w.Evidence, directory.ParseURL),
		Since:      optional(p, at+"/since", w.Since, directory.ParseDate),
		Until:      optional(p, at+"/until", w.Until, directory.ParseDate),
		Preference: w.Preference,
	}
}

// assessors are who can have made a [Maturity].
var assessors = []directory.Word{"self", "peer", "auditor"}

func (p *parser) maturity(at string, w *Maturity) directory.Maturity {
	if w == nil {
		return directory.Maturity{}
	}
	return directory.Maturity{
		Model:      w.Model,
		By:         optional(p, at+"/by", w.By, vocabulary("assessor.unknown", assessors)),
		Assessed:   optional(p, at+"/assessed", w.Assessed, directory.ParseDate),
		ValidUntil: optional(p, at+"/valid_until", w.ValidUntil, directory.ParseDate),
		Levels:     maps.Clone(w.Levels),
		Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP),
	}
}

// parseContactID parses the UUID of a contact.
func parseContactID(s string) (directory.ContactID, error) {
	id, err := directory.ParseTeamID(s)
	return directory.ContactID(id), err
}
