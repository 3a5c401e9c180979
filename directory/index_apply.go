package directory

import (
	"net/netip"
	"slices"
	"strings"
)

// indexEdit makes the next version of an [Index].
type indexEdit struct {
	x       Index // a copy; its maps are the editors' below
	inPlace bool  // nobody else sees the prefixes and countries: no copies

	teams        *shardEdit[TeamID, *entry]
	merged       *shardEdit[TeamID, merged]
	deleted      *shardEdit[TeamID, struct{}]
	handles      *shardEdit[Handle, TeamID]
	names        *shardEdit[string, []holder]
	asns         *shardEdit[ASN, []holder]
	domains      *shardEdit[Domain, []holder]
	mailboxes    *shardEdit[string, []holder]
	fingerprints *shardEdit[Fingerprint, []holder]
	orders       *ordersEdit
	ownCountries bool // countries belongs to this edit
	ownNations   bool
	search       searchEdit
	near         nearEdit
}

func (x *Index) edit() *indexEdit {
	return &indexEdit{
		x: *x, teams: editShards(x.teams), merged: editShards(x.merged), deleted: editShards(x.deleted), handles: editShards(x.handles), names: editShards(x.names),
		orders: x.orders.edit(), asns: editShards(x.asns), domains: editShards(x.domains), mailboxes: editShards(x.mailboxes), fingerprints: editShards(x.fingerprints),
		search: editSearch(x.search), near: editNear(x.near),
	}
}

func (e *indexEdit) finish(seq int64) *Index {
	x := e.x
	x.seq, x.recent = seq, recentChanges{from: seq}
	x.teams, x.merged, x.deleted, x.handles, x.names = e.teams.m, e.merged.m, e.deleted.m, e.handles.m, e.names.m
	x.asns, x.domains, x.mailboxes, x.fingerprints = e.asns.m, e.domains.m, e.mailboxes.m, e.fingerprints.m
	x.orders = e.orders.done(e.inPlace, &x.teams)
	x.search, x.near = e.search.finish(), e.near.n
	x.last = nil
	if h := x.options.LastResort; h != "" {
		if id, ok := x.handles.get(h); ok {
			x.last = x.resolve(id)
		}
	}
	return &x
}

func (e *indexEdit) reference(t *ReferenceTable) {
	switch t.kind {
	case PrefixCountry:
		e.x.country = t
	case PrefixASN:
		e.x.origin = t
	case ASNCountry:
		e.x.asnCountry = t
	}
}

// put takes in a record as it is now, in place of what the index had of it.
func (e *indexEdit) put(r *Record) {
	old, _ := e.teams.get(r.ID)
	live := r.Deleted.IsZero() && r.MergedInto == ""
	var next *entry
	if live {
		next = newEntry(r.Team(), e.x.options.Policy)
	}
	e.swap(old, next)
	e.orders.put(old, next, e.inPlace)
	e.rename(old, next, r)
}

// rename keeps the maps of ids and handles. The handle of a merged team stays
// with it; that of a deleted one is free again, and may belong to another team
// by now.
func (e *indexEdit) rename(old, next *entry, r *Record) {
	release := func(h Handle) {
		if id, ok := e.handles.get(h); ok && id == r.ID {
			e.handles.delete(h)
		}
	}
	if old != nil && old.team.Handle != r.Handle {
		release(old.team.Handle)
	}
	if m, ok := e.merged.get(r.ID); ok && m.handle != r.Handle {
		release(m.handle)
	}
	e.deleted.delete(r.ID)
	switch {
	case next != nil:
		e.teams.set(r.ID, next)
		e.merged.delete(r.ID)
		e.handles.set(r.Handle, r.ID)
	case r.MergedInto != "":
		e.teams.delete(r.ID)
		e.merged.set(r.ID, merged{r.MergedInto, r.Handle})
		if id, ok := e.handles.get(r.Handle); !ok || id == r.ID || !e.lives(id) {
			e.handles.set(r.Handle, r.ID)
		}
	default:
		e.teams.delete(r.ID)
		e.merged.delete(r.ID)
		e.deleted.set(r.ID, struct{}{})
		release(r.Handle)
	}
}

func (e *indexEdit) lives(id TeamID) bool {
	_, ok := e.teams.get(id)
	return ok
}

// nameEdit is the map of names, with which the table of what looks like them goes.
type nameEdit struct {
	*shardEdit[string, []holder]
	near *nearEdit
}

func (n nameEdit) set(name string, list []holder) {
	if _, ok := n.get(name); !ok {
		n.near.add(name)
	}
	n.shardEdit.set(name, list)
}

func (n nameEdit) delete(name string) {
	n.near.remove(name)
	n.shardEdit.delete(name)
}

func (e *indexEdit) swapNames(old, next *entry) {
	swapKeys(nameEdit{e.names, &e.near}, false, old, next, func(t *Team, yield func(string, uint32)) {
		team := old
		if next != nil && next.team == t {
			team = next
		}
		for _, name := range team.names {
			yield(name, 0)
		}
	})
}

// swap replaces old by next in every list; either may be nil. A key that both
// have is touched once.
func (e *indexEdit) swap(old, next *entry) {
	e.swapResources(old, next)
	e.swapNames(old, next)
	e.search.swap(old, next)
	swapKeys(e.mailboxes, false, old, next, func(t *Team, yield func(string, uint32)) {
		for i := range t.Contacts {
			if c := &t.Contacts[i]; c.Channel == "email" {
				yield(strings.ToLower(c.Value), uint32(i))
			}
		}
	})
	swapKeys(e.fingerprints, false, old, next, func(t *Team, yield func(Fingerprint, uint32)) {
		for i := range t.Keys {
			yield(t.Keys[i].Fingerprint, uint32(i))
		}
	})
	e.swapNations(old, next)
}

