package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// SourceReport says where the places differ in which a team is published.
type SourceReport struct {
	Team     TeamRef          `json:"team" doc:"The team"`
	At       time.Time        `json:"at" format:"date-time" doc:"The moment of which this is the state"`
	Agree    bool             `json:"agree" doc:"Nothing is to be corrected anywhere"`
	Compared []ComparedSource `json:"compared" doc:"What at least two places speak of: contacts first, then the keys of each address; empty where there is nothing to compare"`
}

// ComparedSource is one aspect that several places speak of.
type ComparedSource struct {
	Aspect     string            `json:"aspect" enum:"contacts,keys" doc:"What is compared" example:"contacts"`
	Subject    string            `json:"subject,omitzero" doc:"Of keys: the address whose keys they are" example:"csirt@example.org"`
	Newest     string            `json:"newest" doc:"The source whose statement is the newest; empty where nothing says how old one is" example:"securitytxt"`
	Best       string            `json:"best" doc:"The source whose statement is the best proven: what answered, what is signed, what most others say" example:"profile"`
	Statements []SourceStatement `json:"statements" doc:"What each place says"`
	Findings   []Finding         `json:"findings" doc:"What is to be corrected: subject is the place, evidence what it says, corrected what the best source says"`
}

// SourceStatement is what one place says.
type SourceStatement struct {
	Source string    `json:"source" doc:"profile, securitytxt, dnssecuritytxt, caa-iodef, wkd, openpgpkey, vks, or import: and the name of the source" example:"securitytxt"`
	Where  string    `json:"where,omitzero" doc:"URL or DNS name" example:"https://example.org/.well-known/security.txt"`
	Values []string  `json:"values" doc:"Contacts as URIs, or fingerprints" example:"[\"mailto:csirt@example.org\"]"`
	At     time.Time `json:"at,omitzero" format:"date-time" doc:"Since when it says so, as far as is known: when it was entered, the day that the source says it is of, when checks first saw what had not been there before, when a valid signature or a key was made"`
	Seen   time.Time `json:"seen,omitzero" format:"date-time" doc:"When a check last read it"`
	Level  int       `json:"level" minimum:"0" maximum:"4" doc:"The most that was proven about one of the values" example:"2"`
	Signed bool      `json:"signed,omitzero" doc:"Signed by a key that the directory holds for the team"`
	Agrees int       `json:"agrees" minimum:"0" doc:"Other places that say one of the same values" example:"1"`
}

// Disagreements are teams that are published in places that differ.
type Disagreements struct {
	Teams []SourceReport `json:"teams" doc:"Those teams of which something is to be corrected, in the order of handles; a page may be short or empty"`
	Next  string         `json:"next,omitzero" doc:"What to send as after for the next page; absent when all teams were looked at" example:"aGFuZGxlAABleGFtcGxlLWNzaXJ0"`
}

type (
	sourcesInput struct {
		ID string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	}
	sourcesOutput      struct{ Body SourceReport }
	disagreementsInput struct {
		After string `query:"after" maxLength:"2048" doc:"The next of the page before; it means nothing to anybody else" example:"aGFuZGxlAABleGFtcGxlLWNzaXJ0"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Teams on a page at most" example:"20"`
	}
	disagreementsOutput struct{ Body Disagreements }
)

func exampleSources() SourceReport {
	p := shipped().byCode["sources.contacts-differ"]
	f := p.Find("mailto:old@example.org").On("securitytxt https://example.org/.well-known/security.txt").Right("mailto:csirt@example.org")
	return SourceReport{Team: exampleRef(), At: exampleDay(), Compared: []ComparedSource{{
		Aspect: "contacts", Newest: "securitytxt", Best: "profile", Findings: []Finding{shipped().finding(&f)},
		Statements: []SourceStatement{
			{Source: "profile", Values: []string{"mailto:csirt@example.org"}, At: exampleDay().AddDate(-1, 0, 0), Level: 2},
			{Source: "securitytxt", Where: "https://example.org/.well-known/security.txt", Values: []string{"mailto:old@example.org"}, At: exampleDay().AddDate(0, 0, -7), Seen: exampleDay()},
		}}}}
}

