package directory

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// matchName is one name of one team, taken apart.
type matchName struct {
	subject  int32
	country  Country
	folded   string // as [foldName] gives it
	compact  string // without blanks
	initials string // of a name of three words or more
	short    bool   // one word, which may be initials
	words    []string
	weights  []float64 // per word: how much it says
}

// generalWords are in the names of many teams, in the languages of many: they
// tell them from banks, and not from each other.
var generalWords = map[string]bool{
	"cert": true, "csirt": true, "psirt": true, "soc": true, "sirt": true, "irt": true, "cirt": true, "isac": true, "cdc": true, "ncsc": true,
	"computer": true, "cyber": true, "cybersecurity": true, "security": true, "information": true, "incident": true, "incidents": true,
	"response": true, "emergency": true, "readiness": true, "team": true, "center": true, "centre": true, "coordination": true, "defence": true, "defense": true,
	"operations": true, "product": true, "network": true, "national": true, "government": true, "group": true, "office": true, "department": true, "agency": true,
	"ministry": true, "city": true, "county": true, "town": true, "village": true, "township": true, "state": true, "district": true, "municipality": true,
	"university": true, "bank": true, "inc": true, "ltd": true, "llc": true, "gmbh": true, "corp": true, "corporation": true, "company": true, "ag": true, "sa": true, "plc": true,
	"seguridad": true, "respuesta": true, "equipo": true, "centro": true, "nacional": true, "sicherheit": true, "securite": true,
}

// smallWords join others, and are in no initials.
var smallWords = map[string]bool{
	"a": true, "and": true, "at": true, "by": true, "da": true, "de": true, "del": true, "der": true, "des": true, "di": true, "die": true, "do": true, "du": true,
	"e": true, "el": true, "et": true, "for": true, "fur": true, "in": true, "la": true, "le": true, "los": true, "of": true, "on": true, "the": true, "to": true, "und": true, "y": true,
}

// addNames takes the names of team i apart. Names that say nothing, such as
// "CERT", are left out.
func (m *matcher) addNames(i int32, t *Team) {
	var had []string
	for _, name := range namesOf(t) {
		folded := foldName(name)
		if slices.Contains(had, folded) {
			continue
		}
		had = append(had, folded)
		n := matchName{subject: i, country: t.Country, folded: folded, words: strings.Fields(folded)}
		if n.compact = strings.Join(n.words, ""); len(n.compact) < 3 || !slices.ContainsFunc(n.words, tells) {
			continue
		}
		n.short = len(n.words) <= 2 && len(n.compact) <= 8
		n.initials = initialsOf(n.words)
		for w := range slices.Values(n.words) {
			m.words[countryWord{t.Country, w}]++
		}
		m.subjects[i].names = append(m.subjects[i].names, int32(len(m.names)))
		m.names = append(m.names, n)
	}
}

// tells reports whether a word tells one team from another.
func tells(w string) bool { return !generalWords[w] && !smallWords[w] }

func initialsOf(words []string) string {
	var b strings.Builder
	for _, w := range words {
		if !smallWords[w] {
			for _, r := range w {
				b.WriteRune(r)
				break
			}
		}
	}
	if b.Len() < 3 {
		return ""
	}
	return b.String()
}

// weigh says how much each word of a name tells: less, the more names of its
// country have it.
func (n *matchName) weigh(frequency map[countryWord]int32) {
	n.weights = make([]float64, len(n.words))
	for i, w := range n.words {
		n.weights[i] = 1 / (1 + math.Log2(float64(max(1, frequency[countryWord{n.country, w}])))/4)
		if !tells(w) {
			n.weights[i] = 0.15
		}
	}
}

// leastAlike is how alike two names must be to be called near.
const leastAlike = 0.7

// alike says from 0 to 1 how much of two names is the same, by the weight of
// their words. A word with one slip counts almost as the word itself; a number
// with another digit is another number.
func alike(a, b *matchName) float64 {
	both, all := 0.0, 0.0
	var used [32]bool
	for i, w := range a.words {
		all += a.weights[i]
		best, at := 0.0, -1
		for j, o := range b.words[:min(len(b.words), len(used))] {
			if like := wordsAlike(w, o); !used[j] && like > best {
				best, at = like, j
			}
		}
		if at >= 0 {
			used[at] = true
			both += best * (a.weights[i] + b.weights[at])
		}
	}
	for j := range b.words {
		all += b.weights[j]
	}
	if all == 0 {
		return 0
	}
	return both / all
}

// wordsAlike compares two words: 1 for equal ones, 0.85 for a slip in a long
// one, else 0.
func wordsAlike(a, b string) float64 {
	switch {
	case a == b:
		return 1
	case oneSlip(a, b) && slips(a) && slips(b):
		return 0.85
	}
	return 0
}

// slips reports whether a letter more or less makes no other word of w: it is
// long, and no number.
func slips(w string) bool { return len(w) >= 6 && !strings.ContainsAny(w, "0123456789") }

// oneSlip reports whether a byte put in, left out or changed makes b of a.
func oneSlip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}

// keys calls yield with numbers that two words share when they are equal or one
// slip apart: those of the word and of each word that is left when one of its
// bytes is. Equal numbers by chance cost a look and nothing more.
func (n *matchName) keys(seed maphash.Seed, word string, yield func(uint64)) {
	var h maphash.Hash
	h.SetSeed(seed)
	sum := func(parts ...string) {
		h.Reset()
		for _, p := range parts {
			h.WriteString(p)
		}
		yield(h.Sum64())
	}
	sum(string(n.country), word)
	if slips(word) {
		for i := range len(word) {
			if i == 0 || word[i] != word[i-1] { // else it is the same word
				sum(string(n.country), word[:i], word[i+1:])
			}
		}
	}
}

// telling returns the numbers of the words of a name that tell most.
func (n *matchName) telling() []string {
	const most = 3
	order := make([]int, 0, len(n.words))
	for i, w := range n.words {
		if tells(w) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(n.weights[j], n.weights[i]), strings.Compare(n.words[i], n.words[j]))
	})
	var list []string
	for _, i := range order[:min(len(order), most)] {
		list = append(list, n.words[i])
	}
	return list
}
