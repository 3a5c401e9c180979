package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

const lookupLong = `Lookup answers who to tell about an IP address, a CIDR prefix, an AS number, a
domain, a URL, an e-mail address, a country, a team's name or handle, or the
fingerprint of a key. It asks a database (--db) or a running server (--server).

The answer is a ladder: the team that is responsible for what was asked, and
below it every fallback, each with what was proven about its contact. Teams of
one rank are undecided: nothing is chosen for you. On a terminal the answer is
text, else JSON, one object a line, in exactly the form of the API.

With --batch the queries are read from the standard input, or from the file that
--batch=FILE names, or given as arguments: up to a million, streamed. They come
as --input says: json ({"queries":[...]}), ndjson (a string or an object a line),
csv (the first row names the columns), text (one a line) or log (any text:
whatever can be looked up in it); auto tells all but a log by the beginning of
the file, and a log by its name (.log). --group answers with one object for each
recipient and all that it is to be told about; the text always does. The answers
in JSON are those of the API's NDJSON; a line that can't be read is told in its
place.

A database shows everything, as whoever can read the file may. A server shows
what the token (ROLLCALL_TOKEN, or --token, which others on the machine can see)
may see.

Exit status: 0 a match; 1 nobody known, or several teams and nothing that
decides; 2 wrong usage, or a query that can't be read; 3 could not ask. With
several queries it is the highest of theirs. An answer that breaks off ends with 3,
whatever came before.`

const lookupExample = `  rollcall lookup --db teams.db 192.0.2.1
  rollcall lookup --server https://rollcall.example.org --use vulnerability example.org AS64496
  rollcall lookup --db teams.db --json AT | jq '.candidates[].contact.value'
  cut -d' ' -f1 access.log | sort -u | rollcall lookup --db teams.db --batch
  rollcall lookup --db teams.db --batch=access.log --group --json | jq -c '[.recipients[].contact.value, .count]'
  rollcall lookup --server https://rollcall.example.org --batch=events.csv --column source.ip`

// lookupFlags are the flags of rollcall lookup.
type lookupFlags struct {
	server, token, use, class, batch string
	input, column                    string
	json, text, trace, group         bool
}

func lookupCommand(w world) *cobra.Command {
	f := &lookupFlags{}
	cmd := &cobra.Command{
		Use: "lookup QUERY...", Short: "Find out whom to tell about an address, domain, network or country",
		Long: lookupLong, Example: lookupExample, Args: cobra.ArbitraryArgs,
		RunE:              w.action(func(c *call) error { return c.lookup(f) }),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	keyFlags(cmd.Flags(), "db", "last_resort", "policy_lasts", "policy_grace")
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "", "`URL` of a server to ask instead of a database")
	flags.StringVar(&f.token, "token", "", "`TOKEN` for the server (ROLLCALL_TOKEN)")
	flags.StringVar(&f.use, "use", "", "`USE` of the contact: "+strings.Join(directory.Uses, ", ")+" (default: abuse, then general)")
	flags.StringVar(&f.class, "class", "", "`CLASS` of the incident: "+strings.Join(directory.IncidentClasses, ", "))
	flags.StringVar(&f.batch, "batch", "", "many queries: --batch=`FILE` reads a file, --batch alone the standard input")
	flags.Lookup("batch").NoOptDefVal = "-"
	flags.StringVar(&f.input, "input", "auto", "`FORM` of the batch: auto, json, ndjson, csv, text or log")
	flags.StringVar(&f.column, "column", "", "csv, ndjson: `NAME` of the column or member that is looked up (default: the first usual one, such as ip)")
	flags.BoolVar(&f.group, "group", false, "batch: group the answers by recipient")
	flags.BoolVar(&f.json, "json", false, "print JSON also on a terminal")
	flags.BoolVar(&f.text, "text", false, "print text also where the output is not a terminal")
	flags.BoolVar(&f.trace, "trace", false, "text: show every step that was tried")
	return cmd
}

// lookupChunk is how many queries are asked at once.
const lookupChunk = 500

// asker answers queries, each with JSON in the form of [api.Answer].
type asker func(context.Context, []directory.Query) ([]json.RawMessage, error)

func (c *call) lookup(f *lookupFlags) error {
	if err := c.checkLookup(f); err != nil {
		return err
	}
	if f.batch != "" {
		return c.lookupBatch(f)
	}
	p := &lookupPrinter{call: c, flags: f, text: f.text || !f.json && c.terminal(c.stdout)}
	ask, done, err := c.asker(f)
	if err != nil {
		ask = func(context.Context, []directory.Query) ([]json.RawMessage, error) { return nil, err }
		if exitCode(err) == exitUsage {
			return err
		}
	} else {
		defer done()
	}
	if err := p.all(ask, c.args); err != nil {
		return err
	}
	return p.end()
}

func (c *call) checkLookup(f *lookupFlags) error {
	if err := firstError(c.exclusive("json", "text"), c.exclusive("db", "server")); err != nil {
		return err
	}
	if err := known("use", f.use, directory.Uses); err != nil {
		return usage(c.cmd, "%v", err)
	}
	if err := known("class", f.class, directory.IncidentClasses); err != nil {
		return usage(c.cmd, "%v", err)
	}
	if err := c.checkBatch(f); err != nil {
		return err
	}
	if len(c.args) == 0 && f.batch == "" {
		return usage(c.cmd, "QUERY: missing; want an address, domain, AS number, country, team or fingerprint, or --batch")
	}
	return nil
}

