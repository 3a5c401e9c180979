package directory

import (
	"encoding/binary"
	"iter"
)

// Recipient is one team to tell, with the contact to use.
type Recipient struct {
	Team     *Team         // belongs to the index, see [Candidate]
	Contact  *Contact      // nil when the viewer may see none
	Standing Standing      // of Contact
	Withheld bool          // a better contact exists that the viewer may not see
	Checks   *CheckSummary // as in [Candidate]
}

// rankToTell returns the rank whose teams are to be told: the first in which a
// contact can be seen, else the first; 0 where nobody is known.
func (a *Answer) rankToTell() int {
	for i := range a.Candidates {
		if a.Candidates[i].Contact != nil {
			return a.Candidates[i].Rank
		}
	}
	if len(a.Candidates) == 0 {
		return 0
	}
	return a.Candidates[0].Rank
}

// Recipients appends to list whom a says to tell: the candidates of the first
// rank in which a contact can be seen, or, where none can be seen at all, those
// of the first rank. More than one are undecided, and none means that nobody
// is known.
func (a *Answer) Recipients(list []Recipient) []Recipient {
	rank := a.rankToTell()
	reachable := false
	for i := range a.Candidates {
		reachable = reachable || a.Candidates[i].Contact != nil
	}
	for i := range a.Candidates {
		if c := &a.Candidates[i]; c.Rank == rank && (c.Contact != nil || !reachable) {
			list = append(list, Recipient{Team: c.Team, Contact: c.Contact, Standing: c.Standing, Withheld: c.Withheld, Checks: c.Checks})
		}
	}
	return list
}

// groupKey tells groups apart that have one recipient or none.
type groupKey struct {
	team    *Team
	contact *Contact
	unread  bool
}

// Unread is an indicator that could not be read.
type Unread struct {
	Line    int
	Text    string
	Problem Problem
}

// GroupPart collects the answers to a stretch of a batch by recipient. One
// goroutine fills it and a [Grouping] takes it in; its memory is used again.
// The zero value is empty.
type GroupPart struct {
	single  map[groupKey]int32
	several map[string]int32 // by the ids of all recipients
	heads   []groupHead
	order   []int32 // the group of each indicator
	packed  []byte  // the indicators
	unread  []Unread
	key     []byte
	list    []Recipient
}

// groupHead is what makes a group.
type groupHead struct {
	key    groupKey
	ids    string
	status Status
	to     []Recipient
}

// Reset empties p.
func (p *GroupPart) Reset() {
	clear(p.single)
	clear(p.several)
	clear(p.heads) // lets go of the index
	clear(p.unread)
	p.heads, p.order, p.packed, p.unread = p.heads[:0], p.order[:0], p.packed[:0], p.unread[:0]
}

// Add takes in the answer to one indicator.
func (p *GroupPart) Add(a *Answer) {
	p.order = append(p.order, p.group(a))
	p.packed = packIndicator(p.packed, &a.Query)
}

// AddUnread takes in an indicator that could not be read.
func (p *GroupPart) AddUnread(u Unread) { p.unread = append(p.unread, u) }

// group returns the number of the group that an answer belongs to.
func (p *GroupPart) group(a *Answer) int32 {
	if a.Status == StatusAmbiguous {
		return p.undecided(a)
	}
	var key groupKey
	for i := range a.Candidates {
		if c := &a.Candidates[i]; i == 0 || c.Contact != nil {
			key = groupKey{team: c.Team, contact: c.Contact}
			if c.Contact != nil {
				break
			}
		}
	}
	n, ok := p.single[key]
	if !ok {
		if p.single == nil {
			p.single = map[groupKey]int32{}
		}
		n = int32(len(p.heads))
		p.single[key] = n
		p.heads = append(p.heads, groupHead{key: key, status: a.Status, to: a.Recipients(nil)})
	}
	return n
}

// undecided returns the number of the group of the same undecided teams.
func (p *GroupPart) undecided(a *Answer) int32 {
	p.list, p.key = a.Recipients(p.list[:0]), p.key[:0]
	for _, r := range p.list {
		p.key = append(append(p.key, r.Team.ID...), ' ')
		if r.Contact != nil {
			p.key = append(p.key, r.Contact.ID...)
		}
		p.key = append(p.key, ' ')
	}
	n, ok := p.several[string(p.key)]
	if !ok {
		if p.several == nil {
			p.several = map[string]int32{}
		}
		n = int32(len(p.heads))
		ids := string(p.key)
		p.several[ids] = n
		p.heads = append(p.heads, groupHead{ids: ids, status: a.Status, to: a.Recipients(nil)})
	}
	return n
}

// packIndicator appends the text of a query to dst: a zero and four octets for
// an IPv4 address that is written as usual, else the length and the text. So a
// million addresses take 5 MB.
func packIndicator(dst []byte, q *Query) []byte {
	if q.Kind == KindIP && q.Addr.Is4() && len(q.Text) <= len("255.255.255.255") {
		var b [15]byte
		if string(q.Addr.AppendTo(b[:0])) == q.Text {
			v4 := q.Addr.As4()
			return append(append(dst, 0), v4[:]...)
		}
	}
	return append(binary.AppendUvarint(dst, uint64(len(q.Text))), q.Text...)
}

