package web

import (
	"net/http"
)

// showStop is GET and HEAD of the page on which mails are stopped. It changes
// nothing: mail scanners look at this link as well (RFC 8058 section 3.1).
func (p *Page) showStop(w http.ResponseWriter, r *http.Request) {
	view, err := p.cfg.Answers.Show(r.Context(), r.PathValue("token"))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	status := http.StatusOK
	if view.Status == Unknown {
		status = http.StatusNotFound
	}
	p.render(w, r, status, screen{View: view, Stop: true})
}

// stop is POST: of the page's form, or of a mail program's one click (RFC 8058
// section 3.2, which sends List-Unsubscribe=One-Click and no cookies). What it
// costs a team is a call from an operator, so no code is asked for.
func (p *Page) stop(w http.ResponseWriter, r *http.Request) {
	stops, ok := readStop(w, r)
	switch {
	case !ok:
		p.render(w, r, http.StatusBadRequest, screen{View: View{Status: Unknown}, Failed: true, Stop: true})
		return
	case !stops:
		p.showStop(w, r)
		return
	}
	result, err := p.cfg.Answers.Answer(r.Context(), r.PathValue("token"), "", Stop, p.meta(r))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	s, status := screen{View: result.View, Stop: true}, http.StatusOK
	if result.Said == SaidTaken {
		s.Done = Stop
	} else {
		s.View.Status, status = Unknown, http.StatusNotFound
	}
	p.render(w, r, status, s)
}

// readStop reports whether a form or a mail program asks to stop; not ok where it can't be read.
func readStop(w http.ResponseWriter, r *http.Request) (stops, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseMultipartForm(maxForm); err != nil && r.PostForm == nil {
		return false, false
	}
	return Choice(r.PostForm.Get("choice")) == Stop || r.PostForm.Get("List-Unsubscribe") == "One-Click", true
}
