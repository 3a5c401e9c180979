package directory_test

import (
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

func daysAgo(n int) time.Time { return now.AddDate(0, 0, -n) }

func TestAssess(t *testing.T) {
	item := func(level directory.Level, outcome directory.Outcome, days int) directory.Evidence {
		return directory.Evidence{Contact: "c", Revision: 2, Level: level, Outcome: outcome, Method: "phone", At: daysAgo(days), By: "op"}
	}
	proved, failed := directory.OutcomeProved, directory.OutcomeFailed
	disputed, settled := directory.OutcomeDisputed, directory.OutcomeSettled
	older := item(directory.Proven, proved, 10)
	older.Revision = 1
	other := item(directory.Proven, proved, 10)
	other.Contact = "d"
	future := item(directory.Answered, proved, -1)
	short := item(directory.Answered, proved, 20)
	short.ValidUntil = daysAgo(10)

	for _, c := range []struct {
		name  string
		items []directory.Evidence
		level directory.Level
		state directory.State
		at    time.Time
	}{
		{"nothing is level 0", nil, 0, directory.Unverified, daysAgo(400)},
		{"proof counts", []directory.Evidence{item(2, proved, 10)}, 2, directory.Verified, daysAgo(10)},
		{"the higher of two fresh proofs counts", []directory.Evidence{item(2, proved, 10), item(3, proved, 100)}, 3, directory.Verified, daysAgo(100)},
		{"a fresh proof beats a higher one that ran out", []directory.Evidence{item(2, proved, 10), item(3, proved, 300)}, 2, directory.Verified, daysAgo(10)},
		{"the newer of two equal proofs counts", []directory.Evidence{item(2, proved, 100), item(2, proved, 10)}, 2, directory.Verified, daysAgo(10)},
		{"after 180 days proof is due", []directory.Evidence{item(2, proved, 181)}, 2, directory.Due, daysAgo(181)},
		{"on its last day it is still good", []directory.Evidence{item(2, proved, 180)}, 2, directory.Verified, daysAgo(180)},
		{"after the grace it is overdue", []directory.Evidence{item(2, proved, 211)}, 2, directory.Overdue, daysAgo(211)},
		{"a proof's own end beats the policy", []directory.Evidence{short}, 2, directory.Due, daysAgo(20)},
		{"proof of an older revision is void", []directory.Evidence{older}, 0, directory.Unverified, daysAgo(400)},
		{"proof of another contact is not ours", []directory.Evidence{other}, 0, directory.Unverified, daysAgo(400)},
		{"proof from the future is ignored", []directory.Evidence{future}, 0, directory.Unverified, daysAgo(400)},
		{"a failure after the proof counts", []directory.Evidence{item(2, proved, 10), item(0, failed, 5)}, 2, directory.Failed, daysAgo(10)},
		{"a proof after the failure counts", []directory.Evidence{item(0, failed, 10), item(2, proved, 5)}, 2, directory.Verified, daysAgo(5)},
		{"that nobody answered stays when a mail is taken", []directory.Evidence{item(2, failed, 10), item(1, proved, 5)}, 1, directory.Failed, daysAgo(5)},
		{"until somebody answers", []directory.Evidence{item(2, failed, 10), item(1, proved, 5), item(2, proved, 1)}, 2, directory.Verified, daysAgo(1)},
		{"a failure without any proof", []directory.Evidence{item(0, failed, 10)}, 0, directory.Failed, daysAgo(400)},
		{"a weaker proof after the failure counts, the stronger one before it does not",
			[]directory.Evidence{item(3, proved, 20), item(0, failed, 10), item(2, proved, 1)}, 2, directory.Verified, daysAgo(1)},
		{"a dispute stays", []directory.Evidence{item(2, proved, 5), item(0, disputed, 10)}, 2, directory.Disputed, daysAgo(5)},
		{"until somebody settles it", []directory.Evidence{item(2, proved, 5), item(0, disputed, 10), item(0, settled, 2)}, 2, directory.Verified, daysAgo(5)},
		{"an older settlement does not settle it", []directory.Evidence{item(0, disputed, 10), item(0, settled, 20)}, 0, directory.Disputed, daysAgo(400)},
		{"that nothing has changed is level 0, and newer than the listing", []directory.Evidence{item(0, proved, 5), item(0, proved, 50)}, 0, directory.Unverified, daysAgo(5)},
		{"it does not take the place of proof that is due", []directory.Evidence{item(2, proved, 190), item(0, proved, 5)}, 2, directory.Due, daysAgo(190)},
		{"it does not mend a failure", []directory.Evidence{item(2, proved, 20), item(0, failed, 10), item(0, proved, 5)}, 2, directory.Failed, daysAgo(20)},
		{"a failure outweighs a dispute", []directory.Evidence{item(0, disputed, 10), item(0, failed, 10)}, 0, directory.Failed, daysAgo(400)},
	} {
		t.Run(c.name, func(t *testing.T) {
			contact := directory.Contact{ID: "c", Revision: 2, Origin: directory.Origin{Source: directory.SourceTeam, At: daysAgo(400)}}
			got := directory.Assess(contact, c.items, directory.Policy{}, now)
			if got.Level != c.level || got.State != c.state || !got.At.Equal(c.at) {
				t.Errorf("Assess = level %d, %s, at %s; want level %d, %s, at %s", got.Level, got.State, got.At, c.level, c.state, c.at)
			}
			for range c.items { // the order of the items must not matter
				c.items = append(c.items[1:], c.items[0])
				if again := directory.Assess(contact, c.items, directory.Policy{}, now); again != got {
					t.Errorf("Assess in another order = %+v, want %+v", again, got)
				}
			}
		})
	}
}

// TestAssessImported holds the rule that an imported "confirmed" is level 0,
// dated as the source dates it.
func TestAssessImported(t *testing.T) {
	c := directory.Contact{ID: "c", Origin: directory.Origin{Source: "national-csirts", AsOf: daysAgo(4000), At: daysAgo(1)}}
	got := directory.Assess(c, nil, directory.Policy{}, now)
	want := directory.Standing{Level: directory.Listed, State: directory.Unverified, At: daysAgo(4000), Method: "import", By: "national-csirts"}
	if got != want {
		t.Errorf("Assess = %+v, want %+v", got, want)
	}
}

func TestLevelNames(t *testing.T) {
	for level, want := range map[directory.Level]string{0: "listed", 1: "deliverable", 2: "answered", 3: "proven", 4: "drilled", 5: "unknown", -1: "unknown"} {
		if got := level.String(); got != want {
			t.Errorf("Level(%d) = %q, want %q", level, got, want)
		}
	}
}
