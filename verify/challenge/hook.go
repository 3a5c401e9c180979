package challenge

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// HookID is the UUID of a [Hook].
type HookID string

// Hook is a subscription to what becomes of questions: an endpoint that a signed
// [Notice] is posted to for each event.
type Hook struct {
	ID      HookID           `json:"id"`
	Team    directory.TeamID `json:"team,omitempty"` // whose questions; "" is everybody's, for operators
	URL     string           `json:"url"`
	Types   []string         `json:"types,omitempty"` // of [NoticeTypes]; none is all
	Note    string           `json:"note,omitempty"`
	Active  bool             `json:"active"`
	Off     string           `json:"off,omitempty"` // why it was switched off by itself
	Failed  int              `json:"failed,omitempty"`
	Created time.Time        `json:"created"`
	By      string           `json:"by"`

	Secret   string    `json:"secret"` // sealed, see Key.seal
	Old      string    `json:"old,omitempty"`
	OldUntil time.Time `json:"old_until,omitzero"` // until when both secrets sign
}

// Limits of subscriptions.
const (
	mostHooksOfTeam = 20
	mostHooks       = 500
	longestNote     = 200
	longestKey      = 1024           // characters
	bothSecrets     = 24 * time.Hour // while a secret is being replaced
)

// noticePing is the type of a notice that only tries out an endpoint.
const noticePing = "ping"

// NoticeTypes returns the types of notices that a hook can ask for: every state
// that a question moves to.
func NoticeTypes() []string {
	var list []string
	for _, s := range States() {
		if s != StateScheduled { // nothing leads back to it
			list = append(list, noticeType(s))
		}
	}
	return list
}

func noticeType(s State) string { return "challenge." + string(s) }

// wants reports whether a hook is told of a notice.
func (h *Hook) wants(n *Notice) bool {
	return h.Active && (h.Team == "" || h.Team == n.Team) && (len(h.Types) == 0 || slices.Contains(h.Types, n.Type))
}

// check returns what is wrong with a hook as somebody wants it.
func (h *Hook) check() []directory.Problem {
	var x policyChecker
	if f := verify.CheckPost(h.URL); f != nil {
		x.add(true, CodeHookURL, "/url", clip(h.URL), "nothing is posted there: "+string(f.Code), "an https URL with a host name, on the default port, without user name, of at most 2,048 characters")
	}
	for i, t := range h.Types {
		x.add(!slices.Contains(NoticeTypes(), t), CodeHookType, fmt.Sprintf("/types/%d", i), clip(t), "there is no such event", "challenge.answered, or another state that a question moves to")
	}
	x.add(len(h.Types) > len(NoticeTypes()), CodeHookType, "/types", len(h.Types), "more types than there are", "each type once, or none for all")
	x.add(len([]rune(h.Note)) > longestNote, CodeHookNote, "/note", clip(h.Note), "too long", "at most 200 characters")
	return x.found
}

// Endpoint is how the automation behind a contact of channel url is asked
// ([KindWebhook]) and how it answers.
type Endpoint struct {
	Contact directory.ContactID `json:"contact"`
	Team    directory.TeamID    `json:"team"`
	Scheme  Scheme              `json:"scheme"`
	Key     string              `json:"key"`    // that answers are signed with, sealed
	Secret  string              `json:"secret"` // that our questions are signed with, sealed
	Created time.Time           `json:"created"`
	By      string              `json:"by"`
}

// errAnswerKey does not say what it was: it is to be a secret.
var errAnswerKey = errors.New("challenge: not a key to answer with")

// answerKey reads the key of a scheme as people send it: a secret as it is, a
// public key in base64.
func answerKey(scheme Scheme, text string) (AnswerKey, error) {
	k := AnswerKey{Scheme: scheme, Key: []byte(text)}
	if scheme == SchemeEd25519 {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return k, errAnswerKey
		}
		k.Key = raw
	}
	if len(text) > longestKey {
		return k, errAnswerKey
	}
	return k, k.Check()
}

// secretPrefix begins every secret of ours, so that it is found where it does
// not belong.
const secretPrefix = "rcw_"

// newSecret makes a secret to sign with: its characters are the key.
func newSecret(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("challenge: randomness: %w", err)
	}
	return secretPrefix + encode(raw[:]), nil
}

// errSealed is a secret that was sealed by another key, or for something else.
var errSealed = errors.New("challenge: a stored secret can't be opened: it was sealed by another server's key, or is damaged")

// sealer encrypts secrets that have to be used again, under a key of its own
// derived from the server's: who has the database alone has none of them.
func (k Key) sealer() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.secret, nil, "rollcall webhook secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("challenge: secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("challenge: secrets: %w", err)
	}
	return cipher.NewGCM(block)
}

// seal encrypts a secret for what it belongs to (AES-256-GCM): it opens in no
// other place.
func (k Key) seal(random io.Reader, owner string, secret []byte) (string, error) {
	aead, err := k.sealer()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(secret)+aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("challenge: randomness: %w", err)
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, secret, []byte(owner))), nil
}

