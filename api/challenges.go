package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

type (
	questionsInput struct {
		Team     string `query:"team" maxLength:"64" doc:"Handle or id of a team; without it and campaign, all, for operators" example:"example-csirt"`
		Campaign string `query:"campaign" maxLength:"64" doc:"Id of a campaign" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
		Open     bool   `query:"open" doc:"Only those that wait" example:"true"`
		After    string `query:"after" maxLength:"200" doc:"The next of the page before" example:"MTc2NzIyNTYwMDAwMDAwMA"`
		Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Questions on a page" example:"50"`
	}
	questionsOutput struct{ Body QuestionPage }
	questionInput   struct {
		ID string `path:"id" maxLength:"64" doc:"Id of the question" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	}
	questionOutput struct{ Body Question }
	newQuestion    struct {
		Location string `header:"Location" doc:"Where the question is"`
		Body     Question
	}
	storyOutput  struct{ Body QuestionStory }
	outlookInput struct {
		ID string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	}
	outlookOutput  struct{ Body TeamOutlook }
	policiesOutput struct{ Body PolicyList }
)

func (s *Server) registerChallenges() {
	const tag = "challenges"
	register(s, spec{id: "list-challenges", method: http.MethodGet, path: "/v1/challenges", tag: tag, access: token,
		summary: "List questions to contacts", more: "Newest first. Those of a team are for its editors, for the secretariats of its forums and for operators; those of a campaign, for whoever may run it.",
		errors: []int{notFound}, answer: QuestionPage{Questions: []Question{exampleQuestion()}}}, s.listChallenges)
	waiting := exampleQuestion()
	waiting.State, waiting.Reached, waiting.Human, waiting.Answered, waiting.Accepted, waiting.Proofs = "scheduled", 0, time.Time{}, time.Time{}, time.Time{}, nil
	register(s, spec{id: "ask-contact", method: http.MethodPost, path: "/v1/challenges", tag: tag, access: token, status: http.StatusCreated,
		summary: "Have a contact asked whether it answers",
		more: "The mail goes out as soon as limits allow: quiet hours, holidays, caps, and 14 days or more since the last question. A contact is asked one thing at a time (409). " +
			"For the team's editors, for the secretariats of its forums and for operators.",
		errors: []int{notFound, conflict}, body: NewQuestion{Team: "example-csirt", Contact: waiting.Contact, Kind: "code"}, answer: waiting}, s.askContact)
	register(s, spec{id: "get-challenge", method: http.MethodGet, path: "/v1/challenges/{id}", tag: tag, access: token,
		summary: "Show a question and what happened to it", more: "For the team's editors, for the secretariats of its forums and for operators.", errors: []int{notFound},
		answer: QuestionStory{Question: exampleQuestion(), Events: []QuestionEvent{{N: 1, At: exampleDay(), Event: "code-right", Step: "first", Effects: []string{"record answered challenge.code"}}}}}, s.getChallenge)
	register(s, spec{id: "team-challenges", method: http.MethodGet, path: "/v1/teams/{id}/challenges", tag: tag, access: token,
		summary: "Show how a team's contacts stand with their questions",
		more:    "By which policy each is asked, when next and why, and what it is and was asked. For the team's editors, for the secretariats of its forums and for operators.",
		errors:  []int{notFound}, answer: TeamOutlook{Team: exampleRef(), Contacts: []ContactOutlook{{Contact: waiting.Contact, Address: "csirt@example.org", Policy: "half-yearly",
			Rule: "everybody", Kind: "code", Due: exampleDay().AddDate(0, 6, 0), Why: "interval", Proof: exampleDay()}}}}, s.teamChallenges)
	policy, _ := challenge.Preset(challenge.PresetHalfYearly)
	register(s, spec{id: "list-policies", method: http.MethodGet, path: "/v1/policies", tag: tag, access: public,
		summary: "List by which policies contacts are asked",
		more:    "Also for whom each holds, and whether the kill switch is on.",
		answer:  PolicyList{Policies: []AskingPolicy{policyFrom(&policy)}, Rules: []PolicyRule{{"half-yearly", "everybody"}}}}, s.listPolicies)
}

// errOff is the cause where a part of the API is not turned on, which is no failure to log.
var errOff = errors.New("api: not turned on")

// desk returns what asks contacts.
func (s *Server) desk() (*challenge.Desk, error) {
	if s.cfg.Challenges == nil {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "ask contacts", Err: errOff, Problems: []directory.Problem{
			{Code: "challenge.off", Reason: "this server asks no contacts", Want: "mail and challenges to be set up by its operator"}}}
	}
	return s.cfg.Challenges, nil
}

// deskCall is a request to a desk, its body read.
type deskCall[T any] struct {
	*challenge.Desk
	viewer directory.Principal
	body   T
}

// readDesk reads the body of a request to a desk.
func readDesk[T any](ctx context.Context, s *Server) (d deskCall[T], err error) {
	c := callFrom(ctx)
	if err = c.decode(&d.body); err == nil {
		d.viewer = c.viewer
		d.Desk, err = s.desk()
	}
	return d, err
}

// deskTeam is a request to a desk about a team: whole, for deciding, and as the
// viewer sees it.
type deskTeam struct {
	*challenge.Desk
	viewer directory.Principal
	whole  *directory.Team
	shown  directory.Team
}

func (s *Server) deskTeam(ctx context.Context, ref string) (d deskTeam, err error) {
	if d.Desk, err = s.desk(); err != nil {
		return d, err
	}
	d.viewer = callFrom(ctx).viewer
	if d.shown, err = s.seen(ctx, d.viewer, ref); err != nil {
		return d, err
	}
	d.whole = &d.shown
	if x := s.cfg.Index(); x != nil {
		if t, ok := x.Team(d.shown.ID); ok {
			d.whole = t
		}
	}
	return d, nil
}

// unknownOf names what was not found, where the store had no words for it.
func unknownOf(err error, parameter string, code directory.Code, id, reason, want string) error {
	if directory.KindOf(err) != directory.NotFound {
		return err
	}
	return inParameter(parameter, edgeError(directory.NotFound, code, id, reason, want))
}

func unknownQuestion(err error, id string) error {
	return unknownOf(err, "id", "challenge.unknown", id, "no question has this id", "an id of the list of questions")
}

func (s *Server) listChallenges(ctx context.Context, in *questionsInput) (*questionsOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	f := challenge.ListFilter{Campaign: challenge.CampaignID(in.Campaign), Open: in.Open, Limit: in.Limit + 1}
	if in.Team != "" {
		team, err := s.cfg.Directory.Team(ctx, viewer, in.Team)
		if err != nil {
			return nil, inParameter("team", err)
		}
		f.Team = team.ID
	}
	var last [1]string
	if f.Before, err = parsePageMark(in.After, last[:]); err != nil {
		return nil, inParameter("after", err)
	}
	f.BeforeID = challenge.ID(last[0])
	list, err := desk.List(ctx, viewer, f)
	if err != nil {
		return nil, unknownOf(err, "campaign", "campaign.unknown", in.Campaign, "no campaign has this id", "an id of the list of campaigns")
	}
	out := &questionsOutput{QuestionPage{Questions: []Question{}}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := &list[in.Limit-1]
		out.Body.Next = pageMark(last.Created, string(last.ID))
	}
	for i := range list {
		out.Body.Questions = append(out.Body.Questions, s.asked(&list[i], viewer))
	}
	return out, nil
}

// pageMark names the last item of a page: its moment, an id, and what else is needed.
func pageMark(at time.Time, words ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(append([]string{strconv.FormatInt(at.UnixMicro(), 10)}, words...), " ")))
}

// parsePageMark reads where a page begins, and its words; the zero time for the first page.
func parsePageMark(after string, words []string) (time.Time, error) {
	if after == "" {
		return time.Time{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(after)
	all := strings.Split(string(data), " ")
	n, parsed := strconv.ParseInt(all[0], 10, 64)
	if err != nil || parsed != nil || n <= 0 || len(all) != len(words)+1 || len(all[1]) != len(exampleTeamID) {
		return time.Time{}, directory.Problem{Code: "cursor.syntax", Value: shorten(after), Reason: "not the next of any page", Want: "the next of the page before, as it was given"}
	}
	copy(words, all[1:])
	return time.UnixMicro(n).UTC(), nil
}

func (s *Server) askContact(ctx context.Context, _ *struct{}) (*newQuestion, error) {
	d, err := readDesk[NewQuestion](ctx, s)
	if err != nil {
		return nil, err
	}
	in := &d.body
	if kind := challenge.Kind(in.Kind); kind != "" && !kind.ByMail() && kind != challenge.KindPhone && kind != challenge.KindWebhook {
		return nil, invalid("read body", []directory.Problem{{Code: challenge.CodeNoWay, Field: "/kind", Value: shorten(in.Kind), Reason: "nobody is asked so", Want: "code, nonce, signed, both, drill, webhook or phone, or nothing for what fits the contact"}})
	}
	team, err := s.teamOf(ctx, d.viewer, in.Team, in.Contact)
	if err != nil {
		return nil, err
	}
	q, err := d.Order(ctx, d.viewer, challenge.Ask{Team: team.ID, Contact: directory.ContactID(in.Contact), Kind: challenge.Kind(in.Kind), Policy: in.Policy, Due: in.Due})
	if err != nil {
		return nil, err
	}
	return &newQuestion{Location: "/v1/challenges/" + string(q.ID), Body: s.asked(&q, d.viewer)}, nil
}

// teamOf finds the team of a request's body, and wants it to have the contact.
func (s *Server) teamOf(ctx context.Context, viewer directory.Principal, ref, contact string) (directory.Team, error) {
	team, err := s.cfg.Directory.Team(ctx, viewer, ref)
	if directory.KindOf(err) == directory.NotFound {
		return team, invalid("read body", []directory.Problem{{Code: "team.unknown", Field: "/team", Value: shorten(ref), Reason: "no team has this handle or id", Want: "a handle or id of the directory"}})
	}
	if err != nil {
		return team, err
	}
	for i := range team.Contacts {
		if string(team.Contacts[i].ID) == contact {
			return team, nil
		}
	}
	return team, invalid("read body", []directory.Problem{{Code: "contact.unknown", Field: "/contact", Value: shorten(contact), Reason: "the team has no such contact, or it is not shown to you", Want: "the id of one of its contacts"}})
}

func (s *Server) getChallenge(ctx context.Context, in *questionInput) (*storyOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	c, log, err := desk.See(ctx, viewer, challenge.ID(in.ID))
	if err != nil {
		return nil, unknownQuestion(err, in.ID)
	}
	return &storyOutput{StoryOf(s.cfg.Index(), &c, log, desk.PhoneCode(viewer, &c), viewer)}, nil
}

func (s *Server) teamChallenges(ctx context.Context, in *outlookInput) (*outlookOutput, error) {
	d, err := s.deskTeam(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	viewer := d.viewer
	list, err := d.Outlook(ctx, viewer, d.whole)
	if err != nil {
		return nil, err
	}
	return &outlookOutput{OutlookOf(s.cfg.Index(), &d.shown, list, viewer)}, nil
}

// OutlookOf makes the wire form of how the contacts of a team stand, as the viewer may see
// it; team is as the viewer sees it.
func OutlookOf(x *directory.Index, team *directory.Team, list []challenge.Outlook, viewer directory.Principal) TeamOutlook {
	out := TeamOutlook{Team: refOf(team), Contacts: []ContactOutlook{}}
	for i := range list {
		l := &list[i]
		one := ContactOutlook{Contact: string(l.Contact.ID), Policy: l.Policy, Kind: string(l.Kind), Due: utc(l.Next.At), Why: string(l.Next.Why), Proof: utc(l.Next.Proof), Mark: string(l.Mark)}
		if l.Policy != "" {
			one.Rule = l.Rule.String()
		}
		if viewer.Sees(l.Contact.Visibility, team) {
			one.Address = l.Contact.Value
		}
		if l.Open != nil {
			q := QuestionOf(x, l.Open, viewer)
			one.Open = &q
		}
		if l.Last != nil {
			q := QuestionOf(x, l.Last, viewer)
			one.Last = &q
		}
		out.Contacts = append(out.Contacts, one)
	}
	return out
}

func (s *Server) listPolicies(ctx context.Context, _ *struct{}) (*policiesOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	out := &policiesOutput{PolicyList{Policies: []AskingPolicy{}, Rules: []PolicyRule{}}}
	for _, p := range desk.Policies() {
		out.Body.Policies = append(out.Body.Policies, policyFrom(&p))
	}
	for _, r := range desk.Rules() {
		out.Body.Rules = append(out.Body.Rules, PolicyRule{r.Policy, r.String()})
	}
	out.Body.Stopped, err = desk.Stopped(ctx)
	return out, err
}
