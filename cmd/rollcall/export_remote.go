package main

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"

	apiclient "github.com/rollcall-csirt/rollcall/api/client"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// exportRemote writes what a server exports.
func (c *call) exportRemote(f *exportFlags) error {
	o := apiclient.Options{UserAgent: "rollcall/" + version()} // without a limit of time: a whole directory takes as long as it takes
	if !f.public {
		o.Token = c.tokenFor(&lookupFlags{token: f.token})
	}
	known, err := apiclient.Open(f.server, o)
	if err != nil {
		return usage(c.cmd, "server: %v", bad(f.server, "not the URL of a server", "an address such as https://rollcall.example.org"))
	}
	base, err := url.Parse(f.server)
	if err != nil {
		return err
	}
	r := &remote{base: base, client: known}
	return c.output(f.output, func(out io.Writer) error { return c.download(r, f, out) })
}

// askExport asks a server for what the flags say, and returns the media type
// that the answer must have.
func (c *call) askExport(r *remote, f *exportFlags) (*http.Response, string, error) {
	name, label := c.args[0], ""
	if f.tlp != "" {
		label = string(f.label)
	}
	if name == "rfc2350" {
		media := f.description.Form.MediaType()
		accept := func(_ context.Context, q *http.Request) error { q.Header.Set("Accept", media); return nil }
		answer, err := r.client.GetTeamDescription(c.ctx, f.team, &apiclient.GetTeamDescriptionParams{
			Lang: string(f.description.Language), Tlp: label, Obfuscate: f.obfuscate}, accept)
		return answer, media, err
	}
	e, _ := format.FindExporter(name)
	if f.team != "" {
		answer, err := r.client.ExportTeam(c.ctx, f.team, name, &apiclient.ExportTeamParams{Tlp: label})
		return answer, e.MediaType, err
	}
	answer, err := r.client.ExportTeams(c.ctx, name, &apiclient.ExportTeamsParams{
		Country: string(f.filter.Country), Kind: apiclient.ExportTeamsParamsKind(f.kind), Sector: apiclient.ExportTeamsParamsSector(f.sector),
		Forum: f.filter.Forum, State: apiclient.ExportTeamsParamsState(f.state), Tlp: label})
	return answer, e.MediaType, err
}

// download copies an answer to out. An answer that the server cut off is an
// error, by the length or the last chunk that it lacks.
func (c *call) download(r *remote, f *exportFlags, out io.Writer) error {
	answer, media, err := c.askExport(r, f)
	if err != nil {
		return r.unreachable(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read or is useless
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what there is of it
		return notAsked("server %s: %w", r.base.Redacted(), apiclient.Failure(answer, text))
	}
	got, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if want, _, _ := mime.ParseMediaType(media); got != want {
		return notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server", r.base.Redacted())
	}
	body := &remoteBody{body: answer.Body}
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