func (k Key) unseal(owner, sealed string) ([]byte, error) {
	aead, err := k.sealer()
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < aead.NonceSize() {
		return nil, errSealed
	}
	secret, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(owner))
	if err != nil {
		return nil, errSealed
	}
	return secret, nil
}

func (h *Hook) owner() string      { return "webhook/" + string(h.ID) }
func (e *Endpoint) ours() string   { return "question/" + string(e.Contact) }
func (e *Endpoint) theirs() string { return "answer/" + string(e.Contact) }

// secretsAt returns the secrets that sign for a hook at now.
func (h *Hook) secretsAt(k Key, now time.Time) ([][]byte, error) {
	var out [][]byte
	for _, s := range []struct {
		sealed string
		holds  bool
	}{{h.Secret, true}, {h.Old, h.Old != "" && now.Before(h.OldUntil)}} {
		if !s.holds {
			continue
		}
		secret, err := k.unseal(h.owner(), s.sealed)
		if err != nil {
			return nil, err
		}
		out = append(out, secret)
	}
	return out, nil
}

// Delivery is one notice on its way to one hook.
type Delivery struct {
	Hook    HookID
	N       int64 // of the notice
	Type    string
	Created time.Time
	Begun   time.Time // first try; zero before
	Due     time.Time // when it is tried next; zero when it is over
	Attempt int       // claims so far; the fence of the lease
	State   DeliveryState
	Status  int    // of HTTP, of the last try; 0 without an answer
	Problem string // code of what went wrong at the last try
	Done    time.Time
	Body    []byte // the notice as it is sent; of claims only
}

// DeliveryState is what became of a delivery.
type DeliveryState string

// The states of deliveries.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliveryDone    DeliveryState = "done"
	DeliveryGivenUp DeliveryState = "given-up"
	DeliveryDropped DeliveryState = "dropped" // its hook was switched off
)

// ID is the same each time that a delivery is tried.
func (d *Delivery) ID() string { return fmt.Sprintf("%s-%d", d.Hook, d.N) }

// NoticeFilter says which notices are read.
type NoticeFilter struct {
	After    int64            // numbers above
	Team     directory.TeamID // "" is all
	Campaign CampaignID       // "" is all
	Type     string           // "" is all
	Limit    int
}

// HookStore keeps hooks, endpoints, notices and their deliveries. It is part of [Store].
type HookStore interface {
	// Hooks returns those of a team, oldest first; "" is of all teams and of everybody.
	Hooks(context.Context, directory.TeamID) ([]Hook, error)
	// Hook returns one; [directory.NotFound] where there is none.
	Hook(context.Context, HookID) (Hook, error)
	// Deliveries returns those of a hook whose number is below before, newest first; 0 is all.
	Deliveries(ctx context.Context, id HookID, before int64, limit int) ([]Delivery, error)
	// ClaimDeliveries leases deliveries that are due, of each hook the lowest that
	// is not over, and no other.
	ClaimDeliveries(context.Context, ClaimMails) ([]Delivery, error)
	// Notices returns those that pass, in the order of their numbers; pings are none.
	Notices(context.Context, NoticeFilter) ([]Notice, error)
	// LastNotice returns the number of the newest; 0 for none.
	LastNotice(context.Context) (int64, error)
	// PruneNotices removes notices from before a moment, with deliveries that are
	// over, and reports whether there may be more. The newest stays: its number must
	// not be given again.
	PruneNotices(context.Context, time.Time) (more bool, err error)
	// Endpoints returns those of a team; "" is of all.
	Endpoints(context.Context, directory.TeamID) ([]Endpoint, error)
}

// HookTx writes what a [HookStore] keeps. It is part of [Tx].
type HookTx interface {
	Hook(HookID) (Hook, error)
	Hooks(directory.TeamID) ([]Hook, error)
	// HooksFor returns the active ones that hear of a team.
	HooksFor(directory.TeamID) ([]Hook, error)
	PutHook(Hook) error
	// DropHook removes one with its deliveries, and reports whether it was there.
	DropHook(HookID) (bool, error)
	// PutEvent writes a notice under the next number, which it returns; one with a
	// hook is of that hook alone.
	PutEvent(Notice, HookID) (int64, error)
	PutDelivery(id HookID, n int64, at time.Time) error
	// SettleDelivery ends the lease of a delivery: State, Status, Problem, Begun, Due and
	// Done are written. It reports whether the lease was still the claimant's.
	SettleDelivery(Delivery) (bool, error)
	// DropDeliveries marks those of a hook that are not over as dropped.
	DropDeliveries(id HookID, at time.Time) error
	// WaitingDeliveries counts those of a hook that are not over.
	WaitingDeliveries(HookID) (int, error)
	// Endpoint returns that of a contact, false for none.
	Endpoint(directory.ContactID) (Endpoint, bool, error)
	PutEndpoint(Endpoint) error
	DropEndpoint(directory.ContactID) (bool, error)
}
