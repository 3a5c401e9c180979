package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// ChallengeEvent is one change of state of a question. It has neither addresses nor secrets, and
// is what webhooks are sent.
type ChallengeEvent struct {
	ID        string    `json:"id" doc:"The same when a webhook is sent it again" example:"5d41402abc4b2a76b9719d911017c592"`
	Number    int64     `json:"number" doc:"Number of the event, over all questions" example:"4711"`
	Type      string    `json:"type" enum:"challenge.sent,challenge.delivered,challenge.bounced,challenge.reminded,challenge.expired,challenge.escalated,challenge.answered,challenge.closed" doc:"What happened" example:"challenge.answered"`
	At        time.Time `json:"at" format:"date-time" doc:"When"`
	Challenge string    `json:"challenge" format:"uuid" doc:"The question" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	Team      string    `json:"team" format:"uuid" doc:"Id of the team that is asked"`
	Contact   string    `json:"contact" doc:"Id of the contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Revision  int       `json:"revision" doc:"Revision of the contact that the question is about" example:"1"`
	Campaign  string    `json:"campaign,omitzero" doc:"Id of its campaign" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
	From      string    `json:"from" doc:"The state before" example:"sent"`
	To        string    `json:"to" doc:"The state from then on" example:"answered"`
	Outcome   string    `json:"outcome,omitzero" doc:"Why it was closed without proof" example:"unanswered"`
	Level     int       `json:"level" minimum:"0" maximum:"4" doc:"The highest level proven so far" example:"2"`
}

// ChallengeEvents is a page of events.
type ChallengeEvents struct {
	Events []ChallengeEvent `json:"events" doc:"In the order of their numbers, which have gaps where a filter leaves events out"`
	Next   int64            `json:"next" doc:"What to send as after for what follows" example:"4711"`
	Head   int64            `json:"head" doc:"The number of the newest event of all; nothing follows yet when next is head" example:"4711"`
	Epoch  string           `json:"epoch" doc:"What the numbers belong to: the database and what the viewer may see; send it along" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
}

