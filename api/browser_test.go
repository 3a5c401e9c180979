package api_test

import (
	"testing"

	"github.com/rollcall-csirt/rollcall/api/browsertest"
)

// TestDocsInBrowser loads the page in a browser that reaches nobody but this
// server, without JavaScript: it asks for nothing else, reports nothing, and
// can be read on a small screen, by day and by night.
func TestDocsInBrowser(t *testing.T) {
	s := embedded(t)
	b := browsertest.Start(t)
	b.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
	b.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true})
	for _, scheme := range []string{"light", "dark"} {
		b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
		b.Load(s.server.URL + "/docs")
		if n := b.Number("document.documentElement.scrollWidth"); n > 360 {
			t.Errorf("%s: the page is %v px wide on a screen of 360", scheme, n)
		}
		if n := b.Number("parseFloat(getComputedStyle(document.querySelector('td')).fontSize)"); n < 14 {
			t.Errorf("%s: text of %v px, want at least 14", scheme, n)
		}
		if n := b.Number(browsertest.Contrast); n < 4.5 {
			t.Errorf("%s: a contrast of %.2f, want at least 4.5 (WCAG 2.2, 1.4.3)", scheme, n)
		}
		night := b.Number("parseFloat(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 128 ? 1 : 0")
		if (scheme == "dark") != (night == 1) {
			t.Errorf("%s: the ground is dark: %v", scheme, night == 1)
		}
		if n := b.Number("document.querySelectorAll('article').length"); int(n) != len(operations()) {
			t.Errorf("%s: %v operations are shown, want %d", scheme, n, len(operations()))
		}
	}
	b.Quiet(func(url string) bool { return url == s.server.URL+"/docs" })
}
