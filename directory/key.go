package directory

import "time"

// Fingerprint is an OpenPGP fingerprint in upper-case hex: 40 digits for a
// version 4 key, 64 for version 6.
type Fingerprint string

// Key is an OpenPGP certificate and what it says.
type Key struct {
	Fingerprint Fingerprint `json:",omitzero"`
	Version     int         `json:",omitzero"`
	Armor       string      `json:",omitzero"`
	UserIDs     []UserID    `json:",omitzero"`
	Algorithm   string      `json:",omitzero"`
	Bits        int         `json:",omitzero"`
	Created     time.Time   `json:",omitzero"`
	Expires     time.Time   `json:",omitzero"`
}

// UserID is one user id.
type UserID struct {
	Name, Email, Raw string
	Primary, Revoked bool
}

var keyCodes []CodeInfo
