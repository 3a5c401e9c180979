package mail

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

//go:embed templates/*.tmpl
var shipped embed.FS

// ErrTemplate is a template that can't be used. It names the file and what is missing.
var ErrTemplate = errors.New("mail: template")

// maxLine is the longest line of text in characters: RFC 5322 section 2.1.1 recommends 78.
const maxLine = 78

// fallback is the language of last resort.
const fallback = "en"

// Languages lists those that mails ship in.
func Languages() []string { return []string{"ar", "en", "es", "fr", "ru", "zh"} }

// templates are the texts by language.
type templates map[string]*template.Template

// view is what a template sees.
type view struct {
	Instance, Contact       string
	Handle, Domain, Tag     string
	Code, Nonce, Link, Stop string
	Deadline                string
	Digest                  bool
	Items                   []itemView
	Groups                  []groupView
	Older                   int
	News, Asks              bool // some items tell of something, some ask whether a contact is still right
}

// itemView is an item; Prose is what is said of it in English, in lines that fit.
type itemView struct {
	Code, Subject, Due, Prose string

	Asks bool   // whether it is still right
	Last string // the day on which somebody said so; "": nobody ever did
}

type groupView struct {
	Name  string
	Items []itemView
}

// frame is the form of a letter's text: which blocks a language has to define.
func frame(l Letter) string {
	why, ask := string(l.Kind), string(l.asks())
	if l.Kind == KindSilent { // its reader is of another team
		return `{{template "ask.silent" .}}{{template "footer" .}}`
	}
	if !proves(l.asks()) {
		return `{{template "greeting" .}}{{template "ask.` + ask + `" .}}{{template "footer" .}}`
	}
	return `{{template "greeting" .}}{{template "why.` + why + `" .}}{{template "ask.` + ask + `" .}}{{template "deadline" .}}{{template "footer" .}}`
}

// loadTemplates reads the texts that ship, and in place of each language's those of the
// operator's folder, which may have more languages. All are tried before any is used.
func loadTemplates(own fs.FS) (templates, error) {
	out := templates{}
	from, err := fs.Sub(shipped, "templates")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if err := out.load(from); err != nil {
		return nil, err
	}
	if own == nil {
		return out, nil
	}
	return out, out.load(own)
}

func (ts templates) load(from fs.FS) error {
	names, err := fs.Glob(from, "*.tmpl")
	if err != nil || len(names) == 0 {
		return fmt.Errorf("%w: no file that ends in .tmpl", ErrTemplate)
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTemplate, err)
		}
		t, err := parseTemplate(string(text))
		if err == nil {
			err = try(t)
		}
		if err != nil {
			return fmt.Errorf("%w %s: %w", ErrTemplate, name, err)
		}
		ts[strings.ToLower(strings.TrimSuffix(path.Base(name), ".tmpl"))] = t
	}
	return nil
}

