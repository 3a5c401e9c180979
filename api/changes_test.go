package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// longPoll waits for a change after a number.
func (s *scene) longPoll(t testing.TB, after int64) api.ChangePage {
	var page api.ChangePage
	s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&wait=60", after))).into(t, 200, &page)
	return page
}

var waiting = regexp.MustCompile(`(?m)^rollcall_change_waiters (\d+)$`)

// awaitWaiters returns when n requests wait for a change.
func (s *scene) awaitWaiters(t testing.TB, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 12000 {
		m := waiting.FindSubmatch(s.do(t, get("/metrics")).body)
		if len(m) == 2 && string(m[1]) == fmt.Sprint(n) {
			return
		}
		<-tick.C
	}
	t.Fatalf("not %d requests wait for a change", n)
}

// amend changes a team.
func (s *scene) amend(t testing.TB, handle string, change func(*directory.Profile)) {
	t.Helper()
	_, err := s.dir.Edit(context.Background(), operator(), handle, directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		change(own)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// touch changes team alpha.
func (s *scene) touch(t testing.TB) {
	t.Helper()
	s.amend(t, "alpha", func(own *directory.Profile) { own.Host += "." })
}

// changesOf returns one page of changes as a role sees it.
func (s *scene) changesOf(t testing.TB, role string, after int64, more string) api.ChangePage {
	t.Helper()
	var page api.ChangePage
	s.do(t, get(fmt.Sprintf("/v1/changes?after=%d%s", after, more)).by(role)).into(t, 200, &page)
	return page
}

// copied is a copy of the directory: a line for each team that is or was.
type copied map[string]string

// follow applies all changes after a number to a copy and returns the last.
func (c copied) follow(t testing.TB, s *scene, role string, after int64, limit int) int64 {
	t.Helper()
	for {
		var page struct {
			Changes []struct {
				Seq    int64
				Op, ID string
				Merged string `json:"merged_into"`
				Data   json.RawMessage
			}
			Next, Head int64
		}
		a := s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&limit=%d", after, limit)).by(role))
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 || page.Next <= after && page.Next != page.Head {
			t.Fatalf("changes after %d = %d, %v: %s", after, a.status, err, a.body)
		}
		for _, change := range page.Changes {
			if change.Seq <= after || change.Seq > page.Next {
				t.Errorf("change %d on the page after %d up to %d", change.Seq, after, page.Next)
			}
			switch {
			case change.Op == "upsert":
				c[change.ID] = string(change.Data)
			case change.Merged != "":
				c[change.ID] = fmt.Sprintf(`{"id":%q,"op":"delete","merged_into":%q}`, change.ID, change.Merged)
			default:
				c[change.ID] = fmt.Sprintf(`{"id":%q,"op":"delete"}`, change.ID)
			}
		}
		if after = page.Next; after == page.Head {
			return after
		}
	}
}

// snapshotLines takes a snapshot apart and holds it against its own last line.
func snapshotLines(t testing.TB, text []byte) (head struct {
	Seq         int64
	Epoch, At   string
	Teams, Gone int
}, lines copied) {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var first struct{ Snapshot *json.RawMessage }
	var last struct {
		End struct {
			Teams, Gone int
			SHA256      string
		}
	}
	if err := json.Unmarshal([]byte(all[0]), &first); err != nil || first.Snapshot == nil {
		t.Fatalf("first line %q: %v", all[0], err)
	}
	if err := json.Unmarshal(*first.Snapshot, &head); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(all[len(all)-1]), &last); err != nil {
		t.Fatalf("last line %q: %v", all[len(all)-1], err)
	}
	head.Gone = last.End.Gone
	inner := all[1 : len(all)-1]
	sum := sha256.Sum256([]byte(strings.Join(inner, "\n") + "\n"))
	if got := hex.EncodeToString(sum[:]); got != last.End.SHA256 || len(inner) != last.End.Teams+last.End.Gone || head.Teams != last.End.Teams {
		t.Errorf("%d lines of SHA-256 %s after %s; the last line says %s", len(inner), got, all[0], all[len(all)-1])
	}
	lines = copied{}
	for _, line := range inner {
		var team struct{ ID string }
		if err := json.Unmarshal([]byte(line), &team); err != nil || team.ID == "" {
			t.Fatalf("line %q: %v", line, err)
		}
		lines[team.ID] = line
	}
	if len(lines) != len(inner) {
		t.Errorf("%d lines about %d teams", len(inner), len(lines))
	}
	return head, lines
}

// busyTime does one of everything that changes a team.
func (s *scene) busyTime(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for i := range 12 {
		s.create(directory.Handle(fmt.Sprintf("busy-%d", i)), directory.Profile{Names: directory.Names{Short: "B"}, Contacts: []directory.Contact{contact(fmt.Sprintf("b%d@example.net", i), directory.Green)}})
	}
	s.touch(t)
	s.amend(t, "busy-1", func(own *directory.Profile) { own.Contacts[0].Visibility = directory.Red })
	s.amend(t, "alpha", func(own *directory.Profile) { own.Memberships[0].Status = "suspended" })
	if err := s.dir.Delete(ctx, operator(), "busy-2", directory.AnyRevision); err != nil {
		t.Error(err)
	}
	if _, err := s.dir.Merge(ctx, operator(), "busy-3", "busy-4", directory.AnyRevision); err != nil {
		t.Error(err)
	}
	if _, err := s.dir.Merge(ctx, operator(), "busy-4", "busy-5", directory.AnyRevision); err != nil {
		t.Error(err)
	}
	if _, err := s.dir.RecordEvidence(ctx, operator(), "beta", directory.Evidence{Contact: s.beta.Contacts[0].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: s.clock.Now()}); err != nil {
		t.Error(err)
	}
	if _, _, err := s.dir.CreateToken(ctx, operator(), directory.TokenSpec{Name: "x", Role: directory.Consumer}); err != nil {
		t.Error(err)
	}
	s.touch(t)
}

// TestCopies holds three ways to a copy against each other, for every role and
// byte for byte: all changes from the first, a snapshot and what follows, and a
// snapshot at the end.
func TestCopies(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		early := map[string]copied{}
		seqs := map[string]int64{}
		for _, role := range roles {
			head, lines := snapshotLines(t, s.do(t, get("/v1/snapshot").by(role)).body)
			early[role], seqs[role] = lines, head.Seq
		}
		s.busyTime(t)
		for _, role := range roles {
			a := s.do(t, get("/v1/snapshot").by(role))
			head, want := snapshotLines(t, a.body)
			if head.Teams != 12 || head.Gone != 3 || a.header.Get("X-Snapshot-Seq") != fmt.Sprint(head.Seq) || a.header.Get("X-Snapshot-Epoch") != head.Epoch {
				t.Errorf("snapshot as %q has head %+v and headers %v, want 12 teams and 3 that are gone", role, head, a.header)
			}
			for _, limit := range []int{1, 3, 1000} {
				got := copied{}
				if last := got.follow(t, s, role, 0, limit); last != head.Seq {
					t.Errorf("changes as %q end at %d, want %d", role, last, head.Seq)
				}
				if diff := cmp.Diff(got, want); diff != "" {
					t.Errorf("all changes as %q, %d a page (-got +want):\n%s", role, limit, diff)
				}
			}
			early[role].follow(t, s, role, seqs[role], 2)
			if diff := cmp.Diff(early[role], want); diff != "" {
				t.Errorf("an early snapshot as %q and its changes (-got +want):\n%s", role, diff)
			}
		}
	})
}

