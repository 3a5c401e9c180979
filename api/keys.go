package api

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// KeyNote is something to know about a key.
type KeyNote struct {
	Code   string `json:"code" doc:"Stable code" example:"key.no-encryption"`
	Value  string `json:"value,omitzero" doc:"What it is about"`
	Reason string `json:"reason" doc:"What is so" example:"the key cannot be encrypted to"`
	Want   string `json:"want,omitzero" doc:"What would be better" example:"a key with an encryption subkey"`
}

// KeyInfo is an OpenPGP key of a team, with what it can be used for now.
type KeyInfo struct {
	format.Key
	CanEncrypt bool      `json:"can_encrypt" doc:"Whether mail can be encrypted to it now" example:"true"`
	CanVerify  bool      `json:"can_verify" doc:"Whether it can have signed a mail now" example:"true"`
	Why        string    `json:"why,omitzero" doc:"What stands against the first of the two that it can't"`
	Problems   []KeyNote `json:"problems" doc:"What is odd about the key as it is stored"`
	Report     []KeyNote `json:"report,omitzero" doc:"In the answer to an upload: what was repaired, stripped or dropped, and what is odd"`
}

// KeyList is the keys of a team.
type KeyList struct {
	Keys     []KeyInfo `json:"keys" doc:"In the team's order"`
	Withheld bool      `json:"withheld,omitzero" doc:"There are more, which you may not see"`
}

// armorOutput is an answer that is JSON or armour.
type armorOutput struct {
	ETag        string `header:"ETag" doc:"The revision of the team, for If-Match"`
	ContentType string `header:"Content-Type" hidden:"true"`
	Vary        string `header:"Vary" hidden:"true"`
	Body        []byte
}

type keyShelfType = shelf[format.Key, directory.TeamKey, KeyInfo, KeyList]

// armorMedia is the type of keys in ASCII armour (RFC 3156 section 7).
const armorMedia = "application/pgp-keys"

func keyShelf() *keyShelfType {
	return &keyShelfType{
		list: "keys", one: "key", words: "key", param: "Fingerprint; with .asc behind it the answer is the key in ASCII armour", example: exampleFingerprint,
		sent: format.Key{Armor: exampleArmor}, shown: exampleKey(), media: []string{"application/json", armorMedia},
		items: func(p *directory.Profile) *[]directory.TeamKey { return &p.Keys },
		key:   func(k *directory.TeamKey) string { return string(k.Fingerprint) }, name: func(k *directory.TeamKey) string { return string(k.Fingerprint) },
		origin: func(k *directory.TeamKey) *directory.Origin { return &k.Origin },
		keep:   keepKey,
		read:   readKey,
		wire:   func(p *format.Profile) []format.Key { return p.Keys },
		show:   showKeys,
		all:    func(list []KeyInfo, withheld bool) KeyList { return KeyList{Keys: listed(list), Withheld: withheld} },
		done: func(k *KeyInfo, w format.Key) {
			_, notes, _ := directory.ParseKey([]byte(w.Armor))
			k.Report = notesFrom(notes)
		},
	}
}

// keepKey keeps a key that did not change, with what was noted on its entry:
// its armour was cleaned then, and tells no more of it.
func keepKey(next, old *directory.TeamKey) error {
	switch {
	case old == nil:
	case next.Fingerprint != old.Fingerprint:
		return directory.Problem{Code: "key.fingerprint-mismatch", Value: string(next.Fingerprint), Reason: "this is another key", Want: string(old.Fingerprint) + ", or the key added beside it"}
	case next.Armor == old.Armor:
		next.Key = old.Key
	}
	return nil
}

// readKey reads a key as JSON, or the key itself.
func readKey(c *call, media []string) (w format.Key, err error) {
	data, err := c.body(media...)
	if err != nil {
		return w, err
	}
	if given, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); given == armorMedia {
		w.Armor = string(data)
		// Nothing but the key was sent, so that all of it is wrong or right.
		if _, _, err := directory.ParseKey(data); err != nil {
			return w, invalid("read key", directory.ProblemsOf(err))
		}
		return w, nil
	}
	w, bad := format.DecodeItem[format.Key](data)
	return w, invalid("read item", bad)
}

func showKeys(s *Server, t *directory.Team) []KeyInfo {
	wire := format.ProfileTo(directory.Profile{Keys: t.Keys}).Keys
	out := make([]KeyInfo, len(wire))
	now := s.cfg.Now()
	for i := range out {
		k := &t.Keys[i]
		out[i] = KeyInfo{Key: wire[i], Problems: []KeyNote{}}
		out[i].CanEncrypt, out[i].CanVerify, out[i].Why = usable(k, now)
		if k.Armor != "" {
			_, notes, _ := directory.ParseKey([]byte(k.Armor)) // it was parsed before it was stored
			out[i].Problems = append(out[i].Problems, notesFrom(notes)...)
		}
	}
	return out
}

