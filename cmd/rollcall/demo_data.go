package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// demoFiles are the invented teams, their keys, and reference data for the
// address space that RFC 5737 and RFC 3849 keep for examples.
//
//go:embed demo
var demoFiles embed.FS

// demoTeam is one line of demo/teams.ndjson.
type demoTeam struct {
	Handle    string          `json:"handle"`
	Profile   json.RawMessage `json:"profile"`
	Keys      []string        `json:"keys"`     // files in demo
	Evidence  []demoEvidence  `json:"evidence"` // of its contacts
	Source    string          `json:"source"`   // imported from there; "": entered by the team
	AsOf      directory.Date  `json:"as_of"`
	MergeInto string          `json:"merge_into"`
	Deleted   bool            `json:"deleted"`
}

type demoEvidence struct {
	Contact string `json:"contact"` // its value
	Level   int    `json:"level"`
	DaysAgo int    `json:"days_ago"`
	Method  string `json:"method"`
	Outcome string `json:"outcome"`
	Note    string `json:"note"`
}

// fillDemo loads the invented teams through the door and returns a token.
func (c *call) fillDemo(s *server) (token string, err error) {
	text, err := demoFiles.ReadFile("demo/teams.ndjson")
	if err != nil {
		return "", err
	}
	var list []demoTeam
	for line := range bytes.Lines(text) {
		var t demoTeam
		if err := json.Unmarshal(line, &t); err != nil {
			return "", fmt.Errorf("demo: %w", err)
		}
		list = append(list, t)
	}
	if err := c.demoReference(s.door); err != nil {
		return "", err
	}
	if err := c.demoImport(s.door, list); err != nil {
		return "", err
	}
	for i := range list {
		if err := c.demoCreate(s.door, &list[i]); err != nil {
			return "", fmt.Errorf("demo team %s: %w", list[i].Handle, err)
		}
	}
	token, _, err = s.door.CreateToken(c.ctx, c.operator(), directory.TokenSpec{Name: "demo", Role: directory.Consumer})
	return token, err
}

func (c *call) demoReference(d *directory.Directory) error {
	for _, name := range []string{"prefix-country", "prefix-asn"} {
		text, err := demoFiles.ReadFile("demo/" + name + ".csv")
		if err != nil {
			return err
		}
		from, _ := format.ImporterNamed(name)
		opt := directory.ImportOptions{Source: "invented", Format: name, AsOf: c.ago(7)}
		if _, err := from.Import(c.ctx, d, c.operator(), opt, bytes.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// demoImport imports the teams that only a list of others knows.
func (c *call) demoImport(d *directory.Directory, list []demoTeam) error {
	var opt directory.ImportOptions
	items := func(yield func(directory.ImportItem) bool) {
		for i, t := range list {
			if t.Source == "" {
				continue
			}
			p, err := t.profile()
			item := directory.ImportItem{Fatal: err}
			if err == nil {
				item.Record = &directory.SourceRecord{Row: i + 1, Key: t.Handle, Handle: directory.Handle(t.Handle), Profile: p, AsOf: t.AsOf.Time()}
			}
			if !yield(item) || err != nil {
				return
			}
		}
	}
	opt.Source, opt.Format = "port-list", "demo"
	_, err := d.Import(c.ctx, c.operator(), opt, items)
	return err
}

// profile reads what the file says about a team.
func (t *demoTeam) profile() (directory.Profile, error) {
	p, problems := format.ReadProfile(t.Profile)
	if len(problems) > 0 {
		return p, problems[0]
	}
	for _, name := range t.Keys {
		armor, err := demoFiles.ReadFile("demo/" + name)
		if err != nil {
			return p, err
		}
		k, _, err := directory.ParseKey(armor)
		if err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
		p.Keys = append(p.Keys, directory.TeamKey{Key: k})
	}
	return p, nil
}

func (c *call) demoCreate(d *directory.Directory, t *demoTeam) error {
	p, err := t.profile()
	if err != nil {
		return err
	}
	if t.Source == "" {
		if _, err = d.Create(c.ctx, c.operator(), directory.NewTeam{Handle: directory.Handle(t.Handle), Profile: p}); err != nil {
			return err
		}
	}
	for _, e := range t.Evidence {
		if err := c.demoProve(d, t.Handle, e); err != nil {
			return err
		}
	}
	switch {
	case t.MergeInto != "":
		_, err = d.Merge(c.ctx, c.operator(), t.Handle, t.MergeInto, directory.AnyRevision)
	case t.Deleted:
		err = d.Delete(c.ctx, c.operator(), t.Handle, directory.AnyRevision)
	}
	return err
}

func (c *call) demoProve(d *directory.Directory, handle string, e demoEvidence) error {
	t, err := d.Team(c.ctx, c.operator(), handle)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(t.Contacts, func(x directory.Contact) bool { return x.Value == e.Contact })
	if i < 0 {
		return fmt.Errorf("evidence about %s, which is no contact", e.Contact)
	}
	_, err = d.RecordEvidence(c.ctx, c.operator(), handle, directory.Evidence{
		Contact: t.Contacts[i].ID, Level: directory.Level(e.Level), Outcome: directory.Outcome(e.Outcome),
		Method: e.Method, At: c.ago(e.DaysAgo), Note: e.Note,
	})
	return err
}