// TestCopiesAfterStart reads the same changes by a server that has just
// started: its index carries none of them, so that they come from the store.
func TestCopiesAfterStart(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.busyTime(t)
		want := s.do(t, get("/v1/changes?limit=1000")).body
		later := newFollowing(t, s, api.Config{})
		if got := later.do(t, get("/v1/changes?limit=1000")).body; string(got) != string(want) {
			t.Errorf("after a start: %s\nwant %s", got, want)
		}
	})
}

// newFollowing starts one more server on the database of s.
func newFollowing(t *testing.T, s *scene, cfg api.Config) *scene {
	t.Helper()
	follow, err := directory.NewFollower(directory.FollowerConfig{Store: s.db, Now: s.clock.Now, Watch: s.db.Watch})
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := *s
	other.follow = follow
	cfg.Directory, cfg.Index, cfg.Moved, cfg.Sync, cfg.Now = s.dir, follow.Index, follow.Moved, follow.Sync, s.clock.Now
	handler, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	other.server = httptest.NewServer(handler)
	t.Cleanup(other.server.Close)
	return &other
}

func TestChangesPage(t *testing.T) {
	s := embedded(t)
	start := s.changesOf(t, "", 0, "").Head
	s.touch(t)
	s.amend(t, "beta", func(own *directory.Profile) { own.Host = "x" })
	s.touch(t)
	page := s.changesOf(t, "", start, "")
	var got []string
	for _, c := range page.Changes {
		got = append(got, fmt.Sprintf("%d %s %s %d %s", c.Seq-start, c.Op, c.Data.Handle, c.Revision, c.Data.Host))
	}
	if want := []string{"2 upsert beta 2 x", "3 upsert alpha 3 Example University.."}; !slices.Equal(got, want) || page.Next != start+3 || page.Head != start+3 {
		t.Errorf("page of next %d and head %d: %q, want %q: each team once, at its last change", page.Next, page.Head, got, want)
	}
	page = s.changesOf(t, "", start, "&limit=1")
	if len(page.Changes) != 1 || page.Next != start+1 || page.Changes[0].Data.Host != "Example University.." || page.Changes[0].Data.Seq != start+3 {
		t.Errorf("first of three = %+v, want alpha as it is now", page)
	}
	if level := s.changesOf(t, "", start+3, "&epoch="+page.Epoch); len(level.Changes) != 0 || level.Next != start+3 {
		t.Errorf("at the head = %+v, want no changes", level)
	}
}