// packedSize is the length of the packed indicator that b begins with.
func packedSize(b []byte) int {
	if b[0] == 0 {
		return 5
	}
	size, n := binary.Uvarint(b)
	return n + int(size)
}

// Group is what goes to one recipient.
type Group struct {
	Number     int // from 1, in the order in which the groups appeared
	Status     Status
	Recipients []Recipient // one for a match, several for ambiguous, else none
	Count      int         // indicators in this part of the group
	Part       int         // from 1: more than one where the batch did not fit into memory
	Unread     []Unread    // those of the group of what could not be read, whose status is unavailable

	pieces [][]byte
}

// Indicators yields the indicators of the group as they were asked, in their
// order, repeated ones as often as they were asked. What it yields is good
// until the next. Those that could not be read are in Unread.
func (g *Group) Indicators() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var text [15]byte
		for _, piece := range g.pieces {
			for len(piece) > 0 {
				n := packedSize(piece)
				one := piece[:n]
				piece = piece[n:]
				if one[0] == 0 {
					one = appendIPv4(text[:0], [4]byte(one[1:]))
				} else {
					_, skip := binary.Uvarint(one)
					one = one[skip:]
				}
				if !yield(one) {
					return
				}
			}
		}
	}
}

// appendIPv4 writes an address as [netip.Addr.AppendTo] does, which would have
// to be told first that it is one.
func appendIPv4(dst []byte, a [4]byte) []byte {
	for i, b := range a {
		if i > 0 {
			dst = append(dst, '.')
		}
		if b >= 100 {
			dst = append(dst, '0'+b/100)
		}
		if b >= 10 {
			dst = append(dst, '0'+b/10%10)
		}
		dst = append(dst, '0'+b%10)
	}
	return dst
}

// Grouping collects all answers of a batch by recipient: one group for each
// team and contact, one for each set of undecided ones, one for what nobody is
// known for and one for what could not be read. The zero value is empty.
//
// It holds the texts of the indicators packed, and nothing else that grows
// with their number. Held says how much that is; [Grouping.Drain] gives up
// what is held before the batch is over.
type Grouping struct {
	single  map[groupKey]*Group
	several map[string]*Group
	groups  []*Group
	found   []*Group // of the part that is taken in
	held    int
}

// Held returns about how many octets the indicators take.
func (g *Grouping) Held() int { return g.held }

// Len returns the number of groups.
func (g *Grouping) Len() int { return len(g.groups) }

// Merge takes in what comes next in the batch. Nothing of p is kept.
func (g *Grouping) Merge(p *GroupPart) {
	if g.single == nil {
		g.single, g.several = map[groupKey]*Group{}, map[string]*Group{}
	}
	g.found = g.found[:0]
	for i := range p.heads {
		g.found = append(g.found, g.of(&p.heads[i]))
	}
	rest := p.packed
	for _, n := range p.order {
		size := packedSize(rest)
		g.found[n].put(rest[:size])
		rest = rest[size:]
	}
	g.held += len(p.packed)
	if len(p.unread) > 0 {
		unread := g.of(&groupHead{key: groupKey{unread: true}, status: StatusUnavailable})
		unread.Unread = append(unread.Unread, p.unread...)
		unread.Count += len(p.unread)
		for _, u := range p.unread {
			g.held += 256 + len(u.Text)
		}
	}
}

// of returns the group of a head.
func (g *Grouping) of(h *groupHead) *Group {
	group := g.single[h.key]
	if h.ids != "" {
		group = g.several[h.ids]
	}
	if group != nil {
		return group
	}
	group = &Group{Number: len(g.groups) + 1, Status: h.status, Recipients: h.to, Part: 1}
	if h.ids != "" {
		g.several[h.ids] = group
	} else {
		g.single[h.key] = group
	}
	g.groups = append(g.groups, group)
	return group
}

// put appends a packed indicator, without ever moving those that are there.
func (g *Group) put(packed []byte) {
	last := len(g.pieces) - 1
	if last < 0 || cap(g.pieces[last])-len(g.pieces[last]) < len(packed) {
		size := 64
		if last >= 0 {
			size = min(2*cap(g.pieces[last]), 32<<10)
		}
		g.pieces = append(g.pieces, make([]byte, 0, max(size, len(packed))))
		last++
	}
	g.pieces[last] = append(g.pieces[last], packed...)
	g.Count++
}

// Drain yields the groups that hold indicators, in the order in which they
// appeared, and empties each after it was yielded. What comes later for the
// same group is its next part.
func (g *Grouping) Drain() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		for _, group := range g.groups {
			if group.Count == 0 {
				continue
			}
			if !yield(group) {
				return
			}
			group.Part++
			group.Count, group.pieces, group.Unread = 0, nil, nil
		}
		g.held = 0
	}
}
