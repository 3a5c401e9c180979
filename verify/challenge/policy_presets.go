package challenge

import (
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// The names of the presets.
const (
	PresetReactionTest = "reaction-test"
	PresetHalfYearly   = "half-yearly"
	PresetYearly       = "yearly"
	PresetKeepFresh    = "keep-fresh"
)

// Presets returns the policies that ship, each a new value.
func Presets() []Policy { return []Policy{reactionTest(), halfYearly(), yearly(), keepFresh()} }

// Preset returns the preset of a name.
func Preset(name string) (Policy, bool) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

func days(n int) Delay     { return Delay{Days: n} }
func business(n int) Delay { return Delay{Business: n} }
func months(n int) Delay   { return Delay{Months: n} }

// night is when nothing is sent to a team that doesn't promise to be there.
func night() Quiet { return Quiet{From: 20 * 60, To: 7 * 60} }

func usualCaps() Caps {
	return Caps{AddressDay: 2, DomainHour: 20, DomainDay: 100, OverallHour: 2000}
}

// reactionTest follows accreditation bodies: the answer is measured in hours,
// and the key is proven with the mailbox.
func reactionTest() Policy {
	return Policy{
		Name: PresetReactionTest, About: "three times a year, measured in hours, key and mailbox together",
		Interval: months(4), Again: days(30), Window: days(10), Close: days(30),
		Reminders: []Delay{business(1), business(3), days(7)},
		Ladder: []Rung{
			{At: days(10), To: ToNextContact, Flag: FlagUnanswered},
			{At: days(15), To: ToOperator},
			{At: days(21), To: ToSecretariat, Flag: FlagUnreachable},
		},
		Minimum: directory.Proven, Kind: KindBoth, Quiet: night(), Caps: usualCaps(), Drill: Delay{Clock: 2 * time.Hour},
		Lasts: Lasts{Deliverable: months(4), Answered: months(4), Proven: months(5), Drilled: months(5)},
	}
}

// halfYearly follows address registries: two stretches of fifteen days.
func halfYearly() Policy {
	return Policy{
		Name: PresetHalfYearly, About: "twice a year; fifteen days, then another fifteen",
		Interval: months(6), Again: days(30), Window: days(15), Close: days(45),
		Reminders: []Delay{days(7), days(12)},
		Ladder: []Rung{
			{At: days(15), To: ToRepresentative, Flag: FlagTemporarily},
			{At: days(30), To: ToSecretariat, Flag: FlagUnanswered},
		},
		Minimum: directory.Answered, Kind: KindCode, Quiet: night(), Caps: usualCaps(),
		Lasts: Lasts{Deliverable: months(6), Answered: months(7), Proven: months(12), Drilled: months(12)},
	}
}

// yearly follows the clean-up of abuse contacts: three weeks of mail, then a
// person takes over by another channel.
func yearly() Policy {
	return Policy{
		Name: PresetYearly, About: "once a year; three weeks of mail, then a person calls",
		Interval: months(12), Again: days(60), Window: days(21), Close: days(60),
		Reminders: []Delay{days(7), days(14)},
		Ladder: []Rung{
			{At: days(21), To: ToOperator, Flag: FlagUnanswered},
			{At: days(35), To: ToSponsor},
			{At: days(45), To: ToSecretariat, Flag: FlagUnreachable},
		},
		Minimum: directory.Answered, Kind: KindCode, Quiet: night(), Caps: usualCaps(),
		Lasts: Lasts{Deliverable: months(6), Answered: months(13), Proven: months(13), Drilled: months(13)},
	}
}

// keepFresh follows portals: small questions in a digest, answered by one click.
func keepFresh() Policy {
	return Policy{
		Name: PresetKeepFresh, About: "every ninety days, by one mail, with confirmation in one click",
		Interval: days(90), Again: days(30), Window: days(30), Close: days(44),
		Ladder:  []Rung{{At: days(30), To: ToNextContact}},
		Minimum: directory.Listed, Kind: KindCode, Quiet: night(), Caps: usualCaps(), MaxMails: 1, Digest: true, Confirm: true,
		Lasts: Lasts{Deliverable: days(90), Answered: days(120), Proven: months(12), Drilled: months(12)},
	}
}
