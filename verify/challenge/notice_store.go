package challenge

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// NoticeID names a notice: "notice-" and a UUID made of team and week, so that a team has one a
// week whoever decides it. It is the id of the letter as well.
type NoticeID string

// TeamNotice is a mail to a team about what needs attention. It holds no secret: its token is made of Salt and of
// the server's key each time that it is tried.
type TeamNotice struct {
	ID        NoticeID            `json:"id"`
	Team      directory.TeamID    `json:"team"`    // "" for a secretariat
	Contact   directory.ContactID `json:"contact"` // who gets it
	Revision  int                 `json:"revision"`
	Policy    string              `json:"policy"`
	Recipient string              `json:"recipient,omitempty"` // of [Telling]: it is about other teams, which do not answer
	Things    []Thing             `json:"things"`
	Older     int                 `json:"older,omitempty"` // things that still stand and were told of before
	Record    []AsWas             `json:"record"`          // the contacts as they were: what "nothing has changed" is about
	Expires   time.Time           `json:"expires"`         // of the link

	Accepted  time.Time `json:"accepted,omitzero"`  // the relay took it
	Confirmed time.Time `json:"confirmed,omitzero"` // somebody said that nothing has changed

	// Kept beside the rest, for the store to find and count by.
	Subject string    `json:"-"` // the subject token: a handle, no secret
	Lookup  Digest    `json:"-"` // of the token
	Salt    string    `json:"-"` // "" once it is done
	Address string    `json:"-"` // in lower case
	Domain  string    `json:"-"`
	Created time.Time `json:"-"`
	Due     time.Time `json:"-"` // when to try; zero: it is done
	Attempt int       `json:"-"` // claims so far; the fence of the lease
}

// AsWas is a contact at a revision.
type AsWas struct {
	Contact  directory.ContactID `json:"contact"`
	Revision int                 `json:"revision"`
}

// NoticeStore keeps what teams were told of, and the notices that are to go out. What
// [Store] asks of implementations holds here too.
type NoticeStore interface {
	// NoticeState returns what a team was told of; nothing so far where it was never told of anything.
	NoticeState(context.Context, directory.TeamID) (NoticeState, error)
	// NoticeByID returns one; [directory.NotFound] where there is none.
	NoticeByID(context.Context, NoticeID) (TeamNotice, error)
	// NoticeByToken returns the notice whose link has the token of a digest.
	NoticeByToken(context.Context, Digest) (TeamNotice, error)
	// NoticeBySubject returns the one with a subject token.
	NoticeBySubject(ctx context.Context, subject string) (TeamNotice, error)
	// ClaimNotices leases notices that are to go out, the longest due first.
	ClaimNotices(context.Context, ClaimMails) ([]TeamNotice, error)
}

// NoticeTx is the part of a [Tx] that is about notices.
type NoticeTx interface {
	NoticeState(directory.TeamID) (NoticeState, error)
	PutNoticeState(NoticeState) error
	// PostNotice adds a notice to those that are to go out, and reports whether there was none of its id.
	PostNotice(TeamNotice) (bool, error)
	Notice(NoticeID) (TeamNotice, error)
	// PutNotice writes what became of a notice.
	PutNotice(TeamNotice) error
	// SettleNotice ends the lease of a notice: it is done, or due again. It reports
	// whether the lease was still the claimant's.
	SettleNotice(n TeamNotice, again time.Time) (bool, error)
}

// noticeID is the one notice of a team in the week of a moment (ISO 8601, in UTC).
func noticeID(team directory.TeamID, at time.Time) NoticeID {
	year, week := at.UTC().ISOWeek()
	return NoticeID("notice-" + uuid.NewSHA1(uuid.MustParse("0f4e2f0a-59d6-4b0a-9a2f-6f1c4f6f3c11"), fmt.Appendf(nil, "%s/%d-W%02d", team, year, week)).String())
}
