// Package browsertest looks at pages in a real browser: a headless Chromium that
// resolves no name, spoken to by the DevTools protocol. Where it is not installed the test
// is skipped; .ci/run counts that as a failure.
package browsertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// Browser is a browser with one page.
type Browser struct {
	t    *testing.T
	ws   *websocket.Conn
	next int
	seen []event // that came between answers
}

type event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type reply struct {
	ID     int             `json:"id"`
	Error  json.RawMessage `json:"error"`
	Result json.RawMessage `json:"result"`
	event
}

// Start starts Chromium with one empty page. It ends with the test.
func Start(t *testing.T) *Browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		t.Skip("chromium is not installed, so the page is not looked at in a browser (.ci/setup installs it)")
	}
	dir := profile(t)
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--user-data-dir="+dir, "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }() // it is killed
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its helpers, which are its children
		<-over
	})
	port := awaitPort(t, filepath.Join(dir, "DevToolsActivePort"), over)
	b := &Browser{t: t}
	ws, err := websocket.Dial(pageOf(t, port), "", "http://127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ws.MaxPayloadBytes = 64 << 20
	b.ws = ws
	t.Cleanup(func() { _ = ws.Close() })
	for _, domain := range []string{"Network.enable", "Log.enable", "Runtime.enable", "Page.enable"} {
		b.Call(domain, nil)
	}
	return b
}

// profile is a folder for the browser. Its helpers are nobody's to wait for and write on for a
// moment after it, so that the folder goes as soon as nothing more comes into it.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollcall-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tick, timeout := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
		defer tick.Stop()
		for {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			select {
			case <-timeout:
				t.Errorf("the browser's folder: %v", err)
				return
			case <-tick.C:
			}
		}
	})
	return dir
}

// awaitPort reads the port that the browser writes into its folder.
func awaitPort(t *testing.T, name string, over chan struct{}) string {
	t.Helper()
	tick, timeout := time.NewTicker(20*time.Millisecond), time.After(60*time.Second)
	defer tick.Stop()
	for {
		select {
		case <-over:
			t.Fatal("the browser ended at once")
		case <-timeout:
			t.Fatal("the browser did not start within a minute")
		case <-tick.C:
		}
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), "\n") {
			port, _, _ := strings.Cut(string(text), "\n")
			return port
		}
	}
}

func pageOf(t *testing.T, port string) string {
	t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + port + "/json/list")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var pages []struct{ Type, WebSocketDebuggerURL string }
	if err := json.Unmarshal(text, &pages); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if p.Type == "page" {
			return p.WebSocketDebuggerURL
		}
	}
	t.Fatalf("the browser has no page: %s", text)
	return ""
}

// receive reads the next message.
func (b *Browser) receive() reply {
	b.t.Helper()
	var r reply
	_ = b.ws.SetReadDeadline(time.Now().Add(60 * time.Second)) // a connection always has deadlines
	if err := websocket.JSON.Receive(b.ws, &r); err != nil {
		b.t.Fatal(err)
	}
	if r.ID == 0 {
		b.seen = append(b.seen, r.event)
	}
	return r
}

// Call runs one command of the protocol.
func (b *Browser) Call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.next++
	if err := websocket.JSON.Send(b.ws, map[string]any{"id": b.next, "method": method, "params": params}); err != nil {
		b.t.Fatal(err)
	}
	for {
		if r := b.receive(); r.ID == b.next {
			if r.Error != nil {
				b.t.Fatalf("%s: %s", method, r.Error)
			}
			return r.Result
		}
	}
}

// Load opens an address and waits until all of it is there.
func (b *Browser) Load(url string) {
	b.t.Helper()
	b.Loaded(func() { b.Call("Page.navigate", map[string]any{"url": url}) })
}

// Loaded does something that leads to another page, and waits until all of that is there.
func (b *Browser) Loaded(do func()) {
	b.t.Helper()
	before := len(b.seen)
	do()
	for {
		for _, e := range b.seen[before:] {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		b.receive()
	}
}

// Number evaluates an expression. DevTools may do so where the page may not.
func (b *Browser) Number(expression string) float64 {
	b.t.Helper()
	var r struct {
		Result struct{ Value float64 }
	}
	if err := json.Unmarshal(b.Call("Runtime.evaluate", map[string]any{"expression": expression}), &r); err != nil {
		b.t.Fatal(err)
	}
	return r.Result.Value
}

// Contrast is an expression for the least contrast of text and ground on the page as WCAG 2.2 counts it; an opaque
// ground is found among the parents.
const Contrast = `(() => {
  const rgb = s => s.match(/[\d.]+/g).map(Number);
  const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let least = 99;
  for (const e of document.querySelectorAll('p, a, code, pre, h1, h2, h3, h4, th, td, span, summary, li')) {
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
})()`

// Press types a key, as people without a mouse do: one character, or a name such as
// "Tab", "Enter" and "Space".
func (b *Browser) Press(key string) {
	b.t.Helper()
	p := map[string]any{"key": key, "code": key}
	switch key {
	case "Tab":
		p["windowsVirtualKeyCode"] = 9
	case "Enter":
		p["windowsVirtualKeyCode"], p["text"] = 13, "\r"
	case "Space":
		p["key"], p["windowsVirtualKeyCode"], p["text"] = " ", 32, " "
	default:
		p["text"] = key
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		p["type"] = kind
		b.Call("Input.dispatchKeyEvent", p)
	}
}

// Text evaluates an expression for a text.
func (b *Browser) Text(expression string) string {
	b.t.Helper()
	var r struct {
		Result struct{ Value string }
	}
	if err := json.Unmarshal(b.Call("Runtime.evaluate", map[string]any{"expression": expression}), &r); err != nil {
		b.t.Fatal(err)
	}
	return r.Result.Value
}

// Quiet wants no request but for those that may be, and nothing in the console.
func (b *Browser) Quiet(may func(url string) bool) {
	b.t.Helper()
	asked := 0
	for _, e := range b.seen {
		switch e.Method {
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if err := json.Unmarshal(e.Params, &p); err != nil {
				b.t.Fatal(err)
			}
			asked++
			if url := p.Request.URL; !may(url) && !strings.HasPrefix(url, "data:") {
				b.t.Errorf("the page asks for %s", url)
			}
		case "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Network.loadingFailed":
			b.t.Errorf("the browser reports %s", fmt.Sprintf("%s %.300s", e.Method, e.Params))
		}
	}
	if asked == 0 {
		b.t.Error("the browser told of no request, so nothing was looked at")
	}
}
