package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// fate is how a question of a habit is to end.
type fate struct {
	state   challenge.State
	outcome challenge.Outcome
	reached directory.Level
	steps   string // of its mails
	proofs  string // methods of its evidence
	cases   string
}

// fates are those of who is asked by the campaign, and of who is asked in their place.
var fates = map[habit]fate{
	answersSMTP: {challenge.StateAnswered, "", directory.Proven, "first", "challenge.signed", ""},
	answersLMTP: {challenge.StateAnswered, "", directory.Proven, "first", "challenge.signed", ""},
	reminded:    {challenge.StateAnswered, "", directory.Proven, "first reminder-1", "challenge.signed", ""},
	bounces:     {challenge.StateClosed, challenge.OutcomeUndeliverable, directory.Listed, "again first", "challenge.bounced", "call unreachable"},
	away:        {challenge.StateClosed, challenge.OutcomeUnanswered, directory.Deliverable, "first reminder-1 reminder-2", "challenge.accepted", "call unreachable"},
	silent:      {challenge.StateClosed, challenge.OutcomeUnanswered, directory.Deliverable, "first reminder-1 reminder-2", "challenge.accepted", "call unreachable"},
	types:       {challenge.StateAnswered, "", directory.Answered, "first", "challenge.code", ""},
}

// check wants every question to have come to its end, and everything to have been done once.
func (l *life) check() {
	l.t.Helper()
	list, err := l.db.ListChallenges(context.Background(), challenge.ListFilter{Campaign: l.running.ID, Limit: 10 * l.teamsN})
	if err != nil {
		l.t.Fatal(err)
	}
	want := 0
	for i := range l.teamsN {
		if want++; i%6 >= 3 { // others are asked in place of the silent
			want++
		}
	}
	if len(list) != want {
		l.t.Errorf("%d questions, want %d", len(list), want)
	}
	l.ended(list)
	l.mailed(list)
	l.told(list)
	l.reported(list)
	if err := l.db.Check(context.Background()); err != nil {
		l.t.Error(err)
	}
}

// ended wants each question to have ended as its contact made it.
func (l *life) ended(list []challenge.Challenge) {
	l.t.Helper()
	cases := map[challenge.ID][]string{}
	open, err := l.db.ListCases(context.Background(), challenge.CaseFilter{Limit: 10 * len(list)})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range open {
		cases[c.Challenge] = append(cases[c.Challenge], string(c.Kind))
	}
	evidence := l.evidence()
	for i := range list {
		c := &list[i]
		got := fate{c.State, c.Outcome, c.Reached, "", strings.Join(slices.Sorted(slices.Values(evidence[c.Contact])), " "), strings.Join(slices.Sorted(slices.Values(cases[c.ID])), " ")}
		var steps []string
		for _, p := range c.Postings {
			steps = append(steps, p.Step)
			if p.Accepted.IsZero() && c.State != challenge.StateAnswered { // else the answer was quicker than the note of it, and a kill came between
				l.t.Errorf("%s: nobody noted that the relay took %s", c.Address, p.Step)
			}
		}
		got.steps = strings.Join(slices.Sorted(slices.Values(steps)), " ")
		if h := habitOf(c.Address); got != fates[h] {
			l.t.Errorf("%s (%s): it ended as %+v, want %+v", c.Address, h, got, fates[h])
		}
		if h := habitOf(c.Address); h == bounces && len(c.Bounces) != 2 || h == away && c.Auto.IsZero() {
			l.t.Errorf("%s (%s): %d bounces, an automatic reply at %s", c.Address, h, len(c.Bounces), c.Auto)
		}
	}
}

