package directory

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"
)

// tokenPrefix makes a leaked token recognisable in logs and repositories.
const tokenPrefix = "rct_"

// TokenSpec says what a new token is for.
type TokenSpec struct {
	Name    string // what it is for, at most 100 characters
	Role    Role
	Team    string        // handle or id; required for an editor, allowed for a consumer
	Forum   string        // required for a secretariat
	Scopes  []Scope       // nil: all that the role allows
	Expires time.Duration // 0: never
}

// base32Lower is Crockford-free lower-case base32 without padding (RFC 4648
// section 6, lower case).
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CreateToken makes a token and returns its secret, which is stored nowhere
// and can't be shown again: 160 random bits behind the public id.
func (d *Directory) CreateToken(ctx context.Context, p Principal, spec TokenSpec) (secret string, t Token, err error) {
	if err := authorise(p, actTokens, nil); err != nil {
		return "", Token{}, err
	}
	t, err = d.newToken(ctx, p, spec)
	if err != nil {
		return "", Token{}, err
	}
	secret = t.ID + "_" + base32Lower.EncodeToString(d.random(20))
	t.Hash = hashToken(secret)
	return secret, t, d.putToken(ctx, p, "create token", t)
}

func (d *Directory) newToken(ctx context.Context, p Principal, spec TokenSpec) (Token, error) {
	c := checker{now: d.cfg.Now()}
	c.line("/name", spec.Name, 100)
	t := Token{
		ID: tokenPrefix + base32Lower.EncodeToString(d.random(5)), Name: spec.Name, Role: spec.Role,
		Forum: spec.Forum, Scopes: spec.Scopes, Created: c.now, By: p.Name,
	}
	if spec.Expires < 0 {
		c.add("token.expires", "/expires", spec.Expires.String(), "in the past", "a time to come, such as 90d")
	}
	if spec.Expires > 0 {
		t.Expires = c.now.Add(spec.Expires)
	}
	c.binding(spec)
	if len(c.found) > 0 {
		return Token{}, &Error{Kind: Invalid, Op: "create token", Problems: c.found}
	}
	if spec.Team == "" {
		return t, nil
	}
	r, err := d.find(ctx, spec.Team)
	if err != nil {
		return Token{}, err
	}
	t.Team = r.ID
	return t, nil
}

// binding checks that a role is bound to what it needs and to nothing else.
func (c *checker) binding(spec TokenSpec) {
	switch spec.Role {
	case Consumer, Operator, Editor, Secretariat:
	default:
		c.add("token.role", "/role", string(spec.Role), "not a role that a token can carry", "consumer, editor, secretariat or operator")
		return
	}
	if spec.Role == Editor && spec.Team == "" {
		c.add("token.team", "/team", "", "an editor edits one team", "the team's handle or id")
	}
	if spec.Team != "" && spec.Role != Editor && spec.Role != Consumer {
		c.add("token.team", "/team", spec.Team, "only an editor or a consumer belongs to a team", "no team")
	}
	if spec.Role == Secretariat {
		if _, err := ParseHandle(spec.Forum); err != nil {
			c.add("token.forum", "/forum", spec.Forum, "a secretariat keeps one forum", "the forum's handle, such as first")
		}
	} else if spec.Forum != "" {
		c.add("token.forum", "/forum", spec.Forum, "only a secretariat is bound to a forum", "no forum")
	}
	if spec.Scopes != nil && len(spec.Scopes) == 0 {
		c.add("token.scope", "/scopes", "", "a token with no scope can do nothing", "no list at all for every scope of the role")
	}
	for _, s := range spec.Scopes {
		switch s {
		case ScopeRead, ScopeWrite, ScopeImport, ScopeAdmin:
		default:
			c.add("token.scope", "/scopes", string(s), "not a scope", "read, write, import or admin")
		}
	}
}

func (d *Directory) putToken(ctx context.Context, p Principal, act string, t Token) error {
	now := d.cfg.Now()
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		seq, err := tx.NextSeq(1)
		if err != nil {
			return err
		}
		if err := tx.PutToken(t); err != nil {
			return err
		}
		return tx.Append(
			Change{Seq: seq, Type: "token", ID: t.ID, Op: OpUpsert, At: now},
			AuditEntry{Seq: seq, At: now, Actor: p.Name, Action: act, Subject: "token:" + t.ID, Detail: t.Name})
	})
	return d.committed(ctx, err)
}

// Tokens returns all tokens, without secrets.
func (d *Directory) Tokens(ctx context.Context, p Principal) (list []Token, err error) {
	if err := authorise(p, actTokens, nil); err != nil {
		return nil, err
	}
	d.Wait() // for the last uses
	err = d.cfg.Store.View(ctx, func(r Reader) error {
		list, err = r.Tokens()
		return err
	})
	return list, err
}