func (s *Server) registerSources() {
	register(s, spec{id: "compare-sources", method: http.MethodGet, path: "/v1/teams/{id}/verification/sources", tag: "verification", access: public,
		summary: "Compare the places in which a team is published",
		more: "The profile, imported lists, security.txt, _security records and the iodef of CAA records, by contacts; the profile, imported lists, Web Key Directory, key servers that verify, OPENPGPKEY records and Encryption of security.txt, by the keys of each address. " +
			"It says which place is the newest, which the best proven, and what is to be corrected where.",
		errors: []int{notFound}, answer: exampleSources()}, s.compareSources)
	register(s, spec{id: "list-disagreements", method: http.MethodGet, path: "/v1/verification/sources", tag: "verification", access: public,
		summary: "List teams that are published in places that differ",
		more:    "The reports of compare-sources that have something to correct, for all teams.",
		answer:  Disagreements{Teams: []SourceReport{exampleSources()}, Next: "aGFuZGxlAABleGFtcGxlLWNzaXJ0"}}, s.listDisagreements)
}

func (s *Server) compareSources(ctx context.Context, in *sourcesInput) (*sourcesOutput, error) {
	k, err := s.known(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	report, err := s.sourceReport(ctx, &k)
	return &sourcesOutput{report}, err
}

// sourceReport compares what is known of one team.
func (s *Server) sourceReport(ctx context.Context, k *known) (SourceReport, error) {
	layers, err := s.cfg.Directory.Layers(ctx, callFrom(ctx).viewer, string(k.team.ID))
	if err != nil {
		return SourceReport{}, err
	}
	now := s.cfg.Now().UTC()
	list := verify.CompareSources(verify.SourcesAsk{Team: &k.team, Layers: verify.LayersOf(layers), Known: k.list, Policy: s.cfg.Policy, Now: now})
	out := SourceReport{Team: refOf(&k.team), At: now, Agree: !verify.Differ(list), Compared: []ComparedSource{}}
	for i := range list {
		out.Compared = append(out.Compared, s.comparedSource(&list[i]))
	}
	return out, nil
}

func (s *Server) comparedSource(c *verify.SourceComparison) ComparedSource {
	out := ComparedSource{Aspect: string(c.Aspect), Subject: c.Subject, Newest: c.Newest, Best: c.Best, Statements: []SourceStatement{}, Findings: []Finding{}}
	for _, st := range c.Statements {
		out.Statements = append(out.Statements, SourceStatement{Source: st.Source, Where: st.Where, Values: st.Values, At: instantOf(st.At), Seen: instantOf(st.Seen), Level: int(st.Level), Signed: st.Signed, Agrees: st.Agrees})
	}
	for i := range c.Findings {
		out.Findings = append(out.Findings, s.table.finding(&c.Findings[i]))
	}
	return out
}

// disagreementSteps is how many teams are looked at for one page.
const disagreementSteps = 1000

func (s *Server) listDisagreements(ctx context.Context, in *disagreementsInput) (*disagreementsOutput, error) {
	x := s.cfg.Index()
	if x == nil {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "compare sources", Problems: []directory.Problem{{Code: "server.unavailable", Reason: "the index is not there yet"}}}
	}
	l := directory.List{Viewer: callFrom(ctx).viewer, Limit: disagreementSteps + 1, Sort: directory.ByHandle, Now: s.cfg.Now()}
	if in.After != "" {
		var err error
		if l.After, err = parseCursor(in.After, l.Sort); err != nil {
			return nil, inParameter("after", err)
		}
	}
	out := &disagreementsOutput{Disagreements{Teams: []SourceReport{}}}
	teams := x.List(l)
	for i, t := range teams {
		if i == disagreementSteps || len(out.Body.Teams) == in.Limit {
			out.Body.Next = cursor(l.Sort, x.Position(teams[i-1], l.Sort))
			break
		}
		if len(t.Checks) == 0 && len(t.Sources) < 2 {
			continue // nothing speaks of it but itself
		}
		k, err := s.known(ctx, string(t.ID))
		if directory.KindOf(err) == directory.NotFound {
			continue // it went while the page was made
		}
		if err != nil {
			return nil, err
		}
		report, err := s.sourceReport(ctx, &k)
		switch {
		case directory.KindOf(err) == directory.NotFound:
		case err != nil:
			return nil, err
		case !report.Agree:
			out.Body.Teams = append(out.Body.Teams, report)
		}
	}
	return out, nil
}
