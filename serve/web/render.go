package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed texts/*.json
var textFiles embed.FS

// Languages are those in which the page exists, the default first.
func Languages() []string { return []string{"en", "fr", "es", "ar", "ru", "zh"} }

// texts are the words of the page in one language. {team} stands for the team's
// name, {operator} for who asks, {left} and {time} for a number and a day.
type texts struct {
	Name       string `json:"name"` // of the language, in itself
	Title      string `json:"title"`
	Intro      string `json:"intro"`
	ThisTeam   string `json:"this_team"` // where the team's name is not public
	Expires    string `json:"expires"`
	CodeLabel  string `json:"code_label"`
	CodeHelp   string `json:"code_help"`
	Choice     string `json:"choice"`
	ForTeam    string `json:"for_team"`
	Wrong      string `json:"wrong_address"`
	Call       string `json:"please_call"`
	Send       string `json:"send"`
	WrongCode  string `json:"wrong_code"`
	NoCode     string `json:"no_code"`
	NoChoice   string `json:"no_choice"`
	Locked     string `json:"locked"`
	NewCode    string `json:"new_code"`
	DoneTeam   string `json:"done_team"`
	DoneMore   string `json:"done_more"`
	DoneWrong  string `json:"done_wrong"`
	DoneCall   string `json:"done_call"`
	DoneCode   string `json:"done_code"`
	Confirm    string `json:"confirm"`
	ConfirmDo  string `json:"confirm_do"`
	DoneOK     string `json:"done_confirm"`
	ExpiredNow string `json:"expired"`
	Used       string `json:"used"`
	Unknown    string `json:"unknown"`
	Busy       string `json:"busy"`
	Failed     string `json:"failed"`
	Nothing    string `json:"nothing_else"`
	Languages  string `json:"languages"`
	StopTitle  string `json:"stop_title"`
	StopText   string `json:"stop_text"`
	StopDo     string `json:"stop_do"`
	DoneStop   string `json:"done_stop"`

	CodeElsewhere string `json:"code_elsewhere"`
	CodesSpent    string `json:"codes_spent"`

	SureTitle    string `json:"sure_title"`
	SureText     string `json:"sure_text"`
	NoticesTitle string `json:"notices_title"`
	NoticesText  string `json:"notices_text"`
	DoneNotices  string `json:"done_notices"`
}

// readTexts reads the words of all languages. A language that lacks one is a
// mistake of the build.
func readTexts() (map[string]texts, error) {
	all := map[string]texts{}
	for _, lang := range Languages() {
		raw, err := textFiles.ReadFile("texts/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("web: texts: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		var t texts
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("web: texts in %s: %w", lang, err)
		}
		for v, i := reflect.ValueOf(t), 0; i < v.NumField(); i++ {
			if v.Field(i).String() == "" {
				return nil, fmt.Errorf("web: texts in %s: no %s", lang, v.Type().Field(i).Tag.Get("json"))
			}
		}
		all[lang] = t
	}
	return all, nil
}

// screen is what one page shows.
type screen struct {
	View     View
	Chosen   Choice // to be marked again after a mistake
	Done     Choice // taken
	Said     Said   // how it was taken
	Wrong    bool
	Left     int
	NoCode   bool
	NoChoice bool
	Busy     bool
	Failed   bool
	Stop     bool // the page on which mails are stopped
	Sure     bool // the page on which it is said that nothing has changed
	Notices  bool // the page on which notices are stopped
}

// data is a screen in a language, as the template sees it.
type data struct {
	screen
	T         texts
	Lang, Dir string
	Style     template.CSS
	Message   phrase // instead of, or above, the form
	Error     bool   // the message is about a mistake
	CodeBad   bool   // and the mistake is the code
	Form      bool
	Press     *press // the one button of a form that has nothing to fill in
	Heading   phrase
	Intro     phrase
	Expires   phrase
	ForTeam   phrase
	NotTheirs phrase
	Others    []other
}

// press is a button.
type press struct {
	Choice Choice
	Text   string
}

type other struct{ Lang, Name string }

// phrase is a text around a name, or a date, that may run in the other direction.
type phrase struct{ Before, Name, After string }

// render writes a page. Whatever it shows, the headers are the same.
func (p *Page) render(w http.ResponseWriter, r *http.Request, status int, s screen) {
	lang := p.language(r, s.View.Language)
	var page bytes.Buffer
	if err := p.tmpl.Execute(&page, p.data(lang, s)); err != nil {
		p.cfg.Log.ErrorContext(r.Context(), "answer page", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer") // the token stands in the URL
	h.Set("Cache-Control", "no-store")      // RFC 9111 section 5.2.2.5
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes()) // the reader is gone: nobody to tell
	}
}

// language is what the reader asked for in the link, else what the browser
// prefers (RFC 9110 section 12.5.4), else what the team does, else English.
func (p *Page) language(r *http.Request, team string) string {
	asked := r.URL.Query().Get("lang")
	if _, ok := p.texts[asked]; ok {
		return asked
	}
	want, _, _ := language.ParseAcceptLanguage(clip(r.Header.Get("Accept-Language"), 500))
	if t, err := language.Parse(team); err == nil {
		want = append(want, t)
	}
	// By the language alone: what matchers hold to be near enough, readers may not.
	for _, tag := range want {
		base, _ := tag.Base()
		if _, ok := p.texts[base.String()]; ok {
			return base.String()
		}
	}
	return Languages()[0]
}

func (p *Page) data(lang string, s screen) data {
	t := p.texts[lang]
	team := s.View.Team
	if team == "" {
		team = t.ThisTeam
	}
	name := func(text string) phrase {
		text = strings.ReplaceAll(text, "{operator}", p.cfg.Operator)
		return fill(text, "{team}", team)
	}
	d := data{screen: s, T: t, Lang: lang, Dir: "ltr", Style: template.CSS(answerCSS), // our own file
		Heading: name(t.Title), Intro: name(t.Intro), ForTeam: name(t.ForTeam), NotTheirs: name(t.Wrong), Form: s.form(), CodeBad: s.Wrong || s.NoCode}
	switch {
	case s.Stop:
		d.Heading, d.Intro, d.Press = name(t.StopTitle), name(t.StopText), &press{Stop, t.StopDo}
	case s.Sure:
		d.Heading, d.Intro, d.Press = name(t.SureTitle), name(t.SureText), &press{Confirm, t.ConfirmDo}
	case s.Notices:
		d.Heading, d.Intro, d.Press = name(t.NoticesTitle), name(t.NoticesText), &press{Stop, t.StopDo}
	}
	if lang == "ar" {
		d.Dir = "rtl"
	}
	text, mistake := s.message(t)
	d.Message, d.Error = name(text), mistake
	if d.Form && d.Press == nil && !s.View.Expires.IsZero() {
		d.Expires = fill(t.Expires, "{time}", s.View.Expires.UTC().Format(time.DateOnly))
	}
	for _, l := range Languages() {
		if l != lang {
			d.Others = append(d.Others, other{l, p.texts[l].Name})
		}
	}
	return d
}

// fill puts a value into the hole of a text.
func fill(text, hole, value string) phrase {
	before, after, found := strings.Cut(text, hole)
	if !found {
		return phrase{Before: text}
	}
	return phrase{before, value, after}
}

// form reports whether there is something to fill in.
func (s screen) form() bool {
	if s.Stop || s.Notices {
		return s.View.Status != Unknown && s.Done == "" && !s.Busy && !s.Failed
	}
	return s.View.Status == Open && s.Done == "" && !s.Busy && !s.Failed
}

// message returns what to say above the form, or instead of it.
func (s screen) message(t texts) (text string, mistake bool) {
	switch {
	case s.Busy:
		return t.Busy, true
	case s.Failed:
		return t.Failed, true
	case s.Done != "":
		return s.thanks(t), false
	case (s.Stop || s.Notices) && s.form():
		return "", false
	case s.Wrong:
		return strings.ReplaceAll(t.WrongCode, "{left}", strconv.Itoa(s.Left)), true
	case s.form() && s.NoChoice:
		return t.NoChoice, true
	case s.form() && s.NoCode:
		return t.NoCode, true
	}
	return map[Status]string{Locked: t.Locked, Expired: t.ExpiredNow, Used: t.Used, Unknown: t.Unknown}[s.View.Status], s.View.Status != Open
}

func (s screen) thanks(t texts) string {
	switch s.Said {
	case SaidMore:
		return t.DoneMore
	case SaidElsewhere:
		return t.CodeElsewhere
	case SaidSpent:
		return t.CodesSpent
	}
	if s.Notices {
		return t.DoneNotices
	}
	return map[Choice]string{ForTeam: t.DoneTeam, WrongAddress: t.DoneWrong, PleaseCall: t.DoneCall, NewCode: t.DoneCode, Confirm: t.DoneOK, Stop: t.DoneStop}[s.Done]
}
