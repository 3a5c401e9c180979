package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

var messageID = regexp.MustCompile(`(?mi)^Message-ID: (\S+)`)

// sink is a relay that counts what it is given: mails by recipient and message id.
type sink struct {
	mu   sync.Mutex
	mail map[string]map[string]int
	all  atomic.Int64
	hear func(mail.Envelope) // each mail, after it was counted; nil: nobody does
}

func (s *sink) take(_ context.Context, env mail.Envelope) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := messageID.FindSubmatch(env.Raw)
	if id == nil {
		return mail.ErrNotOurs
	}
	if s.mail[env.To[0]] == nil {
		s.mail[env.To[0]] = map[string]int{}
	}
	s.mail[env.To[0]][string(id[1])]++
	s.all.Add(1)
	if s.hear != nil {
		s.hear(env)
	}
	return nil
}

func (s *sink) count() int { return int(s.all.Load()) }

// TestSoakKillOffice kills servers that ask a campaign's contacts, again and again, in the
// middle of whatever they do; on PostgreSQL two work at once. In the end each contact has
// one mail, and none was forgotten. What the relay was given in the moment of a kill it is
// given again, and then it is the same mail: SMTP has no cure for that (RFC 5321 section 4.5.5).
func TestSoakKillOffice(t *testing.T) {
	contacts, kills := 150, 4
	if soaking() {
		contacts, kills = 1000, 40
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			nodes := 1
			if e.Name == "postgres" {
				nodes = 2
			}
			f := newOfficeFaults(t, e, contacts)
			c := f.campaign(time.Duration(kills) * 700 * time.Millisecond)
			for range kills {
				var running []*exec.Cmd
				for range nodes {
					running = append(running, f.start())
				}
				<-time.After(time.Duration(600+rand.IntN(900)) * time.Millisecond) // a kill comes at any moment
				for _, cmd := range running {
					_ = cmd.Process.Kill()
					_ = cmd.Wait() // killed
				}
			}
			f.start()
			f.until(c.ID, contacts)
			f.adds(c.ID, contacts, kills*nodes*senders)
		})
	}
}

// officeFaults is a campaign on a database, and the servers that work on it.
type officeFaults struct {
	t    testing.TB
	dsn  string
	db   *store.DB
	desk *challenge.Desk
	args []string
	call *call
	sink *sink
	log  lockedBuffer // of all servers
}

func newOfficeFaults(t testing.TB, e storetest.Engine, contacts int) *officeFaults {
	t.Helper()
	f := &officeFaults{t: t, sink: &sink{mail: map[string]map[string]int{}}}
	f.dsn, f.db = e.Open(t)
	relay := mailServer(t, anybody, f.sink.take)
	dir := filepath.Join(t.TempDir(), "mail")
	w, _, _ := testWorld(nil)
	c := &call{world: w, ctx: context.Background(), cfg: &config{Challenge: challengeConfig{Dir: dir, Name: "Rollcall", Address: "rollcall@rollcall.example", Contact: "https://rollcall.example/about"}}, log: w.logger(&config{})}
	c.now = time.Now // servers have no other
	f.call = c
	if _, err := mail.CreateIdentity(c.cfg.Challenge.identity()); err != nil {
		t.Fatal(err)
	}
	if _, err := makeChallengeKey(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	f.args = []string{"serve", "--db", f.dsn, "--listen", "127.0.0.1:0", "--verify", "off", "--challenge", "on", "--mail-dir", dir, "--mail-address", "rollcall@rollcall.example",
		"--mail-contact", "https://rollcall.example/about", "--mail-relay", relay, "--mail-relay-tls", "none", "--challenge-pages", "https://rollcall.example/", "--mail-lease", "5s"}
	f.teams(contacts)
	follower, err := c.newFollower(f.db)
	if err != nil {
		t.Fatal(err)
	}
	if f.desk, err = c.newDesk(officeParts{store: f.db, index: follower.Index}, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *officeFaults) teams(n int, keys ...directory.TeamKey) {
	f.t.Helper()
	if n == 0 {
		return
	}
	records := make([]directory.Record, n)
	for i := range records {
		records[i] = storetest.Small(i)
		records[i].Own.Hours, records[i].Own.Keys = directory.Hours{Always: true}, keys
		records[i].Own.Contacts = []directory.Contact{{ID: directory.ContactID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), Revision: 1, Channel: "email", Value: fmt.Sprintf("csirt@team%d.example", i), Vouched: true}}
	}
	storetest.Write(f.t, f.db, records...)
}

// campaign starts one whose questions all fall due within a window from now.
func (f *officeFaults) campaign(window time.Duration) challenge.Campaign {
	f.t.Helper()
	operator := directory.Principal{Name: "op", Role: directory.Operator}
	c, err := f.desk.PlanCampaign(context.Background(), operator, challenge.Campaign{Name: "Faults", From: time.Now(), To: time.Now().Add(window + time.Second)})
	if err == nil {
		err = f.db.Challenges(context.Background(), func(tx challenge.Tx) error { // started, and nothing carried out: that is the servers' work too
			c.State = challenge.CampaignRunning
			return tx.PutCampaign(c)
		})
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *officeFaults) start() *exec.Cmd {
	f.t.Helper()
	return f.launch(exec.Command("rollcall", f.args...))
}

func (f *officeFaults) launch(cmd *exec.Cmd) *exec.Cmd {
	f.t.Helper()
	cmd.Stderr = &f.log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	})
	return cmd
}