type (
	challengeEventsInput struct {
		Team     string `query:"team" maxLength:"64" doc:"Handle or id of a team; without it and campaign, all, for operators" example:"example-csirt"`
		Campaign string `query:"campaign" maxLength:"64" doc:"Id of a campaign" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
		Type     string `query:"type" maxLength:"64" doc:"Only events of this type" example:"challenge.answered"`
		After    int64  `query:"after" minimum:"0" doc:"Only events above this number: the next of the page before" example:"4700"`
		Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Events on a page at most" example:"100"`
		Wait     int    `query:"wait" minimum:"0" maximum:"60" doc:"Seconds to wait for an event when there is none yet" example:"30"`
		Epoch    string `query:"epoch" maxLength:"64" doc:"The epoch of the page before; when it is another by now, the answer is changes.epoch" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
	}
	challengeEventsOutput struct{ Body ChallengeEvents }
)

func exampleChallengeEvent() ChallengeEvent {
	q := exampleQuestion()
	return ChallengeEvent{ID: "5d41402abc4b2a76b9719d911017c592", Number: 4711, Type: "challenge.answered", At: exampleDay(), Challenge: q.ID, Team: exampleTeamID, Contact: q.Contact, Revision: 1, From: "sent", To: "answered", Level: 2}
}

func (s *Server) registerChallengeEvents() {
	register(s, spec{id: "challenge-events", method: http.MethodGet, path: "/v1/challenges/events", tag: "challenges", access: token,
		summary: "Follow what becomes of questions",
		more: "Changes of state in order, after a number: those of a team for its editors, for the secretariats of its forums and for operators; those of a campaign for whoever may run it. " +
			"With wait the answer comes when there is something to tell, within a second or two. They are kept for as long as the operator says, 90 days unless told otherwise. " +
			"409 changes.epoch means that the numbers are of another database, or that the viewer may see other things than before: begin again at 0.",
		errors: []int{notFound, conflict}, answer: ChallengeEvents{Events: []ChallengeEvent{exampleChallengeEvent()}, Next: 4711, Head: 4711, Epoch: "3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"}}, s.challengeEvents)
}

func challengeEventFrom(n *challenge.Notice) ChallengeEvent {
	return ChallengeEvent{ID: n.ID, Number: n.Number, Type: n.Type, At: n.At.UTC(), Challenge: string(n.Challenge), Team: string(n.Team), Contact: string(n.Contact), Revision: n.Revision,
		Campaign: string(n.Campaign), From: string(n.From), To: string(n.To), Outcome: string(n.Outcome), Level: int(n.Level)}
}

// noticeFeed is one request for events of questions.
type noticeFeed struct {
	feed
	desk   *challenge.Desk
	filter challenge.NoticeFilter
}

func (s *Server) challengeEvents(ctx context.Context, in *challengeEventsInput) (*challengeEventsOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	c := callFrom(ctx)
	f := &noticeFeed{feed: feed{s: s, c: c, epoch: in.Epoch, after: in.After, limit: in.Limit}, desk: desk,
		filter: challenge.NoticeFilter{Campaign: challenge.CampaignID(in.Campaign), Type: in.Type, Limit: in.Limit}}
	if in.Team != "" {
		team, err := s.cfg.Directory.Team(ctx, c.viewer, in.Team)
		if err != nil {
			return nil, inParameter("team", err)
		}
		f.filter.Team = team.ID
	}
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(time.Duration(in.Wait)*time.Second + patience))
	page, err := f.look(ctx)
	if err == nil && len(page.Events) == 0 && in.Wait > 0 {
		page, err = f.wait(ctx, page, time.Duration(in.Wait)*time.Second)
	}
	if directory.KindOf(err) == directory.Invalid {
		err = inParameter("type", err)
	}
	if err != nil {
		return nil, unknownOf(err, "campaign", "campaign.unknown", in.Campaign, "no campaign has this id", "an id of the list of campaigns")
	}
	return &challengeEventsOutput{page}, nil
}

// look reads the page that follows.
func (f *noticeFeed) look(ctx context.Context) (page ChallengeEvents, err error) {
	f.filter.After, page.Events = f.after, []ChallengeEvent{}
	if page.Head, err = f.desk.LastNotice(ctx); err != nil {
		return page, err
	}
	list, err := f.desk.Notices(ctx, f.c.viewer, f.filter) // whether the viewer may, before anything is said
	if err != nil {
		return page, err
	}
	x := f.s.cfg.Index()
	if x == nil {
		return page, &directory.Error{Kind: directory.Unavailable, Op: "read events"}
	}
	e := epoch(x, &f.c.viewer)
	switch {
	case f.epoch != "" && f.epoch != e:
		return page, wrongEpoch("epoch", f.epoch)
	case f.after > page.Head:
		return page, wrongEpoch("after", strconv.FormatInt(f.after, 10))
	}
	for i := range list {
		page.Events = append(page.Events, challengeEventFrom(&list[i]))
	}
	// A page that is not full has all there was up to the head that was read before it.
	page.Next = max(page.Head, f.after)
	if n := len(list); n > 0 && (n == f.limit || list[n-1].Number > page.Next) {
		page.Next = list[n-1].Number
	}
	page.Head, page.Epoch, f.epoch, f.after = max(page.Head, page.Next), e, e, page.Next
	return page, nil
}

// wait looks again when there is something new, until there is something to
// tell, time is up or the server stops.
func (f *noticeFeed) wait(ctx context.Context, page ChallengeEvents, most time.Duration) (ChallengeEvents, error) {
	err := f.s.await(ctx, f.c, most, func() (bool, error) {
		last, err := f.s.lastNotice.get(ctx, f.desk.LastNotice)
		if err != nil || last == page.Head {
			return false, err
		}
		if page, err = f.look(ctx); err != nil || len(page.Events) == 0 {
			return false, err
		}
		_, err = f.again(ctx, nil) // who waited may not be who it was
		return true, err
	})
	return page, err
}
