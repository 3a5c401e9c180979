package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// docsPath is where the documentation is.
const docsPath = "/docs"

var (
	//go:embed docs/page.html
	docsHTML string
	//go:embed docs/page.css
	docsCSS string
)

// docsPolicy lets the page be nothing but text and its own style: no script,
// no image but the empty icon, no frame, no form.
func docsPolicy() string {
	sum := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// registerDocs serves the documentation: one page, made of the document when it
// is first asked for. It comes last, when all operations are known.
func (s *Server) registerDocs() {
	page, policy := sync.OnceValues(func() ([]byte, error) { return renderDocs(s.huma.OpenAPI()) }), docsPolicy()
	op := &huma.Operation{OperationID: "docs", Method: http.MethodGet, Path: docsPath}
	s.handle(op, func(w http.ResponseWriter, r *http.Request, c *call) int {
		text, err := page()
		if err != nil {
			return s.refuse(w, r, c, err)
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(text) // the client has gone
		return http.StatusOK
	})
}

func renderDocs(doc *huma.OpenAPI) ([]byte, error) {
	t, err := template.New("page").Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	view, err := docsView(doc)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