// usable says what a key can be used for; of one that is a fingerprint alone
// nobody knows.
func usable(k *directory.TeamKey, now time.Time) (encrypt, verify bool, why string) {
	if k.Armor == "" {
		return false, false, "only the fingerprint is known here, and not the key"
	}
	return k.UsableAt(now)
}

func notesFrom(list []directory.Problem) []KeyNote {
	var out []KeyNote
	for _, p := range list {
		out = append(out, KeyNote{Code: string(p.Code), Value: p.Value, Reason: p.Reason, Want: p.Want})
	}
	return out
}

func (s *Server) registerKeys() {
	sh := keyShelf()
	all := spec{id: "list-keys", method: http.MethodGet, path: sh.path(), tag: "parts", access: public,
		summary: "List the keys of a team", more: "As JSON with the facts of each key, or, to Accept: application/pgp-keys, as one file of armoured blocks for gpg --import.",
		errors: []int{notFound}, answer: sh.all([]KeyInfo{sh.shown}, false)}
	one := spec{id: "get-key", method: http.MethodGet, path: sh.path() + "/{key}", tag: "parts", access: public, params: sh.itemParam(),
		summary: "Show a key", more: "As JSON, or in ASCII armour: to Accept: application/pgp-keys, or with .asc behind the fingerprint. One that the viewer may not see is not found.",
		errors: []int{notFound}, answer: sh.shown}
	register(s, all, s.listKeys)
	register(s, one, s.getKey)
	s.armorSchema(all, schemaOf[KeyList](s.huma.OpenAPI().Components.Schemas))
	s.armorSchema(one, schemaOf[KeyInfo](s.huma.OpenAPI().Components.Schemas))
	registerShelf(s, sh)
	for path, method := range map[string]string{sh.path(): http.MethodPost, sh.path() + "/{key}": http.MethodPut} {
		op := operationAt(s.huma.OpenAPI().Paths[path], method)
		op.RequestBody.Content[armorMedia] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleArmor}
	}
}

// armorSchema describes an answer that has two forms.
func (s *Server) armorSchema(sp spec, schema *huma.Schema) {
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: schema, Example: sp.answer},
		armorMedia:         {Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleArmor},
	}
}

// wantsArmor reports whether a client asks for armour and not for JSON.
func wantsArmor(r *http.Request) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		switch media, _, _ := strings.Cut(part, ";"); strings.TrimSpace(media) {
		case armorMedia:
			return true
		case "application/json":
			return false
		}
	}
	return false
}

func (s *Server) listKeys(ctx context.Context, in *teamInput) (*armorOutput, error) {
	c, sh := callFrom(ctx), keyShelf()
	t, err := s.seen(ctx, c.viewer, in.ID)
	if err != nil {
		return nil, err
	}
	out := &armorOutput{ETag: etag(t.Revision), Vary: "Accept"}
	if !wantsArmor(c.r) {
		return out.json(sh.all(sh.show(s, &t), slices.Contains(t.Withheld, sh.list)))
	}
	out.ContentType = armorMedia
	for i := range t.Keys {
		out.Body = append(out.Body, armored(t.Keys[i].Armor)...)
	}
	return out, nil
}

func (s *Server) getKey(ctx context.Context, in *teamInput) (*armorOutput, error) {
	c, sh := callFrom(ctx), keyShelf()
	t, err := s.seen(ctx, c.viewer, in.ID)
	if err != nil {
		return nil, err
	}
	ref, asc := strings.CutSuffix(c.r.PathValue("key"), ".asc")
	i, err := sh.find(t.Keys, ref)
	if err != nil {
		return nil, err
	}
	out := &armorOutput{ETag: etag(t.Revision), Vary: "Accept"}
	switch {
	case !asc && !wantsArmor(c.r):
		return out.json(sh.show(s, &t)[i])
	case t.Keys[i].Armor == "":
		return nil, inParameter("key", edgeError(directory.NotFound, "key.no-armor", ref, "only the fingerprint of this key is known here", "a key server, or the team"))
	}
	out.ContentType, out.Body = armorMedia, []byte(armored(t.Keys[i].Armor))
	return out, nil
}

// armored ends the last line of a block.
func armored(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// json makes the answer the JSON of v.
func (o *armorOutput) json(v any) (*armorOutput, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	o.ContentType, o.Body = "application/json", b.Bytes()
	return o, err
}
