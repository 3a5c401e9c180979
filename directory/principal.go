package directory

import (
	"slices"
	"time"
)

// Role is what somebody is to the directory.
type Role string

// The roles, each with the rights of the ones before it where that makes sense.
const (
	Anonymous   Role = "anonymous"   // reads what is CLEAR
	Consumer    Role = "consumer"    // a tool or person with a token: reads what is GREEN
	Editor      Role = "editor"      // edits the team it is bound to
	Secretariat Role = "secretariat" // keeps the members of the forum it is bound to
	Operator    Role = "operator"    // runs this instance
)

// Roles lists the roles that a token can carry.
func Roles() []Role { return []Role{Consumer, Editor, Secretariat, Operator} }

// Scope narrows what a token may do within its role.
type Scope string

// The scopes.
const (
	ScopeRead   Scope = "read"   // see teams and look up
	ScopeWrite  Scope = "write"  // change teams
	ScopeImport Scope = "import" // load directories and reference data
	ScopeAdmin  Scope = "admin"  // tokens, audit, evidence by hand
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeWrite, ScopeImport, ScopeAdmin} }

// Principal is whoever asks: who, in which role, bound to what. The zero value
// is nobody and is treated as [Anonymous].
type Principal struct {
	Name   string   // for audit entries: "token:rct_4f2a…", "cli:root"
	Role   Role     // "" is anonymous
	Team   TeamID   // the team an editor edits; a consumer may belong to one too
	Forum  string   // the forum a secretariat keeps
	Scopes []Scope  // nil is all that the role allows
	Forums []string // forums whose AMBER the principal may see: those of its team, or the one it keeps
	// AtMost is the strictest label that the principal asks to see, for what it
	// is going to hand on; "" is all that it may. It never shows more.
	AtMost TLP
}

// Nobody is the principal of a request without credentials.
func Nobody() Principal { return Principal{Name: "anonymous", Role: Anonymous} }

// may reports whether the token's scopes include s.
func (p Principal) may(s Scope) bool {
	return p.Scopes == nil || slices.Contains(p.Scopes, s)
}

// SignedIn reports whether the principal proved who it is.
func (p Principal) SignedIn() bool { return p.Role != "" && p.Role != Anonymous }

// Token is an API token as the directory keeps it: never the secret itself.
type Token struct {
	ID       string // public part, also the start of the secret: "rct_4f2a9c1b"
	Name     string // what it is for
	Hash     string // SHA-256 of the whole secret, in hex
	Role     Role
	Team     TeamID
	Forum    string
	Scopes   []Scope
	Created  time.Time
	By       string
	Expires  time.Time // zero: never
	LastUsed time.Time // to the minute; zero: never
	Revoked  time.Time // zero: in force
}

// State says whether the token is "valid", "expired" or "revoked" at now.
func (t Token) State(now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return "expired"
	}
	return "valid"
}