// TestLargePages wants a page to end before it is larger than a page may be.
func TestLargePages(t *testing.T) {
	s := embedded(t)
	start := s.follow.Index().Seq()
	prose := []directory.Section{}
	for _, section := range []string{"1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.9", "2.10", "3.1", "3.2"} {
		prose = append(prose, directory.Section{Number: section, Language: "en", Text: strings.Repeat("x", 60_000)})
	}
	for i := range 20 { // of 600 kB each
		s.create(directory.Handle(fmt.Sprintf("large-%d", i)), directory.Profile{Names: directory.Names{Short: "L"}, Prose: prose})
	}
	pages, teams := 0, 0
	for after := start; ; pages++ {
		a := s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&limit=1000", after)))
		var page api.ChangePage
		if a.into(t, 200, &page); len(a.body) > 5<<20 || len(page.Changes) == 0 {
			t.Fatalf("a page of %d bytes with %d changes", len(a.body), len(page.Changes))
		}
		teams += len(page.Changes)
		if after = page.Next; after == page.Head {
			break
		}
	}
	if teams != 20 || pages < 2 {
		t.Errorf("%d teams on %d pages, want 20 on three", teams, pages+1)
	}
}

// TestLessVisible wants what somebody may see no more to reach them as less.
func TestLessVisible(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		values := func(page api.ChangePage) (list []string) {
			for _, c := range page.Changes {
				for _, contact := range c.Data.Contacts {
					list = append(list, contact.Value)
				}
			}
			return list
		}
		first := s.changesOf(t, "", 0, "")
		if got := values(first); !slices.Contains(got, "clear@example.org") || slices.Contains(got, "green@example.org") {
			t.Errorf("at first nobody in particular sees %q", got)
		}
		s.amend(t, "alpha", func(own *directory.Profile) { own.Contacts[0].Visibility = directory.Green })
		page := s.changesOf(t, "", first.Next, "&epoch="+first.Epoch)
		if got := values(page); len(page.Changes) != 1 || page.Changes[0].Op != "upsert" || len(got) > 0 || !slices.Equal(page.Changes[0].Data.Withheld, []string{"contacts"}) {
			t.Errorf("after the label was raised: %+v, want an upsert without the contact", page)
		}
	})
}

