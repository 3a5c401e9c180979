package web

import "net/http"

// showNotice is GET and HEAD of the pages of notices. It changes nothing.
func (p *Page) showNotice(w http.ResponseWriter, r *http.Request, s screen) {
	view, err := p.cfg.Notices.LookNotice(r.Context(), r.PathValue("token"))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	s.View = view
	status := statusOf(view.Status)
	if s.Notices && view.Status != Unknown { // who wants no more of them may say so at any time
		status = http.StatusOK
	}
	p.render(w, r, status, s)
}

// sure is POST of "nothing has changed". A mail scanner can press the button as well, so it is
// worth a sign of life, and no code is asked for.
func (p *Page) sure(w http.ResponseWriter, r *http.Request) {
	form, status := readForm(w, r)
	if status != 0 {
		p.render(w, r, status, screen{View: View{Status: Unknown}, Failed: true, Sure: true})
		return
	}
	if form.Choice != Confirm {
		p.showNotice(w, r, screen{Sure: true})
		return
	}
	result, err := p.cfg.Notices.ConfirmNotice(r.Context(), r.PathValue("token"), p.meta(r))
	p.noted(w, r, screen{Sure: true, Done: Confirm}, result, err)
}

// silence is POST: of the page's form, or of a mail program's one click (RFC 8058 section 3.2).
func (p *Page) silence(w http.ResponseWriter, r *http.Request) {
	stops, ok := readStop(w, r)
	switch {
	case !ok:
		p.render(w, r, http.StatusBadRequest, screen{View: View{Status: Unknown}, Failed: true, Notices: true})
		return
	case !stops:
		p.showNotice(w, r, screen{Notices: true})
		return
	}
	result, err := p.cfg.Notices.SilenceNotices(r.Context(), r.PathValue("token"), p.meta(r))
	p.noted(w, r, screen{Notices: true, Done: Stop}, result, err)
}

// noted shows what became of a click: s, where it was taken.
func (p *Page) noted(w http.ResponseWriter, r *http.Request, s screen, result Result, err error) {
	if err != nil {
		p.failed(w, r, err)
		return
	}
	s.View = result.View
	status := http.StatusOK
	if result.Said != SaidTaken {
		s.Done, s.View.Status = "", Status(result.Said)
		status = statusOf(s.View.Status)
	}
	p.render(w, r, status, s)
}
