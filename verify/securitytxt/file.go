package securitytxt

import (
	"slices"
	"strings"
	"time"
)

// File is a security.txt. The zero File is an empty one. A File can be read
// by several goroutines at once.
type File struct {
	// Fields are the fields in their order. Values are text without control
	// characters, and as far as they were right or not.
	Fields   []Field
	Comments []Comment
	// Signed is how the file was signed, which proves nothing until
	// [Keyring.Verify] has seen it; nil: it was not signed.
	Signed *Signed

	partial bool // not all of the fields could be read
	frame   bool // it was signed in a way that could not be read
}

// Field is one line of a file.
type Field struct {
	Name  Name   // as registered where it is known, as written where not
	Value string // "" for a field without a value
	Line  int    // counted from 1; 0 in a file that was not parsed
}

// Comment is a line that begins with #.
type Comment struct {
	Text string // behind the #
	Line int
}

// Name is the name of a field.
type Name string

// The names that are registered (RFC 9116 section 6.2 and the IANA registry
// "security.txt Fields").
const (
	Acknowledgments    Name = "Acknowledgments"
	BugBounty          Name = "Bug-Bounty"
	Canonical          Name = "Canonical"
	Contact            Name = "Contact"
	CSAF               Name = "CSAF"
	Encryption         Name = "Encryption"
	Expires            Name = "Expires"
	Hiring             Name = "Hiring"
	Policy             Name = "Policy"
	PreferredLanguages Name = "Preferred-Languages"
)

// Names lists the registered names.
func Names() []Name {
	return []Name{Acknowledgments, BugBounty, Canonical, Contact, CSAF, Encryption, Expires, Hiring, Policy, PreferredLanguages}
}

// known returns the registered spelling of a name (RFC 9116 section 2: field
// names are case-insensitive).
func known(name string) (Name, bool) {
	var try Name
	switch len(name) {
	case len(CSAF):
		try = CSAF
	case len(Hiring):
		try = Policy
		if name[0]|0x20 == 'h' {
			try = Hiring
		}
	case len(Contact):
		try = Contact
		if name[0]|0x20 == 'e' {
			try = Expires
		}
	case len(Canonical):
		try = Canonical
	case len(Encryption):
		try = Encryption
		if name[0]|0x20 == 'b' {
			try = BugBounty
		}
	case len(Acknowledgments):
		try = Acknowledgments
	case len(PreferredLanguages):
		try = PreferredLanguages
	default:
		return Name(name), false
	}
	if string(try) == name || strings.EqualFold(string(try), name) {
		return try, true
	}
	return Name(name), false
}

// Values returns the values of all fields of a name that have one, in order.
func (f File) Values(name Name) []string {
	var out []string
	for i := range f.Fields {
		if f.Fields[i].Name == name && f.Fields[i].Value != "" {
			out = append(out, f.Fields[i].Value)
		}
	}
	return out
}

// Expires returns when the file expires; false where it does not say so once
// and rightly.
func (f File) Expires() (time.Time, bool) {
	var at time.Time
	ok, n := false, 0
	for i := range f.Fields {
		if f.Fields[i].Name == Expires {
			at, ok = parseTime(f.Fields[i].Value)
			n++
		}
	}
	return at, n == 1 && ok
}

// Languages returns the tags of Preferred-Languages, as written.
func (f File) Languages() []string {
	var out []string
	for _, v := range f.Values(PreferredLanguages) {
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.Trim(tag, " \t"); tag != "" {
				out = append(out, tag)
			}
		}
	}
	return out
}

// String returns the file as unsigned text, one field or comment a line. Blank
// lines and fields without a value are gone, names are in their registered
// spelling, and control characters, which no parsed file has, are U+FFFD: a value
// never makes a second line. Where the file had no findings, the text has none.
func (f File) String() string {
	var b strings.Builder
	comments := f.Comments
	for _, field := range f.Fields {
		for len(comments) > 0 && comments[0].Line < field.Line {
			b.WriteString("#" + printable(comments[0].Text) + "\n")
			comments = comments[1:]
		}
		if field.Value != "" {
			b.WriteString(printable(string(field.Name)) + ": " + printable(field.Value) + "\n")
		}
	}
	for _, c := range comments {
		b.WriteString("#" + printable(c.Text) + "\n")
	}
	return b.String()
}

// count returns how often a field occurs, and the line of the last.
func (f File) count(name Name) (n, line int) {
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			n, line = n+1, f.Fields[i].Line
		}
	}
	return n, line
}

// has reports whether a field occurs with a value.
func (f File) has(name Name) bool {
	return slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Name == name && x.Value != "" })
}
