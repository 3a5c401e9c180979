package format

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-csirt/rollcall/directory"
)

// shapeNote is what every export in a shape of others adds to a contact: what
// was proven about it. Readers of these shapes pass over what they don't know.
type shapeNote struct {
	Level      int    `json:"level"`
	Name       string `json:"level_name"`
	State      string `json:"state"`
	At         string `json:"at,omitempty"`
	Method     string `json:"method"`
	ValidUntil string `json:"valid_until,omitempty"`
}

func noteOf(t *directory.Team, c directory.Contact, o ExportOptions) *shapeNote {
	s := directory.Assess(c, t.Evidence, o.Policy, o.Now)
	return &shapeNote{int(s.Level), s.Level.String(), string(s.State), stamp(s.At), s.Method, stamp(s.ValidUntil)}
}

// stamp writes a time; the zero time is "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// rawOf returns what sources say of a field in their own words.
func rawOf(t *directory.Team, field string) []string {
	var list []string
	for _, r := range t.Raw {
		if r.Field == field {
			list = append(list, r.Text)
		}
	}
	return list
}

// orRaw is value, or else the words of a source.
func orRaw(t *directory.Team, value, field string) string {
	return cmp.Or(value, strings.Join(rawOf(t, field), "\n"))
}

// contactsOf returns the contacts of a channel, those that are asked first in
// front.
func contactsOf(t *directory.Team, channel directory.Word) []directory.Contact {
	var list []directory.Contact
	for _, c := range t.Contacts {
		if c.Channel == channel {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b directory.Contact) int { return a.Order - b.Order })
	return list
}

// asOf is when what is shown of a team was changed last, as far as anybody
// says: the day that a source vouches for, or when the team entered it.
func asOf(t *directory.Team) time.Time {
	var last time.Time
	for _, o := range t.Origins {
		if o.Source == directory.SourceTeam {
			o.AsOf = o.At
		}
		if o.AsOf.After(last) {
			last = o.AsOf
		}
	}
	return last
}

// membershipIn returns the team's place in a forum.
func membershipIn(t *directory.Team, forum string) directory.Membership {
	for _, m := range t.Memberships {
		if m.Forum == forum {
			return m
		}
	}
	return directory.Membership{}
}

// statusWord is what a forum calls a membership: its own word, else the first
// of words that stands for the status.
func statusWord(m directory.Membership, words map[string]directory.Word, titles []string) string {
	if words[strings.ToLower(m.Type)] == m.Status && m.Status != "" {
		return m.Type
	}
	for _, title := range titles {
		if words[strings.ToLower(title)] == m.Status {
			return title
		}
	}
	return ""
}

// jsonArray writes a list of objects, one to a line. first stands in front of
// the first one.
func jsonArray(w *bufio.Writer, teams Teams, object func(*directory.Team) any) (n int, err error) {
	w.WriteByte('[') //nolint:errcheck // a bufio.Writer keeps its error for Flush
	for t, err := range teams {
		if err != nil {
			return n, err
		}
		sep := ",\n"
		if n == 0 {
			sep = "\n"
		}
		w.WriteString(sep) //nolint:errcheck // as above
		if err := jsonObject(w, object(&t)); err != nil {
			return n, err
		}
		n++
	}
	w.WriteString("\n]") //nolint:errcheck // as above
	return n, nil
}

// jsonObject writes v without a line break behind it.
func jsonObject(w *bufio.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if bytes.ContainsFunc(text, turning) {
		text = bytes.Map(func(r rune) rune {
			if turning(r) {
				return -1
			}
			return r
		}, text)
	}
	_, err := w.Write(text)
	return err
}

// turning reports whether a character can make text read as what it is not.
func turning(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// orNone is a list that JSON writes as [] where there is none.
func orNone[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
