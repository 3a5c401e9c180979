package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	apiclient "github.com/rollcall-csirt/rollcall/api/client"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

const searchLong = `Search finds teams by words in their handles, names, host organisations,
constituency, domains and RFC 2350 prose. All words must be there; a word finds
those that begin with it; words in quotation marks are found as they stand,
next to each other. Accents and case are no matter. It asks a database (--db) or
a running server (--server).

Names count most, then the host organisation, the constituency, and prose. Where
no name fits, teams whose names look like the search follow, marked with a
question mark: candidates, of which none is chosen. On a terminal the answer is
text, else JSON in exactly the form of the API.

A database shows everything, as whoever can read the file may. A server shows
what the token (ROLLCALL_TOKEN, or --token, which others on the machine can see)
may see, and finds nothing else.

Exit status: 0 found; 1 nothing, or only names that look like it; 2 wrong usage;
3 could not ask.`

const searchExample = `  rollcall search --db teams.db cert bund
  rollcall search --db teams.db --country AT --sector energy incident
  rollcall search --server https://rollcall.example.org '"traffic light protocol"'
  rollcall search --db teams.db --json university | jq -r '.hits[].team.handle'`

// searchFlags are the flags of rollcall search.
type searchFlags struct {
	server, token, country, sector, kind, forum, state, after string
	limit                                                     int
	json, text                                                bool
}

func searchCommand(w world) *cobra.Command {
	f := &searchFlags{}
	cmd := &cobra.Command{
		Use: "search QUERY...", Short: "Find teams by words in their names and descriptions",
		Long: searchLong, Example: searchExample, Args: cobra.ArbitraryArgs,
		RunE:              w.action(func(c *call) error { return c.search(f) }),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	keyFlags(cmd.Flags(), "db", "policy_lasts", "policy_grace")
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "", "`URL` of a server to ask instead of a database")
	flags.StringVar(&f.token, "token", "", "`TOKEN` for the server (ROLLCALL_TOKEN)")
	flags.StringVar(&f.country, "country", "", "only teams of the country with this `CODE`")
	flags.StringVar(&f.sector, "sector", "", "only teams with this `SECTOR`: "+strings.Join(directory.Sectors, ", "))
	flags.StringVar(&f.kind, "kind", "", "only teams of this `KIND`: "+strings.Join(directory.Kinds, ", "))
	flags.StringVar(&f.forum, "forum", "", "only present members of the `FORUM` with this handle")
	flags.StringVar(&f.state, "state", "", "only teams with a contact whose proof is in this `STATE`: "+strings.Join(proofStates(), ", "))
	flags.IntVar(&f.limit, "limit", 20, "at most `N` hits, 1 to 100")
	flags.StringVar(&f.after, "after", "", "go on behind `PLACE`, the next of the answer before")
	flags.BoolVar(&f.json, "json", false, "print JSON also on a terminal")
	flags.BoolVar(&f.text, "text", false, "print text also where the output is not a terminal")
	return cmd
}

func proofStates() []string {
	var list []string
	for _, s := range []directory.State{directory.Verified, directory.Due, directory.Overdue, directory.Unverified, directory.Disputed, directory.Failed} {
		list = append(list, string(s))
	}
	return list
}

func (c *call) search(f *searchFlags) error {
	q, ask, err := c.searchAsk(f)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if f.server != "" {
		raw, err = c.searchServer(f)
	} else {
		raw, err = c.searchStore(q, ask)
	}
	if err != nil {
		return err
	}
	var a api.SearchAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return notAsked("the answer can't be read: %w", err)
	}
	if f.text || !f.json && c.terminal(c.stdout) {
		err = c.printHits(&a)
	} else {
		_, err = c.stdout.Write(append(raw, '\n'))
	}
	if err == nil && !slices.ContainsFunc(a.Hits, func(h api.SearchHit) bool { return h.Exactness != string(directory.NearName) }) {
		return &exitError{code: exitFailed}
	}
	return err
}