// TestViewerSeesLess wants the copy of a viewer who lost sight of teams that
// did not change to begin anew.
func TestViewerSeesLess(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.create("delta", directory.Profile{Names: directory.Names{Short: "D"}, Contacts: []directory.Contact{contact("amber@example.com", directory.Amber)},
			Memberships: []directory.Membership{{Forum: "first", Status: "member"}}})
		head, lines := snapshotLines(t, s.do(t, get("/v1/snapshot").by("member")).body)
		if !strings.Contains(fmt.Sprint(lines), "amber@example.com") {
			t.Fatal("a member of the forum does not see what is AMBER in it")
		}
		s.amend(t, "alpha", func(own *directory.Profile) { own.Memberships[0].Status = "ended" })
		p := problemIn(t, s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&epoch=%s", head.Seq, head.Epoch)).by("member")))
		if p.Status != 409 || p.Code != "changes.epoch" || where(p) != "epoch" {
			t.Errorf("changes of a former member = %d %s at %s, want 409 changes.epoch at epoch", p.Status, p.Code, where(p))
		}
		again, lines := snapshotLines(t, s.do(t, get("/v1/snapshot").by("member")).body)
		if again.Epoch == head.Epoch || strings.Contains(fmt.Sprint(lines), "amber@example.com") {
			t.Errorf("the next snapshot has epoch %s (%s before) and the lines %v, want another epoch and less", again.Epoch, head.Epoch, lines)
		}
	})
}

// TestEpochs wants one epoch for those who see the same, and another for
// everybody else.
func TestEpochs(t *testing.T) {
	s := embedded(t)
	seen := map[string][]string{}
	for _, role := range roles {
		page := s.changesOf(t, role, 0, "")
		seen[page.Epoch] = append(seen[page.Epoch], role)
	}
	var got []string
	for _, list := range seen {
		got = append(got, strings.Join(list, " "))
	}
	slices.Sort(got)
	if want := []string{"", "consumer", "member editor", "operator reader", "other", "secretariat", "stranger"}; !slices.Equal(got, want) {
		t.Errorf("roles by epoch: %q, want %q", got, want)
	}
}

// TestRestoreBeginsAnew restores an older database under a copy.
func TestRestoreBeginsAnew(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var archive bytes.Buffer
		if _, err := s.db.Backup(t.Context(), &archive); err != nil {
			t.Fatal(err)
		}
		s.busyTime(t)
		before := s.changesOf(t, "", 0, "")
		if _, err := s.db.Restore(t.Context(), bytes.NewReader(archive.Bytes()), true); err != nil {
			t.Fatal(err)
		}
		s.touch(t)
		for query, parameter := range map[string]string{
			fmt.Sprintf("after=%d", before.Head):                          "after",
			fmt.Sprintf("after=%d&epoch=%s", before.Head, before.Epoch):   "epoch",
			fmt.Sprintf("after=1&epoch=%s", before.Epoch):                 "epoch",
			fmt.Sprintf("after=1&wait=60&epoch=%s", before.Epoch):         "epoch",
			fmt.Sprintf("after=%d&wait=60&epoch=%s", 1<<40, before.Epoch): "epoch",
		} {
			if p := problemIn(t, s.do(t, get("/v1/changes?"+query))); p.Status != 409 || p.Code != "changes.epoch" || where(p) != parameter {
				t.Errorf("%s after a restore = %d %s at %s, want 409 changes.epoch at %s", query, p.Status, p.Code, where(p), parameter)
			}
		}
		head, want := snapshotLines(t, s.do(t, get("/v1/snapshot")).body)
		got := copied{}
		if got.follow(t, s, "", 0, 1000); head.Epoch == before.Epoch || !maps.Equal(got, want) {
			t.Errorf("after the restore: epoch %s (%s before), all changes make %v, the snapshot %v", head.Epoch, before.Epoch, got, want)
		}
	})
}

