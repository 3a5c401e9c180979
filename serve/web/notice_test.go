package web_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/serve/web"
)

func (d *desk) noticeView(token string) web.View {
	if token != "notice" {
		return web.View{Status: web.Unknown}
	}
	return web.View{Status: d.notice, Team: d.team, Expires: noon.AddDate(0, 0, 45)}
}

func (d *desk) LookNotice(_ context.Context, token string) (web.View, error) {
	return d.noticeView(token), d.broken
}

func (d *desk) ConfirmNotice(_ context.Context, token string, meta web.Meta) (web.Result, error) {
	v := d.noticeView(token)
	if v.Status != web.Open {
		return web.Result{Said: web.Said(v.Status), View: v}, d.broken
	}
	d.sure, d.notice, d.metas = d.sure+1, web.Used, append(d.metas, meta)
	return web.Result{Said: web.SaidTaken, View: d.noticeView(token)}, d.broken
}

func (d *desk) SilenceNotices(_ context.Context, token string, meta web.Meta) (web.Result, error) {
	v := d.noticeView(token)
	if v.Status == web.Unknown {
		return web.Result{Said: web.SaidUnknown, View: v}, d.broken
	}
	d.silent, d.metas = d.silent+1, append(d.metas, meta)
	return web.Result{Said: web.SaidTaken, View: v}, d.broken
}

// TestNoticePages: whoever looks changes nothing, however often and whatever the link says; only the one
// button does, and only once. No code is asked for and none is taken.
func TestNoticePages(t *testing.T) {
	d := newDesk(t)
	d.notice = web.Open
	mux := serve(t, d, web.Rate{})
	for _, page := range []string{"/confirm/notice", "/notices/notice"} {
		for _, query := range []string{"", "?lang=ru", "?choice=confirm", "?choice=stop&List-Unsubscribe=One-Click"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				r := get(mux, method, page+query)
				text := body(t, r)
				if r.StatusCode != http.StatusOK || (method == http.MethodHead) != (text == "") {
					t.Errorf("%s %s%s = %d", method, page, query, r.StatusCode)
				}
				if strings.Contains(text, "<script") || method == http.MethodGet && (strings.Count(text, "<button") != 1 || strings.Contains(text, `name="code"`) || !strings.Contains(text, "Söhne")) {
					t.Errorf("%s %s%s shows\n%s", method, page, query, text)
				}
				if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" || len(r.Cookies()) > 0 {
					t.Errorf("%s %s%s has the header %v", method, page, query, r.Header)
				}
			}
		}
	}
	for _, form := range [][]string{{}, {"choice", "team"}, {"choice", "stop"}, {"code", "K7QM-3T9X"}} {
		if r := post(mux, "/confirm/notice?choice=confirm", form...); r.StatusCode != http.StatusOK {
			t.Errorf("POST of %v = %d", form, r.StatusCode)
		}
	}
	for _, form := range [][]string{{}, {"choice", "confirm"}, {"List-Unsubscribe", "no"}} {
		if r := post(mux, "/notices/notice?choice=stop", form...); r.StatusCode != http.StatusOK {
			t.Errorf("POST of %v = %d", form, r.StatusCode)
		}
	}
	if d.sure != 0 || d.silent != 0 || len(d.metas) != 0 {
		t.Fatalf("without the button: %d confirmations, %d stops", d.sure, d.silent)
	}
	for _, wrong := range []string{"/confirm/other", "/notices/other"} {
		for _, r := range []*http.Response{get(mux, "GET", wrong), post(mux, wrong, "choice", "confirm"), post(mux, wrong, "choice", "stop")} {
			if text := body(t, r); r.StatusCode != http.StatusNotFound || strings.Contains(text, "<button") || strings.Contains(text, "Söhne") {
				t.Errorf("%s = %d", wrong, r.StatusCode)
			}
		}
	}
	if r := post(mux, "/confirm/notice", "choice", "confirm"); r.StatusCode != http.StatusOK || !strings.Contains(body(t, r), "We have noted that nothing has changed") || d.sure != 1 {
		t.Errorf("the button: %d, %d confirmations", r.StatusCode, d.sure)
	}
	if r := post(mux, "/confirm/notice", "choice", "confirm"); r.StatusCode != http.StatusGone || d.sure != 1 {
		t.Errorf("the button again: %d, %d confirmations", r.StatusCode, d.sure)
	}
	r := httptest.NewRequest(http.MethodPost, "/notices/notice", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b") // RFC 8058 section 3.2
	if a := send(mux, r); a.StatusCode != http.StatusOK || !strings.Contains(body(t, a), "no more notices about") || d.silent != 1 {
		t.Errorf("one click: %d, %d stops", a.StatusCode, d.silent)
	}
	r = httptest.NewRequest(http.MethodPost, "/confirm/notice", strings.NewReader(`{"choice":"confirm"}`))
	r.Header.Set("Content-Type", "application/json")
	if a := send(mux, r); a.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("JSON = %d", a.StatusCode)
	}
	d.broken = io.EOF
	for _, a := range []*http.Response{get(mux, "GET", "/confirm/notice"), post(mux, "/confirm/notice", "choice", "confirm"), post(mux, "/notices/notice", "choice", "stop")} {
		if text := body(t, a); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(text, "EOF") {
			t.Errorf("in trouble: %d", a.StatusCode)
		}
	}
	page, err := web.New(web.Config{Answers: d, Operator: "Example Forum"})
	if err != nil {
		t.Fatal(err)
	}
	bare := http.NewServeMux()
	page.Register(bare)
	if r := get(bare, "GET", "/confirm/notice"); r.StatusCode != http.StatusNotFound {
		t.Errorf("without notices: %d", r.StatusCode)
	}
}