// searchAsk checks what the flags and arguments say.
func (c *call) searchAsk(f *searchFlags) (q directory.SearchQuery, ask directory.SearchAsk, err error) {
	wrong := func(field string, err error) error { return usage(c.cmd, "%s: %v", field, err) }
	if err := firstError(c.exclusive("json", "text"), c.exclusive("db", "server")); err != nil {
		return q, ask, err
	}
	for _, word := range []struct {
		field, value string
		vocabulary   []string
	}{{"sector", f.sector, directory.Sectors}, {"kind", f.kind, directory.Kinds}, {"state", f.state, proofStates()}} {
		if err := known(word.field, word.value, word.vocabulary); err != nil {
			return q, ask, usage(c.cmd, "%v", err)
		}
	}
	ask = directory.SearchAsk{Viewer: c.operator(), Now: c.now(), Limit: f.limit, Filter: directory.Filter{Sector: f.sector, Kind: f.kind, State: directory.State(f.state)}}
	if f.limit < 1 || f.limit > 100 {
		return q, ask, wrong("limit", bad(strconv.Itoa(f.limit), "not a number of hits", "1 to 100"))
	}
	if f.country != "" {
		if ask.Filter.Country, err = directory.ParseCountry(f.country); err != nil {
			return q, ask, wrong("country", err)
		}
	}
	if f.forum != "" {
		h, err := directory.ParseHandle(f.forum)
		if err != nil {
			return q, ask, wrong("forum", err)
		}
		ask.Filter.Forum = string(h)
	}
	if ask.After, err = directory.ParseSearchCursor(f.after); err != nil {
		return q, ask, wrong("after", err)
	}
	if q, err = directory.ParseSearch(strings.Join(c.args, " ")); err != nil {
		return q, ask, wrong("QUERY", err)
	}
	return q, ask, nil
}

// searchStore searches a database, as its operator.
func (c *call) searchStore(q directory.SearchQuery, ask directory.SearchAsk) (json.RawMessage, error) {
	var x *directory.Index
	err := c.withStore(func(db *store.DB) error {
		return db.View(c.ctx, func(r directory.Reader) (err error) {
			x, err = directory.LoadIndex(r, directory.IndexOptions{Policy: c.cfg.Policy})
			return err
		})
	}, store.MustExist)
	if err != nil {
		return nil, err
	}
	r, err := x.Search(q, ask)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(api.SearchAnswerFrom(q, r))
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n")), err
}

func (c *call) searchServer(f *searchFlags) (json.RawMessage, error) {
	server, err := c.newRemote(&lookupFlags{server: f.server, token: f.token})
	if err != nil {
		return nil, err
	}
	answer, err := server.client.SearchWithResponse(c.ctx, &apiclient.SearchParams{
		Q: strings.Join(c.args, " "), Country: f.country, Sector: apiclient.SearchParamsSector(f.sector), Kind: apiclient.SearchParamsKind(f.kind),
		Forum: f.forum, State: apiclient.SearchParamsState(f.state), Limit: int64(f.limit), After: f.after,
	})
	if err != nil {
		return nil, server.unreachable(err)
	}
	return bytes.TrimSpace(answer.Body), server.check(answer.HTTPResponse, answer.Body)
}

// printHits prints a page for people.
func (c *call) printHits(a *api.SearchAnswer) error {
	var b strings.Builder
	paint := painter(c.colour(c.stdout))
	fmt.Fprintf(&b, "%s: %s\n", paint(bold, plain(a.Query)), foundWords(a))
	for i := range a.Hits {
		printHit(&b, paint, &a.Hits[i])
	}
	if a.Next != "" {
		fmt.Fprintf(&b, "  more: --after %s\n", plain(a.Next))
	}
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

// foundWords says how a search ended.
func foundWords(a *api.SearchAnswer) string {
	switch {
	case a.Total == 0:
		return "nothing found"
	case len(a.Hits) > 0 && a.Hits[0].Exactness == string(directory.NearName):
		return "nothing found; these names look like it"
	case a.Total == 1:
		return "1 team"
	}
	return fmt.Sprintf("%d teams", a.Total)
}

func printHit(b *strings.Builder, paint func(string, string) string, h *api.SearchHit) {
	mark := " "
	if h.Exactness == string(directory.NearName) {
		mark = "?" // not decided
	}
	where := []string{h.Team.Handle}
	for _, more := range []string{h.Country, h.Host} {
		if more != "" {
			where = append(where, more)
		}
	}
	fmt.Fprintf(b, "%s %s (%s)  %s %.2f\n", mark, paint(bold, plain(h.Team.Name)), plain(strings.Join(where, ", ")), plain(h.Exactness), h.Score)
	for _, m := range h.Matches {
		fmt.Fprintf(b, "    %s: %s\n", plain(strings.TrimPrefix(m.Field, "/")), marked(paint, &m))
	}
}

// marked is the text of a match with what was found in it painted. Marks that
// make no sense are left out: the answer may come from a server that is not ours.
func marked(paint func(string, string) string, m *api.SearchMatch) string {
	var b strings.Builder
	text, at := []rune(m.Text), 0
	for _, mark := range m.Marks {
		if len(mark) != 2 || mark[0] < at || mark[1] < mark[0] || mark[1] > len(text) {
			continue
		}
		b.WriteString(plain(string(text[at:mark[0]])) + paint(bold, plain(string(text[mark[0]:mark[1]]))))
		at = mark[1]
	}
	return b.String() + plain(string(text[at:]))
}