// evidence is what is known of each contact, by method: twice where it was written twice.
func (l *life) evidence() map[directory.ContactID][]string {
	l.t.Helper()
	out := map[directory.ContactID][]string{}
	err := l.db.View(context.Background(), func(r directory.Reader) error {
		records, err := r.Teams(directory.TeamFilter{})
		for i := range records {
			for _, e := range records[i].Evidence {
				out[e.Contact] = append(out[e.Contact], e.Method)
			}
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// mailed wants one mail for each step of each question, and no other. What was handed over
// again was in hand when a server was killed, and is the same mail.
func (l *life) mailed(list []challenge.Challenge) {
	l.t.Helper()
	asked, got := map[string]int{}, map[string]int{}
	for i := range list {
		for _, p := range list[i].Postings {
			asked[fmt.Sprintf("%s %s-%s", list[i].Address, list[i].ID, p.Step)]++
		}
	}
	again := 0
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	for to, ids := range l.sink.mail {
		for id, n := range ids {
			m := letterOf.FindStringSubmatch(id)
			got[to+" "+m[1]+"-"+m[2]]++
			again += n - 1
		}
	}
	if d := cmp.Diff(asked, got); d != "" {
		l.t.Errorf("mails that were asked for (-) and that the relay has (+), by message id:\n%s", d)
	}
	if most := l.kills * len(l.nodes) * senders; again > most {
		l.t.Errorf("%d mails were handed over again, want %d at most", again, most)
	}
	l.t.Logf("%d questions, %d mails, %d of them again, after %d kills of %d servers; in the middle of something, by day: %v", len(list), len(got), again, l.kills, len(l.nodes), l.amid)
}

// told wants an event for each change of state that the questions' logs have, each posted under
// one id with one body, for the first time in order; again only after a kill.
func (l *life) told(list []challenge.Challenge) {
	l.t.Helper()
	ctx := context.Background()
	logged, noticed := map[challenge.ID][]string{}, map[challenge.ID][]string{}
	for i := range list {
		lines, err := l.db.ChallengeLog(ctx, list[i].ID)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, line := range lines {
			for _, effect := range line.Effects {
				if to, ok := strings.CutPrefix(effect, "announce:"); ok {
					logged[list[i].ID] = append(logged[list[i].ID], to)
				}
			}
		}
	}
	notices, err := l.db.Notices(ctx, challenge.NoticeFilter{Limit: 100 * len(list)})
	if err != nil {
		l.t.Fatal(err)
	}
	l.hooks.mu.Lock()
	defer l.hooks.mu.Unlock()
	var order []string
	again := 0
	for _, n := range notices {
		noticed[n.Challenge] = append(noticed[n.Challenge], string(n.To))
		id := fmt.Sprintf("%s-%d", l.hook.ID, n.Number)
		order = append(order, id)
		bodies := l.hooks.got[id]
		again += max(0, len(bodies)-1)
		if len(slices.Compact(slices.Clone(bodies))) != 1 || !strings.Contains(bodies[0], n.ID) {
			l.t.Errorf("event %d was posted as %q", n.Number, bodies)
		}
	}
	if d := cmp.Diff(logged, noticed); d != "" {
		l.t.Errorf("changes of state (-) and events (+):\n%s", d)
	}
	if !slices.Equal(order, l.hooks.order) {
		l.t.Errorf("%d events were posted, or in another order; want %d", len(l.hooks.order), len(order))
	}
	if most := l.kills * len(l.nodes); again > most {
		l.t.Errorf("%d events were posted again, want %d at most", again, most)
	}
	l.t.Logf("%d events, %d posted again", len(order), again)
}

// reported wants the figures of the campaign to add up.
func (l *life) reported(list []challenge.Challenge) {
	l.t.Helper()
	r, err := l.desk.Report(context.Background(), directory.Principal{Name: "op", Role: directory.Operator}, l.running.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	states, outcomes, steps, taken := map[challenge.State]int{}, map[challenge.Outcome]int{}, 0, 0
	for i := range list {
		states[list[i].State]++
		if list[i].Outcome != "" {
			outcomes[list[i].Outcome]++
		}
		for _, p := range list[i].Postings {
			steps++
			if !p.Accepted.IsZero() {
				taken++
			}
		}
	}
	p := r.Progress
	if p.Total != len(list) || p.Over != len(list) || p.Asked != len(list) || p.Mails != steps || p.Accepted != taken {
		l.t.Errorf("progress %+v of %d questions with %d mails", p, len(list), steps)
	}
	if !maps.Equal(p.States, states) || !maps.Equal(p.Outcomes, outcomes) {
		l.t.Errorf("states %v and outcomes %v, want %v and %v", p.States, p.Outcomes, states, outcomes)
	}
	all := r.Groups[0]
	levels := 0
	for _, n := range all.Levels {
		levels += n
	}
	if all.Teams != l.teamsN || all.Asked != len(list) || all.Answered != states[challenge.StateAnswered] || levels != len(list) || all.Human.Count != all.Answered {
		l.t.Errorf("%d teams, %d asked, %d answered, %d levels, %d people; want %d, %d, %d", all.Teams, all.Asked, all.Answered, levels, all.Human.Count, l.teamsN, len(list), states[challenge.StateAnswered])
	}
}
