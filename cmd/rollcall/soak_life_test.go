package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
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
		teams, kills = 600, 6
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

func (l *life) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

// forward moves the clock of all servers. None of them may be at work: else a lease would
// end under it, and a mail go out twice that nobody lost.
func (l *life) forward(d time.Duration) {
	l.t.Helper()
	ahead := l.ahead.Add(int64(d))
	if err := os.WriteFile(l.clock, []byte(time.Duration(ahead).String()), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// leases is more than those of the servers last.
const leases = 10 * time.Second

// startAll starts the servers, once what the last ones had in hand is free again.
func (l *life) startAll() {
	l.forward(leases)
	for i, p := range l.ports {
		args := append(slices.Clone(l.args), "--listen", p[0], "--mail-smtp", p[1], "--mail-lmtp", p[2])
		cmd := exec.Command("later-rollcall", args...)
		cmd.Env = append(os.Environ(), clockFile+"="+l.clock, "SSL_CERT_FILE="+l.hooks.ca)
		l.nodes[i] = l.launch(cmd)
	}
}

// killAll kills one server after the other.
func (l *life) killAll() {
	for i, cmd := range l.nodes {
		if i > 0 {
			<-time.After(time.Duration(rand.IntN(100)) * time.Millisecond) // a kill comes at any moment
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}
	l.kills++
}

// work is how much was done so far, seen from outside.
func (l *life) work() int64 { return l.sink.all.Load() + l.hooks.all.Load() + l.post.taken.Load() }

// strike has the servers begin with what is due, and kills them in the middle of it; where
// nothing is due, as soon as they look for it.
func (l *life) strike() {
	l.t.Helper()
	l.startAll()
	until := l.work() + 1 + rand.Int64N(1+int64(l.teamsN/4)>>rand.IntN(6)) // often early: some days have little to do
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; l.work() < until && (n%50 != 49 || !l.quiet()); n++ {
		<-tick.C
	}
	l.killAll()
	if !l.quiet() {
		l.amid[l.day]++
	}
}

// settle lets the servers do all that is due. Where there are two, one of them may be killed in the midst of it:
// the other goes on, with what the dead one had in hand once its leases are over.
func (l *life) settle(killOne bool) {
	l.t.Helper()
	l.startAll()
	if killOne && len(l.nodes) > 1 {
		before := l.work()
		l.wait("they are at work", func() bool { return l.work() > before || l.quiet() })
		_ = l.nodes[0].Process.Kill()
		_ = l.nodes[0].Wait() // killed
		l.kills++
	}
	for begun := time.Now(); !l.quiet(); <-time.After(10 * time.Millisecond) {
		if time.Since(begun) > 5*time.Minute {
			l.t.Fatalf("what is due is not done after five minutes: %+v, %+v", l.figures(), l.stateNow())
		}
	}
	l.killAll()
}

// over waits for the end of the campaign.
func (l *life) over() {
	l.t.Helper()
	for begun := time.Now(); l.stateNow().State != challenge.CampaignDone; <-time.After(100 * time.Millisecond) {
		if time.Since(begun) < time.Minute {
			continue
		}
		open, err := l.db.ListChallenges(context.Background(), challenge.ListFilter{Campaign: l.running.ID, Open: true, Limit: 3})
		l.t.Fatalf("the campaign is not over after a minute: %+v, with such questions: %+v, %v", l.stateNow(), open, err)
	}
}

// standStill halts the campaign for a day. Whoever halts it is killed in the midst of it, and so are the servers that
// carry on; who resumes it is cut short. Nothing goes out meanwhile.
func (l *life) standStill() {
	l.t.Helper()
	l.startAll()
	moment := func(most int) time.Duration { return time.Duration(1+rand.IntN(most)) * time.Millisecond }
	for l.stateNow().State != challenge.CampaignHalted {
		cmd := exec.Command("later-rollcall", "campaign", "halt", "--db", l.dsn, "--mail-dir", l.call.cfg.Challenge.Dir, string(l.running.ID))
		cmd.Env = append(os.Environ(), clockFile+"="+l.clock)
		if err := cmd.Start(); err != nil {
			l.t.Fatal(err)
		}
		end := time.AfterFunc(moment(2000), func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed, or done before
		end.Stop()
	}
	l.killAll()
	mails := l.sink.count()
	l.forward(24 * time.Hour)
	l.startAll()
	l.wait("the questions know of the halt", l.still)
	l.killAll()
	if n := l.sink.count(); n != mails {
		l.t.Errorf("%d mails went out while the campaign stood still", n-mails)
	}
	for l.stateNow().State != challenge.CampaignRunning {
		ctx, stop := context.WithTimeout(context.Background(), moment(50))
		_, err := l.desk.Steer(ctx, directory.Principal{Name: "op", Role: directory.Operator}, l.running.ID, challenge.MoveResume)
		if stop(); err != nil && ctx.Err() == nil {
			l.t.Fatal(err)
		}
	}
}

func (l *life) stateNow() challenge.Campaign {
	l.t.Helper()
	c, err := l.db.Campaign(context.Background(), l.running.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// quiet reports whether nothing is due, and no mail waits.
func (l *life) quiet() bool {
	l.t.Helper()
	return l.still() && l.figures().Mails == 0
}

// still is quiet but for mails, which wait for the end of a halt.
func (l *life) still() bool {
	l.t.Helper()
	due, err := l.db.DueChallenges(context.Background(), l.now(), 1)
	if err != nil {
		l.t.Fatal(err)
	}
	c := l.stateNow()
	return len(due) == 0 && l.figures().Posts == 0 && l.post.idle() && c.Filled && c.Pending == ""
}

func (l *life) figures() challenge.DeskFigures {
	l.t.Helper()
	f, err := l.db.DeskFigures(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	return f
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
