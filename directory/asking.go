package directory

import "strings"

// MayAsk returns the error of a principal that may not have the contacts of a
// team asked whether they answer.
func MayAsk(p Principal, t *Team) error { return authorise(p, actAsk, t) }

// MayReadChallenges returns the error of a principal that may not read what a
// team was asked and how it answered: that is private to the team, to the
// secretariats of its forums and to operators. With a nil team it is about all teams.
func MayReadChallenges(p Principal, t *Team) error { return authorise(p, actAnswers, t) }

// MayRunCampaign returns the error of a principal that may not ask the members
// of a forum all together; the empty forum stands for everybody. A secretariat
// asks the members of its own forum.
func MayRunCampaign(p Principal, forum string) error { return ofForum(p, actCampaign, forum) }

// MayReadCampaign returns the error of a principal that may not see how the
// members of a forum answered: that is for whoever may run a campaign of them.
func MayReadCampaign(p Principal, forum string) error { return ofForum(p, actSurvey, forum) }

func ofForum(p Principal, a action, forum string) error {
	if err := authorise(p, a, nil); err != nil {
		return err
	}
	if p.Role == Secretariat && (p.Forum == "" || !strings.EqualFold(p.Forum, forum)) {
		return refuse(a, "auth.role", "a secretariat has to do with its own forum only", "the forum "+p.Forum)
	}
	return nil
}

// MayConsent returns the error of a principal that may not decide whether others
// see how quickly a team answers: that is the team's own, or an operator's on its behalf.
func MayConsent(p Principal, t *Team) error { return authorise(p, actConsent, t) }

// MayReadCases returns the error of a principal that may not see what operators
// are asked to look at.
func MayReadCases(p Principal) error { return authorise(p, actCases, nil) }

// MayWorkDesk returns the error of a principal that may not do what operators
// do about challenges: log calls, approve them, close cases, stop questions,
// take in what other registrars found.
func MayWorkDesk(p Principal) error { return authorise(p, actDesk, nil) }

// MayKeepWebhooks returns the error of a principal that may not decide to which
// endpoints of a team we post, and by which keys it answers: that is the team's own,
// or an operator's. With a nil team it is about endpoints that hear of everybody.
func MayKeepWebhooks(p Principal, t *Team) error { return authorise(p, actHooks, t) }

// MayReadWebhooks returns the error of a principal that may not see where we post
// for a team, and what came of it. With a nil team it is about those that hear of everybody.
func MayReadWebhooks(p Principal, t *Team) error { return authorise(p, actSeeHooks, t) }

// OwnTeam returns the team that p has to do with alone; "" for who has to do with all.
func (p Principal) OwnTeam() TeamID {
	if p.Role == Editor {
		return p.Team
	}
	return ""
}