// known refuses a word that is not in a vocabulary.
func known(field, word string, vocabulary []string) error {
	if word == "" {
		return nil
	}
	for _, w := range vocabulary {
		if w == word {
			return nil
		}
	}
	want := "one of " + strings.Join(vocabulary, ", ")
	if near := nearest(word, vocabulary); near != "" {
		want = near
	}
	return fmt.Errorf("%s: %w", field, bad(word, "not a word of this vocabulary", want))
}

// asker opens what the flags name.
func (c *call) asker(f *lookupFlags) (asker, func(), error) {
	if f.server != "" {
		s, err := c.newRemote(f)
		return s.ask, func() {}, err
	}
	x, err := c.loadIndex()
	ask := directory.Ask{Viewer: c.operator(), Use: f.use, Class: f.class, Now: c.now()}
	return func(_ context.Context, queries []directory.Query) ([]json.RawMessage, error) {
		answers := make([]json.RawMessage, len(queries))
		var a directory.Answer
		for i, q := range queries {
			x.Lookup(q, ask, &a)
			if a.Status == directory.StatusUnavailable {
				return nil, firstError(a.Err, errors.New("lookup: the index can't be asked"))
			}
			answers[i] = api.AppendAnswer(nil, &a)
		}
		return answers, nil
	}, func() {}, err
}

// loadIndex reads the database. One that some file or variable names does not
// win over --server.
func (c *call) loadIndex() (x *directory.Index, err error) {
	err = c.withStore(func(db *store.DB) error {
		return db.View(c.ctx, func(r directory.Reader) (err error) {
			x, err = directory.LoadIndex(r, directory.IndexOptions{LastResort: c.cfg.LastResort, Policy: c.cfg.Policy})
			return err
		})
	}, store.MustExist)
	return x, err
}

// lookupPrinter prints answers and keeps the worst exit status.
type lookupPrinter struct {
	*call
	flags *lookupFlags
	text  bool
	worst int
	told  bool // that nothing can be asked
}

// all asks in chunks.
func (p *lookupPrinter) all(ask asker, queries []string) error {
	for chunk := range slices.Chunk(queries, lookupChunk) {
		if err := p.chunk(ask, chunk); err != nil {
			return err
		}
	}
	return nil
}

// chunk asks the queries that can be read and prints all in their order.
func (p *lookupPrinter) chunk(ask asker, texts []string) error {
	queries, problems := make([]directory.Query, 0, len(texts)), make([]error, len(texts))
	for i, text := range texts {
		q, err := directory.ParseQuery(text)
		if problems[i] = err; err == nil {
			queries = append(queries, q)
		}
	}
	var answers []json.RawMessage
	var failed error
	if len(queries) > 0 {
		answers, failed = ask(p.ctx, queries)
	}
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	if failed != nil && !p.told {
		p.told = true
		fmt.Fprintln(p.stderr, "rollcall: "+describe(failed))
	}
	n := 0
	for i, text := range texts {
		var err error
		switch {
		case problems[i] != nil:
			fmt.Fprintf(p.stderr, "rollcall: QUERY %q: %v\n", text, problems[i])
			err = p.unanswered(text, "", problems[i], exitUsage)
		case failed != nil:
			err = p.unanswered(text, string(queries[n].Kind), failed, exitNotAsked)
			n++
		default:
			err = p.answer(answers[n])
			n++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unansweredJSON is the object for a query that got no answer. Its status is
// never "none": that would say that somebody was asked.
type unansweredJSON struct {
	Query      string                `json:"query"`
	Kind       string                `json:"kind"`
	Status     directory.Status      `json:"status"`
	Candidates []string              `json:"candidates"`
	Trace      []string              `json:"trace"`
	Error      *format.ReportProblem `json:"error"`
}

func (p *lookupPrinter) unanswered(text, kind string, err error, code int) error {
	p.worst = max(p.worst, code)
	if p.text {
		return nil // stderr says it
	}
	return printJSON(p.stdout, unansweredJSON{text, kind, directory.StatusUnavailable, []string{}, []string{}, format.ReportFrom(directory.ImportReport{}, err).Error})
}

func (p *lookupPrinter) answer(raw json.RawMessage) error {
	var a api.Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return notAsked("the answer can't be read: %w", err)
	}
	if a.Status != string(directory.StatusMatch) {
		p.worst = max(p.worst, exitFailed)
	}
	if !p.text {
		_, err := p.stdout.Write(append(raw[:len(raw):len(raw)], '\n'))
		return err
	}
	return p.ladder(&a)
}

// end returns the exit status as an error.
func (p *lookupPrinter) end() error {
	if p.worst == exitOK {
		return nil
	}
	return &exitError{code: p.worst}
}

// tokenFor returns the token to show to a server.
func (c *call) tokenFor(f *lookupFlags) string {
	if f.token != "" {
		return f.token
	}
	return c.getenv("ROLLCALL_TOKEN")
}