// TestRestoreEndsWaiting restores a database under somebody who waits for it.
func TestRestoreEndsWaiting(t *testing.T) {
	s := embedded(t)
	var archive bytes.Buffer
	if _, err := s.db.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	got := make(chan answer, 1)
	after := s.follow.Index().Seq()
	go func() { got <- s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&wait=60", after))) }()
	s.awaitWaiters(t, 1)
	if _, err := s.db.Restore(t.Context(), &archive, true); err != nil {
		t.Fatal(err)
	}
	if err := s.follow.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := problemIn(t, <-got); p.Code != "changes.epoch" {
		t.Errorf("who waited is told %s, want changes.epoch", p.Code)
	}
}

// TestAnotherNodeIsAhead asks a node whose index is behind with a number that
// another one gave.
func TestAnotherNodeIsAhead(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		behind := newFollowing(t, s, api.Config{})
		s.touch(t)
		ahead := s.changesOf(t, "", 0, "")
		if behind.follow.Index().Seq() >= ahead.Head {
			t.Fatal("the other node has followed already")
		}
		if got := behind.changesOf(t, "", ahead.Head, "&epoch="+ahead.Epoch); got.Next != ahead.Head || len(got.Changes) != 0 {
			t.Errorf("the node behind says %+v, want nothing after %d", got, ahead.Head)
		}
	})
}

// TestLongPoll has another process commit a change while somebody waits.
func TestLongPoll(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		node := newFollowing(t, s, api.Config{})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = node.follow.Run(ctx) })
		defer running.Wait()
		defer stop()
		for _, role := range []string{"", "member"} {
			after := node.changesOf(t, role, 0, "").Head
			got := make(chan api.ChangePage, 1)
			go func() { got <- node.changesOf(t, role, after, "&wait=60") }()
			node.awaitWaiters(t, 1)
			if _, _, err := s.dir.CreateToken(ctx, operator(), directory.TokenSpec{Name: "x", Role: directory.Consumer}); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			s.touch(t)
			page := <-got
			if len(page.Changes) != 1 || page.Changes[0].Seq != after+2 || page.Next != after+2 {
				t.Errorf("as %q: %+v, want the change %d, behind that of the token", role, page, after+2)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("the answer took %v", took)
			}
		}
	})
}