// RevokeToken ends a token at once. Revoking twice is no error.
func (d *Directory) RevokeToken(ctx context.Context, p Principal, id string) (Token, error) {
	if err := authorise(p, actTokens, nil); err != nil {
		return Token{}, err
	}
	d.Wait() // or a use noted meanwhile would be written over
	t, err := d.token(ctx, id)
	if err != nil || !t.Revoked.IsZero() {
		return t, err
	}
	t.Revoked = d.cfg.Now()
	return t, d.putToken(ctx, p, "revoke token", t)
}

func (d *Directory) token(ctx context.Context, id string) (t Token, err error) {
	err = d.cfg.Store.View(ctx, func(r Reader) error {
		t, err = r.Token(id)
		return err
	})
	return t, err
}

// Authenticate returns the principal behind a token's secret. An unknown,
// expired or revoked token is [Unauthenticated], with a reason that gives
// nothing away about tokens the caller does not hold.
func (d *Directory) Authenticate(ctx context.Context, secret string) (Principal, error) {
	i := strings.LastIndexByte(secret, '_')
	if i < len(tokenPrefix) || !strings.HasPrefix(secret, tokenPrefix) {
		return Principal{}, unauthenticated("auth.token", "not a token of this directory")
	}
	t, err := d.token(ctx, secret[:i])
	switch {
	case KindOf(err) == NotFound:
		return Principal{}, unauthenticated("auth.token", "the token is unknown")
	case err != nil:
		return Principal{}, err
	case subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hashToken(secret))) != 1:
		return Principal{}, unauthenticated("auth.token", "the token is unknown")
	}
	now := d.cfg.Now()
	switch t.State(now) {
	case "expired":
		return Principal{}, unauthenticated("auth.token-expired", "the token expired on "+t.Expires.Format(time.DateOnly))
	case "revoked":
		return Principal{}, unauthenticated("auth.token-revoked", "the token was revoked on "+t.Revoked.Format(time.DateOnly))
	}
	if now.Sub(t.LastUsed) >= time.Minute {
		d.touch(t.ID, now.Truncate(time.Minute))
	}
	return d.principal(ctx, t)
}

// touch notes when a token was used, beside the request, which must not wait
// for the store's writer. A use that can't be noted is no reason to refuse it.
func (d *Directory) touch(id string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.used == nil {
		d.used = map[string]time.Time{}
	}
	d.used[id] = at
	if d.touching {
		return // whoever writes takes this one along
	}
	d.touching = true
	d.writing.Go(func() {
		for uses := d.takeUses(); len(uses) > 0; uses = d.takeUses() {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			_ = d.cfg.Store.TouchTokens(ctx, uses)
			cancel()
		}
	})
}

// takeUses returns what has to be noted; with nothing left, nobody writes.
func (d *Directory) takeUses() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	uses := d.used
	d.used = nil
	d.touching = len(uses) > 0
	return uses
}

// Wait returns when the uses of tokens are noted. Call it before the store is
// closed.
func (d *Directory) Wait() { d.writing.Wait() }

// principal gives the token's owner the forums of its team.
func (d *Directory) principal(ctx context.Context, t Token) (Principal, error) {
	p := Principal{Name: "token:" + t.ID, Role: t.Role, Team: t.Team, Forum: t.Forum, Scopes: t.Scopes}
	if t.Forum != "" {
		p.Forums = []string{t.Forum}
	}
	if t.Team == "" {
		return p, nil
	}
	r, err := d.find(ctx, string(t.Team))
	if KindOf(err) == NotFound {
		return Principal{}, unauthenticated("auth.token", "the token's team no longer exists")
	}
	if err != nil {
		return Principal{}, err
	}
	team := r.Team()
	p.Team, p.Forums = r.ID, team.Forums()
	return p, nil
}

func unauthenticated(code Code, reason string) error {
	return &Error{Kind: Unauthenticated, Op: "authenticate", Problems: []Problem{problem(code, "", reason, "a valid token")}}
}

// hashToken needs no salt and no stretching: the secret has 160 random bits.
func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Token returns a token by its public id. It tells nothing of its secret.
func (d *Directory) Token(ctx context.Context, p Principal, id string) (Token, error) {
	if err := authorise(p, actTokens, nil); err != nil {
		return Token{}, err
	}
	d.Wait() // for the last use
	return d.token(ctx, id)
}

// OwnToken returns the token by which p signed in, whatever its scopes;
// [NotFound] for somebody who did not use one.
func (d *Directory) OwnToken(ctx context.Context, p Principal) (Token, error) {
	id, ok := strings.CutPrefix(p.Name, "token:")
	switch {
	case !p.SignedIn():
		return Token{}, &Error{Kind: Unauthenticated, Op: "read token", Problems: []Problem{
			problem("auth.required", "", "this needs a token", "an Authorization header with a Bearer token")}}
	case !ok:
		return Token{}, &Error{Kind: NotFound, Op: "read token", Subject: p.Name}
	}
	d.Wait()
	return d.token(ctx, id)
}