// wait waits for something that is to happen within a minute.
func (f *officeFaults) wait(what string, done func() bool) {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !done(); <-tick.C {
		if time.Since(begun) > time.Minute {
			log := f.log.String()
			f.t.Fatalf("not so after a minute: %s; the log ends with\n%s", what, log[max(0, len(log)-5000):])
		}
	}
}

// until waits until the relay has taken the mail of every question.
func (f *officeFaults) until(id challenge.CampaignID, n int) {
	f.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		list, err := f.db.ListChallenges(context.Background(), challenge.ListFilter{Campaign: id, Limit: 10 * n})
		if err != nil {
			f.t.Fatal(err)
		}
		if p := challenge.Count(list); p.Total == n && p.Accepted == n {
			return
		} else if time.Since(begun) > 5*time.Minute {
			f.t.Fatalf("not so after five minutes: %+v\n%s", p, &f.log)
		}
	}
}

// adds wants each contact to have one mail, and what went out twice to be the same, for at
// most one for each sender at each kill.
func (f *officeFaults) adds(id challenge.CampaignID, n, inHand int) {
	f.t.Helper()
	list, err := f.db.ListChallenges(context.Background(), challenge.ListFilter{Campaign: id, Limit: 10 * n})
	if err != nil {
		f.t.Fatal(err)
	}
	report := challenge.NewReport(challenge.Campaign{}, list, func(directory.TeamID) (*directory.Team, bool) { return nil, false }, time.Now())
	if p := report.Progress; p.Total != n || p.States[challenge.StateSent] != n || p.Mails != n || p.Accepted != n {
		f.t.Errorf("the report does not add up: %+v", p)
	}
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	again := 0
	for to, ids := range f.sink.mail {
		if len(ids) != 1 {
			f.t.Errorf("%s was sent %d different mails for one step", to, len(ids))
		}
		for _, times := range ids {
			again += times - 1
		}
	}
	if len(f.sink.mail) != n || again > inHand {
		f.t.Errorf("mails to %d contacts, %d of them again; want %d, and %d again at most", len(f.sink.mail), again, n, inHand)
	}
	f.t.Logf("%d contacts, %d mails given again after kills", n, again)
	if err := f.db.Check(context.Background()); err != nil {
		f.t.Error(err)
	}
}

// TestCampaignResumeTested: the command resumes a campaign only once the self-test passes, as it starts one.
func TestCampaignResumeTested(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			f := newOfficeFaults(t, e, 1)
			c := f.campaign(time.Hour)
			if _, err := f.desk.Steer(t.Context(), directory.Principal{Name: "op", Role: directory.Operator}, c.ID, challenge.MoveHalt); err != nil {
				t.Fatal(err)
			}
			m := &f.call.cfg.Challenge
			cmd := exec.Command("rollcall", "campaign", "resume", "--db", f.dsn, "--mail-dir", m.Dir, "--mail-address", m.Address, "--mail-contact", m.Contact,
				"--mail-relay", mailServer(t, anybody, f.sink.take), "--mail-relay-tls", "none", "--challenge-pages", "https://rollcall.example/", "--verify-resolvers", newZone(t).address, string(c.ID))
			text, err := cmd.CombinedOutput()
			if now, failed := f.db.Campaign(t.Context(), c.ID); err == nil || !strings.Contains(string(text), "our own mails would not be believed") || failed != nil || now.State != challenge.CampaignHalted {
				t.Errorf("%v: %s; the campaign is %s, %v", err, text, now.State, failed)
			}
		})
	}
}
