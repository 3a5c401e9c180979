package challenge_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// observations reads "6 6 6+ 7": numbers of days, with a plus where watching ended.
func observations(t *testing.T, text string) (list []challenge.Observation) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		var n int
		if _, err := fmt.Sscanf(word, "%d", &n); err != nil {
			t.Fatal(err)
		}
		list = append(list, challenge.Observation{After: time.Duration(n) * 24 * time.Hour, Event: !strings.HasSuffix(word, "+")})
	}
	return list
}

// TestKaplanMeier holds the estimate against worked examples of textbooks, with
// the fractions multiplied out by hand.
func TestKaplanMeier(t *testing.T) {
	type step struct {
		at   int
		risk int
		want float64
	}
	tests := []struct {
		name, data  string
		want        []step
		median, p90 int // days; -1: not reached
	}{
		// Freireich et al., The Effect of 6-Mercaptopurine on the Duration of
		// Steroid-induced Remissions in Acute Leukemia, Blood 21, 1963: the group with
		// 6-MP. S = 18/21 · 16/17 · 14/15 · 11/12 · 10/11 · 6/7 · 5/6 = 0.448.
		{"6-MP", "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+",
			[]step{{6, 21, 0.857}, {7, 17, 0.807}, {10, 15, 0.753}, {13, 12, 0.690}, {16, 11, 0.627}, {22, 7, 0.538}, {23, 6, 0.448}}, 23, -1},
		// The same trial's placebo group: nobody was censored, so S is what is left of 21.
		{"placebo", "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23",
			[]step{{1, 21, 19. / 21}, {2, 19, 17. / 21}, {3, 17, 16. / 21}, {4, 16, 14. / 21}, {5, 14, 12. / 21}, {8, 12, 8. / 21}, {11, 8, 6. / 21},
				{12, 6, 4. / 21}, {15, 4, 3. / 21}, {17, 3, 2. / 21}, {22, 2, 1. / 21}, {23, 1, 0}}, 8, 17},
		// Miller, Survival Analysis, 1981: maintained chemotherapy for acute myelogenous
		// leukaemia. S = 10/11 · 9/10 · 7/8 · 6/7 · 4/5 · 3/4 · 1/2 = 0.184.
		{"maintained", "9 13 13+ 18 23 28+ 31 34 45+ 48 161+",
			[]step{{9, 11, 0.909}, {13, 10, 0.818}, {18, 8, 0.716}, {23, 7, 0.614}, {31, 5, 0.491}, {34, 4, 0.368}, {48, 2, 0.184}}, 31, -1},
		{"nobody answered", "5+ 6+ 7+", nil, -1, -1},
		{"exactly a half", "1 2+", []step{{1, 2, 0.5}}, 1, -1},
		{"nobody was asked", "", nil, -1, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			curve := challenge.KaplanMeier(observations(t, tt.data))
			if len(curve) != len(tt.want)+1 || curve[0].Waiting != 1 {
				t.Fatalf("the curve has %d points, want %d and the beginning: %v", len(curve), len(tt.want), curve)
			}
			for i, want := range tt.want {
				got := curve[i+1]
				if got.At != time.Duration(want.at)*24*time.Hour || got.AtRisk != want.risk || math.Abs(got.Waiting-want.want) > 0.0005 {
					t.Errorf("point %d = day %v, %d at risk, %.4f, want %+v", i, got.At.Hours()/24, got.AtRisk, got.Waiting, want)
				}
			}
			for q, want := range map[float64]int{0.5: tt.median, 0.9: tt.p90} {
				got, ok := curve.Quantile(q)
				if ok != (want >= 0) || ok && got != time.Duration(want)*24*time.Hour {
					t.Errorf("Quantile(%v) = %v, %t, want day %d", q, got, ok, want)
				}
			}
		})
	}
}

// TestSilenceCounts: figures over those who answered alone would hide the rest.
func TestSilenceCounts(t *testing.T) {
	curve := challenge.KaplanMeier(observations(t, "1 2 3 30+ 30+ 30+ 30+"))
	if got, ok := curve.Quantile(0.5); ok {
		t.Errorf("the median is %v, though four of seven never answered", got)
	}
}

