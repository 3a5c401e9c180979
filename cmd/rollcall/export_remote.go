package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory/format"
)

// exportRemote writes what a server exports.
func (c *call) exportRemote(f *exportFlags) error {
	r, err := c.newRemote(&lookupFlags{server: f.server, token: f.token})
	if err != nil {
		return err
	}
	if f.public {
		r.token = ""
	}
	// A whole directory takes as long as it takes; that nothing comes at all is
	// told by the headers.
	r.http.Timeout = 0
	r.http.Transport.(*http.Transport).ResponseHeaderTimeout = time.Minute
	path, accept := exportPath(c.args[0], f)
	return c.output(f.output, func(out io.Writer) error { return c.download(r, path, accept, out) })
}

// exportPath returns what is asked of a server, and as what.
func exportPath(name string, f *exportFlags) (path, accept string) {
	v := url.Values{}
	for key, value := range map[string]string{"country": string(f.filter.Country), "kind": f.kind, "sector": f.sector, "forum": f.filter.Forum, "state": f.state, "lang": f.language} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if f.tlp != "" {
		v.Set("tlp", string(f.label))
	}
	if f.obfuscate {
		v.Set("obfuscate", "true")
	}
	path, accept = "/v1/export/"+name, "*/*"
	switch {
	case name == "rfc2350":
		accept, _, _ = strings.Cut(f.description.Form.MediaType(), ";")
		path = "/v1/teams/" + url.PathEscape(f.team) + "/rfc2350"
	case f.team != "":
		path = "/v1/teams/" + url.PathEscape(f.team) + "/export/" + name
	}
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	e, ok := format.FindExporter(name)
	if ok {
		accept = e.MediaType
	}
	return path, accept
}

// download copies an answer to out. An answer that the server cut off is an
// error, by the length or the last chunk that it lacks.
func (c *call) download(r *remote, path, accept string, out io.Writer) error {
	request, err := http.NewRequestWithContext(c.ctx, http.MethodGet, r.base.String()+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "rollcall/"+version())
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return r.unreachable(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read or is useless
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, mostAnswer)) // what there is of it
		return r.refused(response, text)
	}
	media, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if want, _, _ := strings.Cut(accept, ";"); media != want {
		return notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server", r.base.Redacted())
	}
	body := &remoteBody{body: response.Body}
	if _, err = io.Copy(out, body); body.err != nil {
		return r.unreachable(body.err)
	}
	return err
}

// remoteBody tells an error of the server from one of the file.
type remoteBody struct {
	body io.Reader
	err  error
}

// Read implements [io.Reader].
func (b *remoteBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
