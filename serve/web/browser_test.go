package web_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api/browsertest"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/serve/web"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestAnswerInBrowser answers in a real browser without scripts and without a mouse, on the
// screen of a telephone: the code is typed, a choice is made and sent by the keyboard alone.
func TestAnswerInBrowser(t *testing.T) {
	d := newDesk(t)
	d.team = "CERT Example"
	server := httptest.NewServer(serve(t, d, web.Rate{}))
	defer server.Close()
	b := browsertest.Start(t)
	b.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
	b.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 320, "height": 568, "deviceScaleFactor": 2, "mobile": true})
	link := server.URL + "/answer/" + d.secrets.Token

	for _, scheme := range []string{"light", "dark"} {
		b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
		for _, lang := range []string{"en", "fr", "es", "ar", "ru", "zh"} {
			b.Load(link + "?lang=" + lang)
			if n := b.Number("document.documentElement.scrollWidth"); n > 320 {
				t.Errorf("%s, %s: the page is %v px wide on a screen of 320", scheme, lang, n)
			}
			if n := b.Number(browsertest.Contrast); n < 4.5 {
				t.Errorf("%s, %s: a contrast of %.2f, want at least 4.5 (WCAG 2.2, 1.4.3)", scheme, lang, n)
			}
			if n := b.Number("Math.min(...[...document.querySelectorAll('button, input[type=text]')].map(e => e.getBoundingClientRect().height))"); n < 24 {
				t.Errorf("%s, %s: what is to be touched is %v px high, want 24 (WCAG 2.2, 2.5.8)", scheme, lang, n)
			}
		}
	}

	b.Load(link)
	focus := func(what string) {
		t.Helper()
		for range 20 {
			if b.Text("document.activeElement.id || document.activeElement.type || ''") == what {
				return
			}
			b.Press("Tab")
		}
		t.Fatalf("the keyboard does not lead to %s", what)
	}
	focus("code")
	for _, c := range strings.ToLower(d.secrets.Code) {
		b.Press(string(c))
	}
	focus("choice-team")
	b.Press("Space")
	focus("submit")
	b.Loaded(func() { b.Press("Enter") })
	if text := b.Text("document.querySelector('[role=status]') ? document.querySelector('[role=status]').innerText : document.body.innerText"); !strings.Contains(text, "CERT Example") {
		t.Errorf("after the answer the page says %q", text)
	}
	if d.c.State != challenge.StateAnswered || d.c.Reached != directory.Answered {
		t.Errorf("the answer did not count: %+v", d.c)
	}
	b.Quiet(func(url string) bool { return strings.HasPrefix(url, fmt.Sprint(server.URL, "/answer/")) })
}