func TestSampleOf(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	team := &directory.Team{Profile: directory.Profile{Country: "AT", Constituency: directory.Constituency{Sectors: []string{"energy"}},
		Memberships: []directory.Membership{{Forum: "first", Status: "member"}, {Forum: "isac", Status: "ended"}}}}
	now := monday.Add(100 * time.Hour)
	proof := at(challenge.EventProof, 9)
	proof.By, proof.Key = challenge.ProofSigned, fingerprint
	tests := []struct {
		name         string
		kind         challenge.Kind
		events       []challenge.Event
		ok           bool
		human, proof challenge.Observation
	}{
		{"answered by code, and later by key", challenge.KindCode, []challenge.Event{at(challenge.EventAccepted, 1), at(challenge.EventCodeRight, 3), proof}, true,
			challenge.Observation{After: 2 * time.Hour, Event: true}, challenge.Observation{After: 8 * time.Hour, Event: true}},
		{"silent", challenge.KindCode, []challenge.Event{at(challenge.EventAccepted, 1)}, true, challenge.Observation{After: 99 * time.Hour}, challenge.Observation{After: 99 * time.Hour}},
		{"an automatic reply is silence", challenge.KindCode, []challenge.Event{at(challenge.EventAccepted, 1), at(challenge.EventAutoReply, 1.01), at(challenge.EventOpened, 1.02)}, true,
			challenge.Observation{After: 99 * time.Hour}, challenge.Observation{After: 99 * time.Hour}},
		{"stopped", challenge.KindCode, []challenge.Event{at(challenge.EventAccepted, 1), at(challenge.EventStopped, 11)}, true, challenge.Observation{After: 10 * time.Hour}, challenge.Observation{After: 10 * time.Hour}},
		{"somebody else's mailbox", challenge.KindCode, []challenge.Event{at(challenge.EventAccepted, 1), at(challenge.EventWrongAddress, 11)}, true, challenge.Observation{After: 10 * time.Hour}, challenge.Observation{After: 10 * time.Hour}},
		{"never taken by the relay", challenge.KindCode, nil, false, challenge.Observation{}, challenge.Observation{}},
		{"answered before anybody could note that the relay had it", challenge.KindCode, []challenge.Event{at(challenge.EventCodeRight, 3)}, true,
			challenge.Observation{After: 3 * time.Hour, Event: true}, challenge.Observation{After: 100 * time.Hour}},
		{"a machine", challenge.KindWebhook, []challenge.Event{at(challenge.EventAccepted, 1), at(challenge.EventWebhook, 2)}, false, challenge.Observation{}, challenge.Observation{}},
	}
	for _, tt := range tests {
		c, _ := run(scheduledAt(tt.kind), p, append([]challenge.Event{at(challenge.EventDue, 0)}, tt.events...)...)
		got, ok := challenge.SampleOf(&c, team, now)
		if ok != tt.ok || got.Human != tt.human || got.Proof != tt.proof {
			t.Errorf("%s: SampleOf = %+v, %+v, %t, want %+v, %+v, %t", tt.name, got.Human, got.Proof, ok, tt.human, tt.proof, tt.ok)
		}
		if ok && (len(got.Forums) != 1 || got.Country != "AT") {
			t.Errorf("%s: of %v in %v", tt.name, got.Forums, got.Country)
		}
	}
}

// samplesOf makes n teams of a country, each with one sample.
func samplesOf(country string, n int) (list []challenge.Sample) {
	for i := range n {
		list = append(list, challenge.Sample{Team: directory.TeamID(fmt.Sprint(country, i)), Country: directory.Country(country), State: challenge.StateAnswered,
			Reached: directory.Answered, Human: challenge.Observation{After: time.Duration(i+1) * time.Hour, Event: true}, Proof: challenge.Observation{After: 100 * time.Hour}})
	}
	return list
}

// TestSmallGroups: fewer than five teams have no figures, and neither has what
// would let anybody work them out from the whole.
func TestSmallGroups(t *testing.T) {
	join := func(lists ...[]challenge.Sample) (all []challenge.Sample) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	tests := []struct {
		name    string
		samples []challenge.Sample
		hidden  string
	}{
		{"all large", join(samplesOf("AT", 5), samplesOf("CH", 9)), ""},
		{"one small, so another with it", join(samplesOf("AT", 4), samplesOf("CH", 9), samplesOf("DE", 7)), "AT DE"},
		{"two small that are five together", join(samplesOf("AT", 4), samplesOf("CH", 1), samplesOf("DE", 7)), "AT CH"},
		{"one team with many contacts is one team", join(samplesOf("AT", 1), samplesOf("AT", 1), samplesOf("AT", 1), samplesOf("AT", 1), samplesOf("AT", 1)), "all AT"},
	}
	for _, tt := range tests {
		hidden := []string{}
		for _, g := range challenge.Summarise(tt.samples, challenge.ByAll, challenge.ByCountry) {
			if g.Suppressed {
				hidden = append(hidden, g.Name)
				if g.By == challenge.ByAll {
					hidden[len(hidden)-1] = "all"
				}
				if g.Teams+g.Asked+g.Answered+g.Human.Count+len(g.Human.Curve)+len(g.Outcomes) != 0 {
					t.Errorf("%s: %s is withheld and has figures: %+v", tt.name, g.Name, g)
				}
			}
		}
		if got := strings.Join(hidden, " "); got != tt.hidden {
			t.Errorf("%s: withheld %q, want %q", tt.name, got, tt.hidden)
		}
	}
}

func TestSummarise(t *testing.T) {
	groups := challenge.Summarise(samplesOf("AT", 9), challenge.ByCountry)
	if len(groups) != 1 {
		t.Fatalf("Summarise = %v, want one group", groups)
	}
	g := groups[0]
	if g.Teams != 9 || g.Asked != 9 || g.Answered != 9 || g.Levels != [5]int{2: 9} || *g.Human.Median != 5*3600 || *g.Human.P90 != 9*3600 || g.Proof.Median != nil || g.Proof.Count != 0 {
		t.Errorf("figures = %+v", g)
	}
}
