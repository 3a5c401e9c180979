package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// mostAnswer is the largest answer that is read: a report has a bounded number
// of rows.
const mostAnswer = 64 << 20

// importServer is a server that imports for us.
type importServer struct {
	base  *url.URL
	token string
	http  *http.Client
}

func (c *call) newImportServer(f *importFlags) (*importServer, error) {
	u, err := url.Parse(f.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usage(c.cmd, "server: %v", bad(f.server, "not the URL of a server", "an address such as https://rollcall.example.org"))
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	token := f.token
	if token == "" {
		token = c.getenv("ROLLCALL_TOKEN")
	}
	if token == "" {
		return nil, usage(c.cmd, "token: missing; want an operator's token, as ROLLCALL_TOKEN or --token")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = time.Minute // after the upload, which takes as long as it takes
	client := &http.Client{Transport: transport}
	// A redirect would carry the token to a server that nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &importServer{base: u, token: token, http: client}, nil
}

// run uploads a file, waits for the end of its import, and returns what
// importing it here would have.
func (s *importServer) run(ctx context.Context, opt directory.ImportOptions, columns format.CSVMap, in *input, p *progress) (directory.ImportReport, error) {
	query, err := importQuery(opt, columns)
	if err != nil {
		return directory.ImportReport{}, err
	}
	var job api.ImportJob
	err = s.do(ctx, http.MethodPost, "/v1/imports?"+query.Encode(), &uploading{in, p}, http.StatusAccepted, &job)
	if err != nil {
		return directory.ImportReport{}, err
	}
	job, err = s.wait(ctx, job, p)
	if err != nil && ctx.Err() != nil {
		job, err = s.cancel(ctx, job)
	}
	if err != nil {
		return directory.ImportReport{}, err
	}
	var report directory.ImportReport
	if job.Report != nil {
		report = job.Report.Report()
	}
	switch directory.JobState(job.State) {
	case directory.JobFailed:
		return report, job.Failure.Err()
	case directory.JobCancelled:
		return report, errors.New("import: the job was cancelled; nothing was written")
	}
	return report, nil
}

// importQuery says in a query string what the flags say.
func importQuery(opt directory.ImportOptions, columns format.CSVMap) (url.Values, error) {
	v := url.Values{"format": {opt.Format}}
	for name, value := range map[string]string{"source": opt.Source, "team": opt.Team, "key": columns.Key, "separator": columns.Separator} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !opt.AsOf.IsZero() {
		v.Set("as_of", opt.AsOf.Format(time.DateOnly))
	}
	if len(columns.Columns) > 0 {
		text, err := json.Marshal(columns.Columns)
		if err != nil {
			return nil, err
		}
		v.Set("columns", string(text))
	}
	whole := "partial"
	if opt.Complete {
		whole = "complete"
	}
	for name, on := range map[string]bool{"dry_run": opt.DryRun, "force": opt.Force, whole: true} {
		if on {
			v.Set(name, "true")
		}
	}
	v.Set("max_change", strconv.FormatFloat(opt.MaxChange, 'f', -1, 64))
	return v, nil
}

// uploading shows how far the upload is.
type uploading struct {
	in *input
	p  *progress
}

// Read implements io.Reader.
func (u *uploading) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	u.p.show(func() string { return fmt.Sprintf("uploading, %d KiB", atomic.LoadInt64(&u.in.count.n)>>10) })
	return n, err
}

// wait asks until the job has ended.
func (s *importServer) wait(ctx context.Context, job api.ImportJob, p *progress) (api.ImportJob, error) {
	for pause := 20 * time.Millisecond; !directory.JobState(job.State).Over(); pause = min(2*pause, time.Second) {
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-time.After(pause):
		}
		var now api.ImportJob
		if err := s.do(ctx, http.MethodGet, "/v1/imports/"+job.ID, nil, http.StatusOK, &now); err != nil {
			return job, err
		}
		job = now
		p.show(func() string { return fmt.Sprintf("%s, %d rows", job.State, job.Rows) })
	}
	return job, nil
}

// cancel ends a job that nobody waits for any more. One that has ended
// meanwhile is told as what it is.
func (s *importServer) cancel(ctx context.Context, job api.ImportJob) (api.ImportJob, error) {
	interrupted := ctx.Err()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer stop()
	// An error is one of what has ended already, or the next request's too.
	_ = s.do(ctx, http.MethodPost, "/v1/imports/"+job.ID+"/cancel", nil, http.StatusOK, &job)
	ended, err := s.wait(ctx, job, &progress{})
	if err != nil {
		return job, fmt.Errorf("interrupted, and what became of job %s is not known: %w", job.ID, err)
	}
	if ended.State == string(directory.JobCancelled) {
		return ended, interrupted
	}
	return ended, nil
}

// do sends a request and reads the answer into to.
func (s *importServer) do(ctx context.Context, method, path string, body io.Reader, want int, to any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, body)
	if err != nil {
		return err
	}
	if u, ok := body.(*uploading); ok {
		request.Header.Set("Content-Type", "application/octet-stream")
		if u.in.size > 0 {
			request.ContentLength = u.in.size
		}
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("User-Agent", "rollcall/"+version())
	response, err := s.http.Do(request)
	if err != nil {
		return s.unreachable(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read or is useless
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return s.unreachable(ctx, err)
	}
	if response.StatusCode != want {
		return s.refused(response, text)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(to); err != nil {
		return notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server", s.base.Redacted())
	}
	return nil
}

func (s *importServer) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return notAsked("server %s: %w", s.base.Redacted(), err)
}

// refused tells what a problem document says: what is wrong with the file or
// the flags fails, as it would here; all else could not be asked.
func (s *importServer) refused(response *http.Response, text []byte) error {
	var p api.Problem
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return notAsked("server %s: %s", s.base.Redacted(), response.Status)
	}
	err := fmt.Errorf("server %s: %s (%s, request %s)", s.base.Redacted(), p.Detail, p.Code, p.RequestID)
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &exitError{exitFailed, err}
	}
	return &exitError{exitNotAsked, err}
}