// TestLongPollEnds wants an answer when time is up, also where the server's
// limits for other requests are shorter than the wait.
func TestLongPollEnds(t *testing.T) {
	s := embedded(t)
	server := httptest.NewUnstartedServer(s.server.Config.Handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	short := *s
	short.server = server
	after := s.follow.Index().Seq()
	if _, _, err := s.dir.CreateToken(t.Context(), operator(), directory.TokenSpec{Name: "x", Role: directory.Consumer}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	page := short.changesOf(t, "", after, "&wait=1")
	if took := time.Since(begun); took < 900*time.Millisecond || len(page.Changes) != 0 || page.Next != after+1 {
		t.Errorf("after %v: %+v, want no change, past that of the token, in a second", took, page)
	}
}

// TestRevokedWhileWaiting gives nothing to a token that was revoked meanwhile.
func TestRevokedWhileWaiting(t *testing.T) {
	s := embedded(t)
	got := make(chan answer, 1)
	after := s.follow.Index().Seq()
	go func() {
		got <- s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&wait=60", after)).by("member"))
	}()
	s.awaitWaiters(t, 1)
	if _, err := s.dir.RevokeToken(t.Context(), operator(), s.tokens["member"][:12]); err != nil {
		t.Fatal(err)
	}
	s.touch(t)
	if p := problemIn(t, <-got); p.Code != "auth.token-revoked" {
		t.Errorf("a token revoked while it waited gets %d %s, want auth.token-revoked", p.Status, p.Code)
	}
}

// TestLessVisibleWhileWaiting takes sight from somebody who waits, by the very
// change that they wait for.
func TestLessVisibleWhileWaiting(t *testing.T) {
	s := embedded(t)
	got := make(chan answer, 1)
	after := s.follow.Index().Seq()
	go func() {
		got <- s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&wait=60", after)).by("member"))
	}()
	s.awaitWaiters(t, 1)
	s.amend(t, "alpha", func(own *directory.Profile) { own.Memberships[0].Status = "ended" })
	if p := problemIn(t, <-got); p.Code != "changes.epoch" {
		t.Errorf("a member whose team left while it waited gets %d %s, want changes.epoch", p.Status, p.Code)
	}
}

func TestReleaseEndsWaiting(t *testing.T) {
	s := embedded(t)
	after := s.follow.Index().Seq()
	got := make(chan api.ChangePage, 3)
	for range 3 {
		go func() { got <- s.longPoll(t, after) }()
	}
	s.awaitWaiters(t, 3)
	s.server.Config.Handler.(*api.Server).Release()
	for range 3 {
		if page := <-got; len(page.Changes) != 0 || page.Next != after {
			t.Errorf("at the stop: %+v, want an empty page", page)
		}
	}
	s.awaitWaiters(t, 0)
	if page := s.longPoll(t, after); page.Next != after {
		t.Errorf("after the stop: %+v, want an empty page at once", page)
	}
}

// TestPlaces fills the places of those without a token, and then all.
func TestPlaces(t *testing.T) {
	s := newFollowing(t, embedded(t), api.Config{MaxWaiters: 2, MaxSnapshots: 1})
	after := s.follow.Index().Seq()
	wait := request{path: fmt.Sprintf("/v1/changes?after=%d&wait=60", after)}
	got := make(chan answer, 2)
	go func() { got <- s.do(t, wait) }()
	s.awaitWaiters(t, 1)
	refused := func(q request, code string) {
		t.Helper()
		a := s.do(t, q)
		if p := problemIn(t, a); p.Status != 503 || p.Code != code || a.header.Get("Retry-After") == "" {
			t.Errorf("%s as %q = %d %s, want 503 %s with Retry-After", q.path, q.as, p.Status, p.Code, code)
		}
	}
	refused(wait, "changes.busy")
	go func() { got <- s.do(t, wait.by("member")) }()
	s.awaitWaiters(t, 2)
	refused(wait.by("member"), "changes.busy")
	if page := s.changesOf(t, "", after, ""); page.Next != after {
		t.Errorf("without wait: %+v, want an empty page", page)
	}
	refused(get("/v1/snapshot"), "snapshot.busy") // half of one place is none
	if a := s.do(t, get("/v1/snapshot").by("member")); a.status != 200 {
		t.Errorf("snapshot with a token = %d, want 200", a.status)
	}
	s.touch(t)
	if err := s.follow.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := <-got; a.status != 200 {
			t.Errorf("who waits = %d, want 200", a.status)
		}
	}
	s.awaitWaiters(t, 0)
}

func TestSnapshotConditions(t *testing.T) {
	s := embedded(t)
	first := s.do(t, get("/v1/snapshot"))
	tag := first.header.Get("ETag")
	for _, tt := range []struct {
		name   string
		given  string
		status int
	}{
		{"the tag itself", tag, 304},
		{"the tag as a strong one, which compares weakly", strings.TrimPrefix(tag, "W/"), 304},
		{"one of several", `"x", ` + tag, 304},
		{"any", "*", 304},
		{"another", `W/"x"`, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(t, get("/v1/snapshot").with("If-None-Match", tt.given))
			if a.status != tt.status || a.header.Get("ETag") != tag || a.status == 304 && len(a.body) > 0 {
				t.Errorf("= %d with tag %s and %d bytes, want %d with %s", a.status, a.header.Get("ETag"), len(a.body), tt.status, tag)
			}
		})
	}
	same := get("/v1/snapshot").with("If-None-Match", tag)
	if a := s.do(t, same.by("consumer")); a.status != 200 {
		t.Errorf("the tag of another viewer = %d, want 200", a.status)
	}
	if a := s.do(t, request{method: "HEAD", path: "/v1/snapshot"}); a.status != 200 || len(a.body) > 0 || a.header.Get("ETag") != tag {
		t.Errorf("HEAD = %d with %d bytes and the tag %s", a.status, len(a.body), a.header.Get("ETag"))
	}
	s.clock.Advance(time.Hour)
	if a := s.do(t, same); a.status != 200 {
		t.Errorf("an hour later = %d, want 200: proof ages", a.status)
	}
	s.touch(t)
	if a := s.do(t, same); a.status != 200 {
		t.Errorf("after a change = %d, want 200", a.status)
	}
}

