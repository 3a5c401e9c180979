package format

import (
	"strconv"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// rollcallSuccession is how a team came to a key, as our own NDJSON has it.
type rollcallSuccession struct {
	Fingerprint string             `json:"fingerprint"`
	At          time.Time          `json:"at,omitzero"`
	By          string             `json:"by,omitzero"`
	Old         []string           `json:"old,omitzero"`
	Proofs      []rollcallKeyProof `json:"proofs,omitzero"`
	Refused     time.Time          `json:"refused,omitzero"`
	RefusedBy   string             `json:"refused_by,omitzero"`
	Why         string             `json:"why,omitzero"`
}

type rollcallKeyProof struct {
	Ground   string    `json:"ground"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Old      string    `json:"old,omitzero"`
	Signed   time.Time `json:"signed,omitzero"`
	Channels []string  `json:"channels,omitzero"`
	Note     string    `json:"note,omitzero"`
}

type rollcallFormer struct {
	Key  Key       `json:"key"`
	Left time.Time `json:"left"`
}

func successionTo(s directory.Succession) rollcallSuccession {
	return rollcallSuccession{Fingerprint: string(s.Fingerprint), At: utc(s.At), By: s.By, Old: textsTo(s.Old), Proofs: each(s.Proofs, keyProofTo),
		Refused: utc(s.Refused), RefusedBy: s.RefusedBy, Why: s.Why}
}

func keyProofTo(x directory.KeyProof) rollcallKeyProof {
	return rollcallKeyProof{Ground: string(x.Ground), By: x.By, At: utc(x.At), Old: string(x.Old), Signed: utc(x.Signed), Channels: x.Channels, Note: x.Note}
}

func formerTo(k directory.FormerKey) rollcallFormer {
	return rollcallFormer{keyTo(k.TeamKey), utc(k.Left)}
}

func (p *parser) succession(at string, w rollcallSuccession) directory.Succession {
	s := directory.Succession{
		Fingerprint: required(p, at+"/fingerprint", w.Fingerprint, directory.ParseFingerprint), At: w.At, By: p.plain(at+"/by", w.By),
		Proofs: convert(at+"/proofs", w.Proofs, p.keyProof), Refused: w.Refused, RefusedBy: p.plain(at+"/refused_by", w.RefusedBy), Why: p.plain(at+"/why", w.Why),
	}
	for i, old := range w.Old {
		s.Old = append(s.Old, required(p, at+"/old/"+strconv.Itoa(i), old, directory.ParseFingerprint))
	}
	return s
}

func (p *parser) keyProof(at string, w rollcallKeyProof) directory.KeyProof {
	x := directory.KeyProof{Ground: directory.KeyGround(w.Ground), By: p.plain(at+"/by", w.By), At: w.At,
		Old: optional(p, at+"/old", w.Old, directory.ParseFingerprint), Signed: w.Signed, Note: p.plain(at+"/note", w.Note)}
	for i, c := range w.Channels {
		x.Channels = append(x.Channels, p.plain(at+"/channels/"+strconv.Itoa(i), c))
	}
	switch x.Ground {
	case directory.KeyCertified, directory.KeyStated, directory.KeyChannels, directory.KeyConfirmed:
	default:
		p.add("field.range", at+"/ground", w.Ground, "nothing that speaks for a key", "certified, stated, channels or confirmed")
	}
	return x
}

func (p *parser) former(at string, w rollcallFormer) directory.FormerKey {
	return directory.FormerKey{TeamKey: p.key(at+"/key", w.Key), Left: w.Left}
}