// parseTemplate adds to the blocks of a language the frames of all letters.
func parseTemplate(text string) (*template.Template, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
	}
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	for _, l := range samples() {
		if _, err := t.New(frameName(l)).Parse(frame(l)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func frameName(l Letter) string { return "frame." + string(l.Kind) + "." + string(l.asks()) }

func proves(k Kind) bool { return k != KindDigest && k != KindSilent && k != KindConfirm }

// text renders the subject, without the tag, and the body of a letter.
func (ts templates) text(id *Identity, l Letter) (subject, text string, err error) {
	t := ts.of(l.Language)
	v := l.view(id)
	if subject, err = execute(t, "subject."+string(l.Kind), v); err != nil {
		return "", "", err
	}
	text, err = execute(t, frameName(l), v)
	return strings.TrimSpace(subject), strings.TrimLeft(text, "\n"), err
}

// of finds a language's texts: RFC 4647 section 3.4, the tag cut from the right.
func (ts templates) of(language string) *template.Template {
	for tag := strings.ToLower(language); tag != ""; {
		if t := ts[tag]; t != nil {
			return t
		}
		i := strings.LastIndexByte(tag, '-')
		if i < 0 {
			break
		}
		tag = tag[:i]
	}
	return ts[fallback]
}

func execute(t *template.Template, name string, v view) (string, error) {
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, v); err != nil {
		return "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return b.String(), nil
}

func (l Letter) view(id *Identity) view {
	v := view{
		Instance: id.Name, Contact: id.Contact, Handle: l.Handle, Domain: l.Domain, Tag: l.Tag,
		Code: l.Code, Nonce: l.Nonce, Link: l.Link, Stop: l.Stop, Deadline: moment(l.Deadline),
	}
	v.Digest, v.Older = l.Kind == KindDigest || l.Kind == KindSilent, l.Older
	for _, group := range groups() {
		g := groupView{Name: string(group)}
		for _, i := range l.Items {
			if i.Group == group {
				one := itemView{Code: i.Code, Subject: i.Subject, Due: moment(i.Due), Prose: wrapped(strings.TrimSpace(i.Title + ". " + i.Advice)), Asks: i.Asks}
				if !i.Last.IsZero() {
					one.Last = i.Last.UTC().Format(time.DateOnly)
				}
				g.Items, v.News, v.Asks = append(g.Items, one), v.News || !i.Asks, v.Asks || i.Asks
			}
		}
		if len(g.Items) > 0 {
			v.Items, v.Groups = append(v.Items, g.Items...), append(v.Groups, g)
		}
	}
	return v
}

// wrapped sets prose in lines that fit, two columns from the edge.
func wrapped(prose string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(prose) {
		width := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString("  ")
			column = 2
		case column+1+width > 72:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String()
}

// moment writes a time as every language reads it.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// samples has a letter of each form, to try templates with.
func samples() []Letter {
	base := Letter{
		ID: "sample", To: "csirt@example.org", Handle: "example-csirt", Domain: "example.org", Tag: "7F3K9Q2M", Token: "0123456789abcdef",
		Code: "K7QM-3T9X", Nonce: "SAMPLE7NONCE4WORD2", Link: "https://rollcall.example/answer/0000", Stop: "https://rollcall.example/stop/0000",
		Key: "sample", Date: time.Unix(1.8e9, 0), Deadline: time.Unix(1.81e9, 0),
		Items: []Item{
			{Code: "contact.due", Group: GroupContact, Subject: "csirt@example.org", Title: "The proof that the contact answers has run out", Advice: "Answer the next challenge, or ask the operator for one.", Due: time.Unix(1.82e9, 0)},
			{Code: "contact.confirm", Group: GroupContact, Subject: "duty@example.org", Title: "It is time to say whether the contact is still right", Advice: "If it is, one click says so.", Asks: true, Last: time.Unix(1.79e9, 0)},
			{Code: "pgpkey.expires-30", Group: GroupKey, Subject: "0123456789abcdef0123456789abcdef01234567", Title: "The key can be used for thirty more days at most", Advice: "Extend it, and publish it again.", Due: time.Unix(1.82e9, 0)},
			{Code: "securitytxt.expired", Group: GroupSecurityTxt, Subject: "example.org", Title: "The file has expired", Advice: "Check the file, and set a new Expires."},
			{Code: "dnssec.bogus", Subject: "example.org", Title: "The signatures do not verify", Advice: "Sign the zone anew."},
		},
		Older: 2,
	}
	var out []Letter
	for _, k := range Kinds() {
		base.Kind, base.Of = k, ""
		if k == KindSilent {
			out = append(out, silentSample(base))
			continue
		}
		if !k.Repeats() {
			out = append(out, base)
			continue
		}
		for _, base.Of = range []Kind{KindCode, KindNonce, KindSigned, KindBoth} {
			out = append(out, base)
		}
	}
	return out
}

// silentSample is a letter about teams that do not answer: it has no link to a page.
func silentSample(l Letter) Letter {
	l.Link, l.Domain = "", ""
	l.Items = []Item{
		{Code: "contact.unanswered", Group: GroupContact, Subject: "acme-cert/csirt@acme.example", Due: time.Unix(1.79e9, 0)},
		{Code: "contact.undeliverable", Group: GroupContact, Subject: "beta-cert", Due: time.Unix(1.79e9, 0)},
	}
	return l
}

// try renders every letter in a language, and looks for what its reader needs.
func try(t *template.Template) error {
	id := &Identity{Name: strings.Repeat("Instance ", 7) + "x", Contact: "https://rollcall.example/about"}
	for _, l := range samples() {
		subject, text, err := templates{fallback: t}.text(id, l)
		if err != nil {
			return err
		}
		if subject == "" || strings.ContainsAny(subject, "\r\n") || utf8.RuneCountInString(subject) > maxLine {
			return fmt.Errorf("subject.%s is not one line of %d characters at most", l.Kind, maxLine)
		}
		if err := l.complete(id, text); err != nil {
			return fmt.Errorf("%s: %w", frameName(l), err)
		}
	}
	return nil
}

// complete looks for what a text must carry, and for what it must not.
func (l Letter) complete(id *Identity, text string) error {
	need := map[string]string{"Instance": id.Name, "Handle": l.Handle, "Domain": l.Domain, "Link": l.Link, "Contact": id.Contact, "Stop": l.Stop}
	switch l.asks() {
	case KindCode:
		need["Code"], need["Deadline"] = l.Code, moment(l.Deadline)
	case KindNonce, KindSigned, KindBoth:
		need["Nonce"], need["Deadline"] = l.Nonce, moment(l.Deadline)
	case KindDigest:
		for n, i := range l.Items {
			need[fmt.Sprintf("Items (%d)", n)], need[fmt.Sprintf("Items.Subject (%d)", n)] = i.Code, i.Subject
		}
	case KindSilent:
		for n, i := range l.Items {
			need[fmt.Sprintf("Items.Subject (%d)", n)], need[fmt.Sprintf("Items.Due (%d)", n)] = i.Subject, moment(i.Due)
		}
	}
	for field, value := range need {
		if value != "" && !strings.Contains(text, value) {
			return fmt.Errorf("the text lacks .%s", field)
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > maxLine && strings.Contains(line, " ") {
			return fmt.Errorf("a line has more than %d characters: %.60s", maxLine, line)
		}
	}
	return clean(text)
}

// clean refuses what mails of ours never have: markup, and characters that act instead of being read.
func clean(text string) error {
	for _, r := range text {
		switch {
		case r == '<' || r == '>':
			return errors.New("the text has angle brackets: it must be plain")
		case r == utf8.RuneError, r < ' ' && r != '\n', r == 0x7f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return fmt.Errorf("the text has the character U+%04X", r)
		}
	}
	return nil
}