func TestSnapshotCompressed(t *testing.T) {
	s := embedded(t)
	want := s.do(t, get("/v1/snapshot").with("Accept-Encoding", "identity")).body
	for given, zipped := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "GZIP": true, "gzip;q=0": false, "br": false, "identity": false, "gzip; q=0.000": false, "deflate, x-gzip": true,
	} {
		a := s.do(t, get("/v1/snapshot").with("Accept-Encoding", given))
		if got := a.header.Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("Accept-Encoding %q: compressed %v, want %v", given, got, zipped)
			continue
		}
		text := a.body
		if zipped {
			r, err := gzip.NewReader(bytes.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			if text, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if string(text) != string(want) {
			t.Errorf("Accept-Encoding %q: %s\nwant %s", given, text, want)
		}
	}
}

// TestSnapshotIsCut wants a snapshot that can't be written to its end to have
// no last line and no end of the body.
func TestSnapshotIsCut(t *testing.T) {
	s := embedded(t)
	s.create("large", directory.Profile{Names: directory.Names{Short: "L"}, Prose: []directory.Section{{Number: "1.1", Language: "en", Text: strings.Repeat("x", 60_000)}}})
	handler := s.server.Config.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(&shortWriter{ResponseWriter: w, left: 20_000}, r)
	}))
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/snapshot", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, failed := io.ReadAll(answer.Body)
	if failed == nil || strings.Contains(string(text), `{"end":`) {
		t.Errorf("a snapshot cut off after 20,000 bytes reads as %d bytes, error %v; want an error and no end", len(text), failed)
	}
	if !strings.Contains(s.log.String(), "snapshot was cut off") {
		t.Errorf("the log says %s, want that it was cut off", s.log)
	}
}

// shortWriter fails after some bytes.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (s *shortWriter) Write(b []byte) (int, error) {
	part := b[:min(len(b), s.left)]
	s.left -= len(part)
	n, err := s.ResponseWriter.Write(part)
	if err == nil && len(part) < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

func TestNoIndexNoCopies(t *testing.T) {
	server, _ := bare(t, api.Config{Index: noIndex})
	s := &scene{server: server}
	for _, path := range []string{"/v1/changes", "/v1/changes?wait=60", "/v1/snapshot"} {
		if p := problemIn(t, s.do(t, get(path))); p.Status != 503 || p.Code != "server.unavailable" {
			t.Errorf("%s without an index = %d %s, want 503 server.unavailable", path, p.Status, p.Code)
		}
	}
}
