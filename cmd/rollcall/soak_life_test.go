package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

// clockFile is the variable that names the clock of later-rollcall: a file with how far it
// is ahead of the system's.
const clockFile = "ROLLCALL_TEST_CLOCK"

// laterMain is rollcall itself, by a clock that a test moves while it runs.
func laterMain() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	w := osWorld()
	w.now = func() time.Time {
		text, err := os.ReadFile(os.Getenv(clockFile))
		ahead, err2 := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil || err2 != nil {
			panic(fmt.Sprintf("no clock: %v, %v", err, err2))
		}
		return time.Now().Add(ahead)
	}
	code := w.report(run(ctx, w, os.Args[1:]))
	stop()
	os.Exit(code)
}

// lifePolicy takes a question from the first mail to its end within eight days.
const lifePolicy = `{"policies":[{"name":"life","interval":"1mo","again":"14d","window":"5d","reminders":["1d","3d"],"close":"8d","minimum":2,"kind":"signed",
"ladder":[{"at":"5d","to":"next-contact","flag":"temporarily-unanswered"},{"at":"6d","to":"operator"},{"at":"7d","to":"secretariat","flag":"unreachable"}],
"lasts":{"deliverable":"6mo","answered":"6mo","proven":"6mo","drilled":"6mo"}}],"rules":[{"policy":"life"}]}`

// TestSoakKillLife kills servers through the whole life of a campaign, by a clock that goes
// a day further each time: while first mails, reminders and mails after a bounce go out; while it
// is halted for a day and resumed, by commands that are killed or cut short as well; while replies, bounces and codes come in, some of them twice; while others are asked in place of
// the silent, cases are opened and questions come to their end; and while all of that is posted
// to a webhook. On PostgreSQL two servers work at once. In the end every question has come to
// the end that its contact made for it, with one mail for each step and one item of evidence
// for each proof, and the webhook was told of every change.
func TestSoakKillLife(t *testing.T) {
	teams, kills := 24, 1
	if soaking() {
		teams, kills = 670, 6 // 1,000 contacts with those that are asked in place of the silent
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			nodes := 1
			if e.Name == "postgres" {
				nodes = 2
			}
			l := newLife(t, e, teams, nodes)
			l.forward(2 * time.Hour)
			for l.day = 0; l.day < 17; l.day++ {
				if l.day == 2 {
					l.standStill()
				}
				for range kills {
					l.strike()
				}
				l.settle(l.day < 2 || soaking())
				l.forward(24 * time.Hour)
			}
			l.settle(false)
			l.startAll()
			l.over()
			if l.check(); len(l.amid) == 0 {
				t.Error("no kill came in the middle of something")
			}
			for _, day := range []int{0, 1, 3, 5, 8} { // asking, reminding and answering, reminding again, others in their place, the end
				if soaking() && l.amid[day] == 0 {
					t.Errorf("no kill came in the middle of day %d: %v", day, l.amid)
				}
			}
		})
	}
}

// life is a campaign that lives through kills.
type life struct {
	*officeFaults
	teamsN  int
	nodes   []*exec.Cmd
	ports   [][]string // of each node: HTTP, SMTP, LMTP
	running challenge.Campaign
	key     *openpgp.Entity
	ahead   atomic.Int64 // time.Duration
	clock   string
	kills   int
	day     int
	amid    map[int]int // kills that left something undone, by day
	post    *postman
	hooks   *hookSite
	hook    challenge.Hook
}

func newLife(t *testing.T, e storetest.Engine, teams, nodes int) *life {
	t.Helper()
	l := &life{officeFaults: newOfficeFaults(t, e, 0), teamsN: teams, hooks: newHookSite(t), amid: map[int]int{}, nodes: make([]*exec.Cmd, nodes)}
	dir := t.TempDir()
	l.clock = filepath.Join(dir, "clock")
	policies := filepath.Join(dir, "policies.json")
	if err := os.WriteFile(policies, []byte(lifePolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	l.forward(0)
	for range nodes {
		l.ports = append(l.ports, []string{mailtest.FreePort(t), mailtest.FreePort(t), mailtest.FreePort(t)})
	}
	var key directory.Key
	l.key, key = teamKey(t)
	l.post = newPostman(l, dir)
	l.sink.hear = l.post.hear
	l.args = append(l.args, "--challenge-policies", policies, "--mail-maildir", l.post.maildir, "--mail-peer-rate", "0",
		"--verify-resolvers", l.hooks.resolver, "--verify-proxy", l.hooks.proxy, "--verify-allow", "127.80.0.0/16")
	l.pairs(teams, directory.TeamKey{Key: key})
	l.begin(policies)
	return l
}

// pairs are teams of two contacts, of which the campaign asks the first.
func (l *life) pairs(n int, key directory.TeamKey) {
	l.t.Helper()
	records := make([]directory.Record, n)
	for i := range records {
		records[i] = storetest.Small(i)
		records[i].Own.Hours, records[i].Own.Keys = directory.Hours{Always: true}, []directory.TeamKey{key}
		for k, use := range []string{"emergency", "abuse"} {
			records[i].Own.Contacts = append(records[i].Own.Contacts, directory.Contact{ID: contactOf(i, k), Revision: 1, Channel: "email",
				Value: fmt.Sprintf("%s@team%d.example", use, i), Uses: []directory.Word{use}, Vouched: true})
		}
	}
	storetest.Write(l.t, l.db, records...)
}

func contactOf(team, n int) directory.ContactID {
	return directory.ContactID(fmt.Sprintf("0000000%d-0000-4000-8000-%012d", n, team))
}

// begin starts the campaign, and subscribes to what becomes of it.
func (l *life) begin(policies string) {
	l.t.Helper()
	l.call.cfg.Challenge.Policies, l.call.now = policies, l.now
	follower, err := l.call.newFollower(l.db)
	if err == nil {
		l.desk, err = l.call.newDesk(officeParts{store: l.db, index: follower.Index}, nil)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	operator := directory.Principal{Name: "op", Role: directory.Operator}
	if l.hook, _, err = l.desk.AddHook(l.t.Context(), operator, challenge.HookTerms{URL: "https://hooks.example/events", Active: true}); err != nil {
		l.t.Fatal(err)
	}
	now := time.Now()
	l.running, err = l.desk.PlanCampaign(l.t.Context(), operator, challenge.Campaign{Name: "Life", Scope: challenge.Scope{Uses: []directory.Word{"emergency"}}, From: now, To: now.Add(time.Hour)})
	if err == nil {
		err = l.db.Challenges(l.t.Context(), func(tx challenge.Tx) error {
			l.running.State = challenge.CampaignRunning
			return tx.PutCampaign(l.running)
		})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// habit is what a contact does about a mail.
type habit string

const (
	answersSMTP habit = "answers by SMTP, and the mail comes twice"
	answersLMTP habit = "answers by LMTP"
	reminded    habit = "answers the first reminder, into a Maildir"
	bounces     habit = "comes back each time, and the report comes twice"
	away        habit = "an automatic reply, and silence"
	silent      habit = "silence"
	types       habit = "types the code on the page"
)

// habitOf is that of a mailbox of pairs.
func habitOf(address string) habit {
	var team int
	name, domain, _ := strings.Cut(address, "@")
	if _, err := fmt.Sscanf(domain, "team%d.example", &team); err != nil {
		return ""
	}
	if name == "abuse" { // who is asked in place of a silent one
		return []habit{types, silent}[team/6%2]
	}
	return []habit{answersSMTP, answersLMTP, reminded, bounces, away, silent}[team%6]
}
