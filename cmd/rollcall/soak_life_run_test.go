package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

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
