package format

import (
	"maps"
	"reflect"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ProfileTo returns p as the wire shows it. [ProfileFrom] reads it back to the
// same profile, but for the origins, which belong to a [Team] only.
func ProfileTo(p directory.Profile) Profile {
	w := Profile{
		Kinds: p.Kinds, Status: p.Status, Host: p.Host, Country: string(p.Country), Address: p.Address,
		Zone: string(p.Zone), Hours: p.Hours.String(), Holidays: textsTo(p.Holidays), Languages: textsTo(p.Languages), Website: p.Website,
		Established: string(p.Established), Services: p.Services,
		Resources: each(p.Resources, resourceTo), Contacts: each(p.Contacts, contactTo), Keys: each(p.Keys, keyTo),
		Prose: each(p.Prose, sectionTo), Memberships: each(p.Memberships, membershipTo),
		Designations: each(p.Designations, designationTo),
	}
	if n := p.Names; n.Short != "" || n.Full != "" || n.Former != nil || n.Other != nil {
		w.Names = &Names{Short: n.Short, Full: n.Full, Former: n.Former, Other: n.Other}
	}
	if c := p.Constituency; c.Types != nil || c.Sectors != nil || c.Countries != nil || c.Text != "" {
		w.Constituency = &Constituency{Types: each(c.Types, constituencyTypeTo), Sectors: c.Sectors, Countries: textsTo(c.Countries), Text: c.Text}
	}
	w.Maturity = maturityTo(p.Maturity)
	return w
}

// each converts a list and keeps the difference between none and nothing said.
func each[A, B any](list []A, to func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, item := range list {
		out[i] = to(item)
	}
	return out
}

func textsTo[T ~string](list []T) []string {
	return each(list, func(t T) string { return string(t) })
}

func originTo(o directory.Origin) *Origin {
	if o == (directory.Origin{}) {
		return nil
	}
	return &Origin{Source: o.Source, AsOf: utc(o.AsOf), At: utc(o.At)}
}

func constituencyTypeTo(t directory.ConstituencyType) ConstituencyType {
	return ConstituencyType{Type: t.Type, Scope: t.Scope}
}

func resourceTo(r directory.Resource) Resource {
	return Resource{
		Type: r.Type, Value: r.Value(), Claim: r.Claim, Holder: r.Holder,
		Visibility: string(r.Visibility), Origin: originTo(r.Origin),
	}
}

func contactTo(c directory.Contact) Contact {
	return Contact{
		ID: string(c.ID), Revision: c.Revision, Channel: c.Channel, Value: c.Value, Uses: c.Uses, Person: c.Person,
		Label: c.Label, Hours: c.Hours.String(), Order: c.Order, Classes: c.Classes,
		Visibility: string(c.Visibility), Since: utc(c.Since), Origin: originTo(c.Origin),
	}
}

func keyTo(k directory.TeamKey) Key {
	return Key{
		Fingerprint: string(k.Fingerprint), Version: k.Version, Algorithm: k.Algorithm, Bits: k.Bits,
		Created: utc(k.Created), Expires: utc(k.Expires), EncryptionExpires: utc(k.EncryptionExpires),
		Revoked: k.Revoked, RevokedAt: utc(k.RevokedAt), RevocationReason: k.RevocationReason,
		UserIDs: each(k.UserIDs, userIDTo), Stripped: k.Stripped, Repairs: k.Repairs, Armor: k.Armor,
		Visibility: string(k.Visibility), Continuity: k.Continuity, Origin: originTo(k.Origin),
	}
}

func userIDTo(u directory.UserID) UserID {
	return UserID{Name: u.Name, Email: u.Email, Raw: u.Raw, Primary: u.Primary, Revoked: u.Revoked}
}

func sectionTo(s directory.Section) Section {
	return Section{
		Number: s.Number, Language: string(s.Language), Text: s.Text,
		Visibility: string(s.Visibility), Origin: originTo(s.Origin),
	}
}

func membershipTo(m directory.Membership) Membership {
	return Membership{
		Forum: m.Forum, Type: m.Type, Status: m.Status, Sponsors: textsTo(m.Sponsors),
		Since: string(m.Since), Until: string(m.Until), History: each(m.History, membershipStatusTo), Origin: originTo(m.Origin),
	}
}

func membershipStatusTo(m directory.MembershipStatus) MembershipStatus {
	return MembershipStatus{Status: m.Status, Since: string(m.Since)}
}

func designationTo(d directory.Designation) Designation {
	return Designation{
		Country: string(d.Country), Scope: d.Scope, By: d.By, Evidence: d.Evidence, Since: string(d.Since),
		Until: string(d.Until), Preference: d.Preference, Origin: originTo(d.Origin),
	}
}

func rawTo(r directory.Raw) Raw {
	return Raw{Field: r.Field, Text: r.Text, Visibility: string(r.Visibility), Origin: originTo(r.Origin)}
}

func maturityTo(m directory.Maturity) *Maturity {
	if reflect.ValueOf(m).IsZero() {
		return nil
	}
	return &Maturity{
		Model: m.Model, By: m.By, Assessed: string(m.Assessed), ValidUntil: string(m.ValidUntil),
		Levels: maps.Clone(m.Levels), Visibility: string(m.Visibility),
	}
}
