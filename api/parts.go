package api

import (
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// ContactList is the contacts of a team.
type ContactList struct {
	Contacts []format.Contact `json:"contacts" doc:"Preferred ones first within a use"`
	Withheld bool             `json:"withheld,omitzero" doc:"There are more, which you may not see"`
}

// ResourceList is the resources of a team.
type ResourceList struct {
	Resources []format.Resource `json:"resources" doc:"In the team's order"`
	Withheld  bool              `json:"withheld,omitzero" doc:"There are more, which you may not see"`
}

// MembershipList is the memberships of a team.
type MembershipList struct {
	Memberships []format.Membership `json:"memberships" doc:"One for each forum"`
}

// DesignationList is the designations of a team.
type DesignationList struct {
	Designations []format.Designation `json:"designations" doc:"One for each country and scope"`
}

func (s *Server) registerParts() {
	contacts, resources, memberships, designations := contactShelf(), resourceShelf(), membershipShelf(), designationShelf()
	registerReads(s, contacts)
	registerShelf(s, contacts)
	s.registerKeys()
	s.registerContinuity()
	registerReads(s, resources)
	registerShelf(s, resources)
	registerReads(s, memberships)
	registerShelf(s, memberships)
	registerReads(s, designations)
	registerShelf(s, designations)
}

func contactShelf() *shelf[format.Contact, directory.Contact, format.Contact, ContactList] {
	shown := exampleTeam().Contacts[0]
	return &shelf[format.Contact, directory.Contact, format.Contact, ContactList]{
		list: "contacts", one: "contact", words: "contact", param: "Id of the contact", example: exampleContactID,
		sent: format.Contact{Channel: "email", Value: "csirt@example.org", Uses: []string{"general", "abuse"}}, shown: shown,
		items: func(p *directory.Profile) *[]directory.Contact { return &p.Contacts },
		key:   func(c *directory.Contact) string { return c.Key() }, name: func(c *directory.Contact) string { return string(c.ID) },
		origin: func(c *directory.Contact) *directory.Origin { return &c.Origin },
		keep:   keepContact,
		wire:   func(p *format.Profile) []format.Contact { return p.Contacts },
		show: func(s *Server, t *directory.Team) []format.Contact {
			return format.TeamFrom(t, s.cfg.Policy, s.cfg.Now()).Contacts
		},
		all: func(list []format.Contact, withheld bool) ContactList {
			return ContactList{Contacts: listed(list), Withheld: withheld}
		},
	}
}

// keepContact keeps the id of a contact: another one is another contact.
func keepContact(next, old *directory.Contact) error {
	switch {
	case old == nil && next.ID != "":
		return directory.Problem{Code: "contact.unknown-id", Field: "/id", Value: string(next.ID), Reason: "the directory gives a new contact its id", Want: "no id"}
	case old == nil:
		return nil
	case next.ID != "" && next.ID != old.ID:
		return directory.Problem{Code: "field.read-only", Field: "/id", Value: string(next.ID), Reason: "a contact keeps its id", Want: string(old.ID) + ", or nothing"}
	}
	next.ID, next.Revision, next.Since = old.ID, old.Revision, old.Since
	return nil
}

func resourceShelf() *shelf[format.Resource, directory.Resource, format.Resource, ResourceList] {
	one := format.Resource{Type: "prefix", Value: "192.0.2.0/24"}
	return &shelf[format.Resource, directory.Resource, format.Resource, ResourceList]{
		list: "resources", one: "resource", words: "resource", param: "Value of the resource, with %2F for the slash of a prefix", example: "192.0.2.0/24", sent: one, shown: one,
		items: func(p *directory.Profile) *[]directory.Resource { return &p.Resources },
		key:   func(r *directory.Resource) string { return r.Key() }, name: func(r *directory.Resource) string { return r.Value() },
		origin: func(r *directory.Resource) *directory.Origin { return &r.Origin },
		wire:   func(p *format.Profile) []format.Resource { return p.Resources },
		show: func(s *Server, t *directory.Team) []format.Resource {
			return format.ProfileTo(directory.Profile{Resources: t.Resources}).Resources
		},
		all: func(list []format.Resource, withheld bool) ResourceList {
			return ResourceList{Resources: listed(list), Withheld: withheld}
		},
	}
}

func membershipShelf() *shelf[format.Membership, directory.Membership, format.Membership, MembershipList] {
	one := format.Membership{Forum: "first", Type: "Full Member", Status: "member", Since: "2016-01-01"}
	return &shelf[format.Membership, directory.Membership, format.Membership, MembershipList]{
		list: "memberships", one: "membership", words: "membership", param: "Handle of the forum", example: "first", sent: one, shown: one, others: true,
		items: func(p *directory.Profile) *[]directory.Membership { return &p.Memberships },
		key:   func(m *directory.Membership) string { return m.Forum }, name: func(m *directory.Membership) string { return m.Forum },
		origin: func(m *directory.Membership) *directory.Origin { return &m.Origin },
		wire:   func(p *format.Profile) []format.Membership { return p.Memberships },
		show: func(s *Server, t *directory.Team) []format.Membership {
			return format.ProfileTo(directory.Profile{Memberships: t.Memberships}).Memberships
		},
		all: func(list []format.Membership, _ bool) MembershipList {
			return MembershipList{Memberships: listed(list)}
		},
	}
}

func designationShelf() *shelf[format.Designation, directory.Designation, format.Designation, DesignationList] {
	one := format.Designation{Country: "AT", Scope: "national", By: "Example Ministry", Evidence: "https://www.example.org/act", Since: "2008-03-01"}
	key := func(d *directory.Designation) string { return string(d.Country) + "-" + d.Scope }
	return &shelf[format.Designation, directory.Designation, format.Designation, DesignationList]{
		list: "designations", one: "designation", words: "designation", param: "Country and scope, joined by a hyphen", example: "AT-national", sent: one, shown: one, others: true,
		items: func(p *directory.Profile) *[]directory.Designation { return &p.Designations },
		key:   key, name: key,
		origin: func(d *directory.Designation) *directory.Origin { return &d.Origin },
		wire:   func(p *format.Profile) []format.Designation { return p.Designations },
		show: func(s *Server, t *directory.Team) []format.Designation {
			return format.ProfileTo(directory.Profile{Designations: t.Designations}).Designations
		},
		all: func(list []format.Designation, _ bool) DesignationList {
			return DesignationList{Designations: listed(list)}
		},
	}
}

// listed returns list, and never null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