func (e *indexEdit) swapResources(old, next *entry) {
	swapKeys(e.asns, false, old, next, func(t *Team, yield func(ASN, uint32)) {
		for i := range t.Resources {
			if r := &t.Resources[i]; r.Type == "asn" {
				yield(r.ASN, uint32(i))
			}
		}
	})
	swapKeys(e.domains, false, old, next, func(t *Team, yield func(Domain, uint32)) {
		for i := range t.Resources {
			if r := &t.Resources[i]; r.Type == "domain" {
				yield(r.Domain, uint32(i))
			}
		}
	})
	swapKeys(&prefixEdit{e}, false, old, next, func(t *Team, yield func(netip.Prefix, uint32)) {
		for i := range t.Resources {
			if r := &t.Resources[i]; r.Type == "prefix" && r.Prefix.IsValid() {
				yield(r.Prefix.Masked(), uint32(i))
			}
		}
	})
	swapKeys(&countryEdit{&e.x.countries, &e.ownCountries}, false, old, next, func(t *Team, yield func(Country, uint32)) {
		for i := range t.Resources {
			if r := &t.Resources[i]; r.Type == "country" {
				yield(r.Country, uint32(i))
			}
		}
	})
}

func (e *indexEdit) swapNations(old, next *entry) {
	swapKeys(&countryEdit{&e.x.nations, &e.ownNations}, true, old, next, func(t *Team, yield func(Country, uint32)) {
		for i := range t.Designations {
			if answersForNation(&t.Designations[i]) {
				yield(t.Designations[i].Country, uint32(i))
			}
		}
	})
}

// answersForNation reports whether a designation makes a team the one to ask
// about its country. One for a sector, for academia or for the armed forces
// says nothing about everybody else; the scopes left are alike, since old
// directories use them for one another.
func answersForNation(d *Designation) bool {
	switch d.Scope {
	case "sector", "academic", "military":
		return false
	}
	return true
}

// holderMap is a map of lists that is being edited.
type holderMap[K comparable] interface {
	get(K) ([]holder, bool)
	set(K, []holder)
	delete(K)
}

// swapKeys replaces old by next in the lists of m. keys yields the keys of a
// team with the index of what gives it each; of a key that a team has
// twice the first counts, except for designations, which end.
func swapKeys[K comparable](m holderMap[K], every bool, old, next *entry, keys func(*Team, func(K, uint32))) {
	if next != nil {
		keys(next.team, func(k K, item uint32) {
			list, _ := m.get(k)
			m.set(k, withHolder(list, old, holder{next, item}, every))
		})
	}
	if old != nil {
		keys(old.team, func(k K, _ uint32) {
			list, ok := m.get(k)
			if !ok {
				return
			}
			rest := slices.DeleteFunc(slices.Clone(list), func(h holder) bool { return h.entry == old })
			switch {
			case len(rest) == 0:
				m.delete(k)
			case len(rest) != len(list):
				m.set(k, rest)
			}
		})
	}
}

// withHolder returns a copy of list with next in it, and without old.
func withHolder(list []holder, old *entry, next holder, every bool) []holder {
	out := make([]holder, 0, len(list)+1)
	for _, h := range list {
		if h.entry == next.entry && !every {
			return list
		}
		if old == nil || h.entry != old {
			out = append(out, h)
		}
	}
	at := 0
	for at < len(out) && out[at].before(next) {
		at++
	}
	return slices.Insert(out, at, next)
}

func (h holder) before(o holder) bool {
	if h.team.Handle != o.team.Handle {
		return h.team.Handle < o.team.Handle
	}
	if h.team.ID != o.team.ID {
		return h.team.ID < o.team.ID
	}
	return h.item < o.item
}

// prefixEdit is the trie of prefixes as a holderMap.
type prefixEdit struct{ e *indexEdit }

func (p *prefixEdit) get(k netip.Prefix) ([]holder, bool) { return p.e.x.prefixes.Get(k) }

func (p *prefixEdit) set(k netip.Prefix, list []holder) {
	if p.e.inPlace {
		p.e.x.prefixes.Insert(k, list)
		return
	}
	p.e.x.prefixes = p.e.x.prefixes.InsertPersist(k, list)
}

func (p *prefixEdit) delete(k netip.Prefix) {
	if p.e.inPlace {
		p.e.x.prefixes.Delete(k)
		return
	}
	p.e.x.prefixes = p.e.x.prefixes.DeletePersist(k)
}

// countryEdit is a table of countries as a holderMap.
type countryEdit struct {
	table **countryTable
	own   *bool
}

func (c *countryEdit) get(k Country) ([]holder, bool) {
	list := (*c.table).get(k)
	return list, list != nil
}

func (c *countryEdit) set(k Country, list []holder) {
	n, ok := k.number()
	if !ok {
		return
	}
	if !*c.own {
		t := new(countryTable)
		if *c.table != nil {
			*t = **c.table
		}
		*c.table, *c.own = t, true
	}
	(*c.table)[n] = list
}

func (c *countryEdit) delete(k Country) { c.set(k, nil) }
