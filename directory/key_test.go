package directory_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// refusedKey is an input that gives no key.
type refusedKey = struct {
	data []byte
	code directory.Code
}

// acceptedKey is an input that gives a key, with exactly the notes it gives.
type acceptedKey = struct {
	data  []byte
	codes []directory.Code
}

// madeKeys are inputs of several tests, made once: their RSA keys take long.
// No test changes them.
var madeKeys struct {
	refusedOnce, acceptedOnce sync.Once
	refused                   map[string]refusedKey
	accepted                  map[string]acceptedKey
}

// refused are inputs that give no key, each with its code.
func refused(t testing.TB) map[string]refusedKey {
	madeKeys.refusedOnce.Do(func() { madeKeys.refused = makeRefused(t) })
	if len(madeKeys.refused) == 0 {
		t.Fatal("the keys could not be made")
	}
	return madeKeys.refused
}

// accepted are inputs that give a key, with exactly the notes they give.
func accepted(t testing.TB) map[string]acceptedKey {
	madeKeys.acceptedOnce.Do(func() { madeKeys.accepted = makeAccepted(t) })
	if len(madeKeys.accepted) == 0 {
		t.Fatal("the keys could not be made")
	}
	return madeKeys.accepted
}

func makeRefused(t testing.TB) map[string]refusedKey {
	good, other := keyFile(t, "good"), keyFile(t, "other")
	goodRaw := dearmored(t, good)
	goodPackets := split(t, goodRaw)
	e := entity(t, packet.Config{})
	priv := secret(t, e)
	privPackets := split(t, priv)
	privArmor := armored(t, "PGP PRIVATE KEY BLOCK", priv)
	type c = struct {
		data []byte
		code directory.Code
	}
	many := func(n int, of *packet.OpaquePacket) []*packet.OpaquePacket {
		return slices.Repeat([]*packet.OpaquePacket{of}, n)
	}
	uids, subkeys, unreadable := goodPackets[:1:1], goodPackets[:3:3], goodPackets[:3:3]
	for i := range 65 {
		uids = append(uids, opaque(13, fmt.Appendf(nil, "User %d <u%d@example.org>", i, i)...), goodPackets[2])
		subkeys = append(subkeys, opaque(14, rawKey(4, 25, bytes.Repeat([]byte{byte(i + 1)}, 32)...)...))
		unreadable = append(unreadable, opaque(14, rawKey(4, 99, byte(i))...))
	}
	forged := slices.Clone(goodPackets)
	forged[1] = opaque(13, []byte("Someone else <someone@example.org>")...)
	manySigs := slices.Clone(goodPackets[:3])
	for i := range 2001 {
		s := slices.Clone(goodPackets[2].Contents)
		binary.BigEndian.PutUint16(s[len(s)-2:], uint16(i))
		manySigs = append(manySigs, opaque(2, s...))
	}
	return map[string]c{
		"nothing":                            {nil, "key.empty"},
		"blanks only":                        {[]byte(" \r\n\t\n"), "key.empty"},
		"a byte order mark only":             {[]byte("\xef\xbb\xbf"), "key.empty"},
		"a private key, armoured":            {[]byte(privArmor), "key.private"},
		"a private key, binary":              {priv, "key.private"},
		"a private key cut short":            {priv[:40], "key.private"},
		"a private key cut short, armoured":  {[]byte(privArmor[:300]), "key.private"},
		"a private key in the second block":  {[]byte(good + privArmor), "key.private"},
		"a private key called a public one":  {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", priv)), "key.private"},
		"the same in the second block":       {[]byte(good + armored(t, "PGP PUBLIC KEY BLOCK", priv)), "key.private"},
		"a secret subkey behind a public":    {append(bytes.Clone(goodRaw), join(t, privPackets[len(privPackets)-2:]...)...), "key.private"},
		"a private key, flattened":           {[]byte(strings.ReplaceAll(privArmor, "\n", " ")), "key.private"},
		"a private key as bare base64":       {[]byte(base64Of(priv)), "key.private"},
		"a private key in UTF-16":            {toUTF16(privArmor, binary.LittleEndian), "key.private"},
		"a private key after a BOM":          {[]byte("\xef\xbb\xbf" + privArmor), "key.private"},
		"a private key in an HTML page":      {[]byte("<html><body><pre>" + privArmor + "</pre>"), "key.private"},
		"a private key in 600 KB":            {[]byte(strings.Repeat("x\n", 300<<10) + privArmor), "key.private"},
		"a private key of SSH":               {[]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"), "key.private"},
		"more than 512 KiB":                  {flood(t, goodRaw, 512<<10+1), "key.too-large"},
		"a flood of 27 MB":                   {flood(t, goodRaw, 27<<20), "key.too-large"},
		"two blocks":                         {[]byte(good + other), "key.several-blocks"},
		"the same block twice":               {[]byte(good + good), "key.several-blocks"},
		"a key and its signature":            {[]byte(good + keyFile(t, "signature")), "key.several-blocks"},
		"two primary keys in one block":      {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", append(bytes.Clone(goodRaw), dearmored(t, other)...))), "key.several-certificates"},
		"two primary keys, binary":           {append(bytes.Clone(goodRaw), dearmored(t, other)...), "key.several-certificates"},
		"version 2":                          {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(2, 1, append(mpi(1024), mpi(17)...)...)...)}, goodPackets[1:]...)...), "key.version-3"},
		"version 3":                          {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(3, 1, append(mpi(1024), mpi(17)...)...)...)}, goodPackets[1:]...)...), "key.version-3"},
		"version 5":                          {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(5, 22, 9, 1, 2, 3)...)}, goodPackets[1:]...)...), "key.version-5"},
		"version 7":                          {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(7, 22, 9, 1, 2, 3)...)}, goodPackets[1:]...)...), "key.version-unknown"},
		"an unknown algorithm":               {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(4, 99, 1, 2, 3)...)}, goodPackets[1:]...)...), "key.algorithm-unknown"},
		"RSA of 512 bits":                    {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(4, 1, append(mpi(512), mpi(17)...)...)...)}, goodPackets[1:]...)...), "key.size-refused"},
		"RSA of 32,768 bits":                 {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(4, 1, append(mpi(32768), mpi(17)...)...)...)}, goodPackets[1:]...)...), "key.size-refused"},
		"bytes behind the numbers":           {join(t, append([]*packet.OpaquePacket{opaque(6, append(rawKey(4, 1, append(mpi(2048), mpi(17)...)...), 0)...)}, goodPackets[1:]...)...), "key.malformed"},
		"a primary key that cannot sign":     {join(t, append([]*packet.OpaquePacket{opaque(6, rawKey(4, 2, append(mpi(2048), mpi(17)...)...)...)}, goodPackets[1:]...)...), "key.malformed"},
		"a subkey first":                     {join(t, goodPackets[3:]...), "key.malformed"},
		"a message inside a key":             {join(t, append(slices.Clone(goodPackets[:3]), opaque(11, 'b', 0, 0, 0, 0, 0, 'x'))...), "key.malformed"},
		"garbage after the key":              {append(bytes.Clone(goodRaw), "garbage"...), "key.malformed"},
		"truncated, binary":                  {goodRaw[:len(goodRaw)-20], "key.truncated"},
		"truncated, armoured":                {[]byte(good[:len(good)-150]), "key.truncated"},
		"truncated but with its END line":    {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", goodRaw[:len(goodRaw)-20])), "key.truncated"},
		"armour around nothing":              {[]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n"), "key.armor-broken"},
		"armour around words":                {[]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n(insert key here)\n-----END PGP PUBLIC KEY BLOCK-----\n"), "key.armor-broken"},
		"armour of another kind":             {[]byte(armored(t, "PGP ARMORED FILE", goodRaw)), "key.armor-broken"},
		"an HTML page":                       {[]byte("<!DOCTYPE html>\n<html><head><title>404</title></head></html>"), "key.html-page"},
		"words that are base64":              {[]byte("no keys today"), "key.not-openpgp"},
		"Latin 1 words":                      {[]byte("\xc5ke has the key."), "key.not-openpgp"},
		"a secret key of unknown version":    {join(t, append(slices.Clone(goodPackets), opaque(7, rawKey(9, 22, 1, 2)...))...), "key.private"},
		"words":                              {[]byte("Our key is on the key servers."), "key.not-openpgp"},
		"a fingerprint":                      {[]byte("B061 4CAD F0EA F854 33C7 15A5 08F4 19AA 6FB9 2A90"), "key.not-openpgp"},
		"an X.509 certificate":               {[]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), "key.not-openpgp"},
		"an SSH key":                         {[]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA csirt@example.org"), "key.not-openpgp"},
		"a picture":                          {[]byte("\xff\xd8\xff\xe1 a JPEG"), "key.not-openpgp"},
		"NUL bytes in the text":              {[]byte(sub(t, good, "\n\n", "\n\x00\n")), "key.nul-bytes"},
		"UTF-16 without a mark":              {toUTF16(good, binary.LittleEndian)[2:], "key.nul-bytes"},
		"a signature":                        {[]byte(keyFile(t, "signature")), "key.signature-only"},
		"a revocation certificate":           {[]byte(keyFile(t, "revocation")), "key.signature-only"},
		"a revocation, binary":               {dearmored(t, keyFile(t, "revocation")), "key.signature-only"},
		"a message":                          {[]byte(keyFile(t, "message")), "key.message-only"},
		"a message, binary":                  {dearmored(t, keyFile(t, "message")), "key.message-only"},
		"a message called a key":             {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", dearmored(t, keyFile(t, "message")))), "key.message-only"},
		"a clearsigned text":                 {[]byte(keyFile(t, "clearsigned")), "key.several-blocks"},
		"no user ID":                         {join(t, append(slices.Clone(goodPackets[:1]), goodPackets[3:]...)...), "key.no-user-id"},
		"no self-signature":                  {join(t, goodPackets[:2]...), "key.no-self-signature"},
		"a user ID forged onto the key":      {join(t, forged...), "key.no-self-signature"},
		"only a signature over MD5":          {join(t, goodPackets[0], goodPackets[1], opaque(2, append([]byte{4, 0x13, 22, 1}, goodPackets[2].Contents[4:]...)...)), "key.no-self-signature"},
		"65 user IDs":                        {join(t, uids...), "key.too-many-user-ids"},
		"65 subkeys":                         {join(t, subkeys...), "key.too-many-subkeys"},
		"65 unreadable subkeys":              {join(t, unreadable...), "key.too-many-subkeys"},
		"2,002 signatures in its own name":   {join(t, manySigs...), "key.too-many-signatures"},
		"2,000 copies of the primary key":    {join(t, many(2000, goodPackets[0])...), "key.several-certificates"},
		"a packet of indeterminate length":   {append([]byte{0x9b}, goodRaw[2:]...), "key.malformed"},
		"an armoured key with message bytes": {[]byte(armored(t, "PGP MESSAGE", goodRaw)), "key.message-only"},
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for name, tt := range refused(t) {
		t.Run(name, func(t *testing.T) {
			k, notes, err := directory.ParseKey(tt.data)
			var p directory.Problem
			if !errors.As(err, &p) {
				t.Fatalf("ParseKey gave key %s, notes %v, error %v, want a Problem %s", k.Fingerprint, notes, err, tt.code)
			}
			if p.Code != tt.code {
				t.Errorf("ParseKey refused with %s (%v), want %s", p.Code, p, tt.code)
			}
			if diff := cmp.Diff(directory.Key{}, k); diff != "" || notes != nil {
				t.Errorf("ParseKey gave notes %v and more of a key than none: %s", notes, diff)
			}
		})
	}
}

// No word of a private key may reach a log or an answer.
func TestParseKeyNeverQuotesSecrets(t *testing.T) {
	priv := secret(t, entity(t, packet.Config{}))
	text := armored(t, "PGP PRIVATE KEY BLOCK", priv)
	for name, data := range map[string]string{
		"armoured": text, "binary": string(priv), "flattened": strings.ReplaceAll(text, "\n", " "),
		"cut": text[:200], "bare base64": base64Of(priv), "after a key": keyFile(t, "good") + text,
		"no BEGIN line": text[strings.Index(text, "\n"):],
	} {
		t.Run(name, func(t *testing.T) {
			_, notes, err := directory.ParseKey([]byte(data))
			if err == nil {
				t.Fatal("ParseKey accepted a private key")
			}
			said := fmt.Sprintf("%+v %#v %#v", err, err, notes)
			for i := 0; i+12 <= len(data); i++ {
				if piece := data[i : i+12]; !strings.Contains(piece, " ") && !strings.Contains(piece, "PGP") && strings.Contains(said, piece) {
					t.Fatalf("the error quotes %q of the private key: %s", piece, said)
				}
			}
		})
	}
}

func makeAccepted(t testing.TB) map[string]acceptedKey {
	type codes = []directory.Code
	type c = struct {
		data  []byte
		codes []directory.Code
	}
	good := keyFile(t, "good")
	goodRaw := dearmored(t, good)
	p := split(t, goodRaw)
	lines := body(good)
	repaired := codes{"key.armor-repaired"}
	flat := strings.ReplaceAll(strings.TrimSpace(good), "\n", " ")
	headed := sub(t, good, "BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2.0.22 (MingW32)\nComment: 00112233445566778899AABBCCDDEEFF00112233 see https://example.org/key\n\n")
	badSub := slices.Clone(p)
	badSub[3] = split(t, dearmored(t, keyFile(t, "other")))[3]
	badSig := slices.Clone(p[2].Contents)
	badSig[len(badSig)-1] ^= 1
	v6 := entity(t, packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoEd25519})
	return map[string]c{
		"armoured":                         {[]byte(good), nil},
		"binary":                           {goodRaw, nil},
		"with CRLF":                        {[]byte(strings.ReplaceAll(good, "\n", "\r\n")), nil},
		"with armour headers":              {[]byte(headed), nil},
		"without a checksum":               {[]byte(sub(t, good, lines[len(lines)-1]+"\n", "")), nil},
		"after a UTF-8 mark":               {[]byte("\xef\xbb\xbf" + good), repaired},
		"UTF-16, little-endian":            {toUTF16(good, binary.LittleEndian), repaired},
		"UTF-16, big-endian":               {toUTF16(good, binary.BigEndian), repaired},
		"line breaks became spaces":        {[]byte(flat), repaired},
		"the same with armour headers":     {[]byte(strings.ReplaceAll(headed, "\n", " ")), repaired},
		"line breaks lost":                 {[]byte(strings.ReplaceAll(good, "\n", "")), repaired},
		`line breaks became \n`:            {[]byte(strings.ReplaceAll(good, "\n", `\n`)), repaired},
		`line breaks became \r\n`:          {[]byte(strings.ReplaceAll(good, "\n", `\r\n`)), repaired},
		"line breaks became <br>":          {[]byte(strings.ReplaceAll(good, "\n", "<br>")), repaired},
		"line breaks became <br />":        {[]byte(strings.ReplaceAll(good, "\n", "<br />\n")), repaired},
		"line breaks became &#10;":         {[]byte(strings.ReplaceAll(good, "\n", "&#10;")), repaired},
		"plus and equals signs escaped":    {[]byte(strings.NewReplacer("+", "&#43;", "=", "&#61;").Replace(good)), repaired},
		"no blank line after the header":   {[]byte(sub(t, good, "BLOCK-----\n\n", "BLOCK-----\n")), repaired},
		"none and armour headers":          {[]byte(sub(t, headed, "\n\n", "\n")), repaired},
		"an END line without dashes":       {[]byte(sub(t, good, "-----END PGP PUBLIC KEY BLOCK-----", "END PGP PUBLIC KEY BLOCK")), repaired},
		"an END line short of dashes":      {[]byte(sub(t, good, "-----END PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK")), repaired},
		"typographic dashes":               {[]byte(strings.ReplaceAll(good, "-----", "—–-")), repaired},
		"no END line":                      {[]byte(sub(t, good, "-----END PGP PUBLIC KEY BLOCK-----", "")), repaired},
		"bare base64":                      {[]byte(strings.Join(lines[:len(lines)-1], "\n")), repaired},
		"indented":                         {[]byte("   " + strings.ReplaceAll(good, "\n", "\n   ")), nil},
		"a wrong checksum":                 {[]byte(sub(t, good, lines[len(lines)-1], "=AAAA")), codes{"key.armor-checksum"}},
		"text before":                      {[]byte("Our key:\n\n" + good), codes{"key.surrounding-text"}},
		"text before with an umlaut":       {[]byte("Öffentlicher Schlüssel:\n" + good), codes{"key.surrounding-text"}},
		"an HTML page around":              {[]byte("<html><body><pre>\n" + good + "</pre></body></html>"), codes{"key.surrounding-text"}},
		"a certification by another":       {[]byte(keyFile(t, "certified")), codes{"key.signatures-stripped"}},
		"a flood of 500 KiB":               {flood(t, goodRaw, 500<<10), codes{"key.signatures-stripped"}},
		"a photo":                          {join(t, append(slices.Clone(p), opaque(17, 3, 1, 0xff, 0xd8), p[2])...), codes{"key.attributes-dropped"}},
		"a packet of unknown type":         {join(t, append(slices.Clone(p), opaque(61, 1, 2, 3))...), codes{"key.packets-dropped"}},
		"marker, trust and padding":        {join(t, p[0], opaque(10, 'P', 'G', 'P'), p[1], opaque(12, 1), p[2], p[3], p[4], opaque(21, 0, 0)), nil},
		"a damaged second signature":       {join(t, p[0], p[1], p[2], opaque(2, badSig...), p[3], p[4]), codes{"key.self-signature-bad"}},
		"the same user ID twice":           {join(t, p[0], p[1], p[2], p[1], p[2], p[3], p[4]), nil},
		"a user ID added by another":       {join(t, p[0], p[1], p[2], opaque(13, []byte("Mallory <m@example.org>")...), junkCertification(1), p[3], p[4]), codes{"key.signatures-stripped", "key.user-id-dropped"}},
		"a user ID of 3,000 bytes":         {join(t, append(slices.Clone(p), opaque(13, make([]byte, 3000)...))...), codes{"key.user-id-dropped"}},
		"another key's subkey":             {join(t, badSub...), codes{"key.self-signature-bad", "key.subkey-dropped", "key.no-encryption"}},
		"a subkey of unknown algorithm":    {join(t, append(slices.Clone(p), opaque(14, rawKey(4, 99, 1, 2)...), p[4])...), codes{"key.subkey-dropped"}},
		"revoked":                          {[]byte(keyFile(t, "revoked")), codes{"key.revoked"}},
		"expired":                          {[]byte(keyFile(t, "expired")), nil},
		"expired encryption subkey":        {[]byte(keyFile(t, "expiredsub")), nil},
		"expiry extended":                  {[]byte(keyFile(t, "extended")), nil},
		"revoked encryption subkey":        {[]byte(keyFile(t, "revokedsub")), codes{"key.no-encryption"}},
		"revoked user ID":                  {[]byte(keyFile(t, "twoids")), nil},
		"revoked by a designated revoker":  {[]byte(keyFile(t, "designated")), codes{"key.designated-revocation"}},
		"no encryption subkey":             {[]byte(keyFile(t, "noencrypt")), codes{"key.no-encryption"}},
		"a signing subkey":                 {[]byte(keyFile(t, "signsub")), nil},
		"one made by go-crypto":            {signingSubkey(t, func(*packet.Signature) {}), nil},
		"one without its back-signature":   {signingSubkey(t, func(s *packet.Signature) { s.EmbeddedSignature = nil }), codes{"key.back-signature-missing", "key.subkey-dropped"}},
		"one whose back-signature is bad":  {signingSubkey(t, func(s *packet.Signature) { s.EmbeddedSignature.RSASignature.Bytes()[9] ^= 1 }), codes{"key.back-signature-missing", "key.subkey-dropped"}},
		"RSA 3072":                         {[]byte(keyFile(t, "rsa3072")), nil},
		"RSA, one key for all":             {[]byte(keyFile(t, "rsaprimary")), nil},
		"RSA 1024":                         {[]byte(keyFile(t, "rsa1024")), codes{"key.weak-rsa", "key.weak-rsa"}},
		"DSA and ElGamal":                  {[]byte(keyFile(t, "dsa")), codes{"key.obsolete-algorithm", "key.obsolete-algorithm"}},
		"secp256k1":                        {[]byte(keyFile(t, "secp256k1")), codes{"key.curve-refused", "key.curve-refused"}},
		"NIST curves":                      {[]byte(keyFile(t, "nistp256")), nil},
		"brainpool curves":                 {[]byte(keyFile(t, "brainpool")), nil},
		"SHA-1 self-signatures":            {[]byte(keyFile(t, "sha1")), codes{"key.sha1-self-signature"}},
		"key flags missing":                {withSignature(t, func(s *packet.Signature) { s.FlagsValid = false; s.FlagCertify = false; s.FlagSign = false }), codes{"key.flags-missing"}},
		"version 6":                        {public(t, v6), nil},
		"version 6, armoured":              {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", public(t, v6))), nil},
		"Ed25519 and X25519 of RFC 9580":   {public(t, entity(t, packet.Config{Algorithm: packet.PubKeyAlgoEd25519})), nil},
		"Ed448 and X448":                   {public(t, entity(t, packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoEd448})), nil},
		"post-quantum: ML-DSA and ML-KEM":  {public(t, entity(t, packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoMldsa65Ed25519})), codes{"key.post-quantum", "key.post-quantum"}},
		"post-quantum: SLH-DSA and ML-KEM": {public(t, entity(t, packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoSlhdsaShake128f})), codes{"key.post-quantum", "key.post-quantum"}},
	}
}

func TestParseKeyAccepts(t *testing.T) {
	for name, tt := range accepted(t) {
		t.Run(name, func(t *testing.T) {
			k, notes, err := directory.ParseKey(tt.data)
			if err != nil {
				t.Fatalf("ParseKey refused: %v", err)
			}
			if diff := cmp.Diff(tt.codes, noteCodes(notes)); diff != "" {
				t.Errorf("notes (-want +got):\n%s%v", diff, notes)
			}
			checkMinimal(t, k)
		})
	}
}

func noteCodes(notes []directory.Problem) []directory.Code {
	var codes []directory.Code
	for _, n := range notes {
		codes = append(codes, n.Code)
	}
	return codes
}

// checkMinimal proves what every stored key must be: readable again, the same
// key with the same facts, and without anything more to drop.
func checkMinimal(t *testing.T, k directory.Key) {
	t.Helper()
	again, notes, err := directory.ParseKey([]byte(k.Armor))
	if err != nil {
		t.Fatalf("the stored key does not parse: %v", err)
	}
	for _, n := range notes {
		switch n.Code {
		case "key.signatures-stripped", "key.attributes-dropped", "key.packets-dropped", "key.user-id-dropped",
			"key.subkey-dropped", "key.self-signature-bad", "key.armor-repaired", "key.armor-checksum", "key.surrounding-text":
			t.Errorf("the stored key still has something to drop: %v", n)
		}
	}
	k.Stripped, k.Repairs = 0, nil
	if diff := cmp.Diff(k, again); diff != "" {
		t.Errorf("the stored key says something else (-parsed +stored):\n%s", diff)
	}
	for _, p := range split(t, dearmored(t, k.Armor)) {
		if !slices.Contains([]uint8{2, 6, 13, 14}, p.Tag) {
			t.Errorf("the stored key has a packet of type %d", p.Tag)
		}
	}
}

// Every code is documented, and every documented code has a case here.
func TestKeyCodesAreTested(t *testing.T) {
	tested := map[directory.Code]bool{"key.fingerprint-is-key-id": true, "key.fingerprint-malformed": true} // TestParseFingerprint
	for _, tt := range refused(t) {
		tested[tt.code] = true
	}
	for _, tt := range accepted(t) {
		for _, c := range tt.codes {
			tested[c] = true
		}
	}
	for _, info := range directory.KeyCodes() {
		if !tested[info.Code] {
			t.Errorf("no case gives %s", info.Code)
		}
		if info.Title == "" || info.Advice == "" {
			t.Errorf("%s lacks a title or advice", info.Code)
		}
		delete(tested, info.Code)
	}
	for code := range tested {
		t.Errorf("%s is not documented", code)
	}
}

func parse(t testing.TB, name string) directory.Key {
	t.Helper()
	k, _, err := directory.ParseKey([]byte(keyFile(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyFacts(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	type facts struct {
		Algorithm                  string
		Bits                       int
		Expires, EncryptionExpires time.Time
		EncryptTo                  string
		Revoked, Signs             bool
		Reason                     string
		Stripped                   int
	}
	for name, want := range map[string]facts{
		"good":       {Algorithm: "EdDSA Ed25519", Bits: 256, Expires: day(2030, 1, 1), EncryptionExpires: day(2030, 1, 1), EncryptTo: "ECDH Curve25519", Signs: true},
		"other":      {Algorithm: "EdDSA Ed25519", Bits: 256, EncryptTo: "ECDH Curve25519", Signs: true},
		"expired":    {Algorithm: "EdDSA Ed25519", Bits: 256, Expires: day(2025, 1, 1), EncryptionExpires: day(2025, 1, 1), EncryptTo: "ECDH Curve25519", Signs: true},
		"expiredsub": {Algorithm: "EdDSA Ed25519", Bits: 256, EncryptionExpires: day(2025, 1, 1), EncryptTo: "ECDH Curve25519", Signs: true},
		"extended":   {Algorithm: "EdDSA Ed25519", Bits: 256, Expires: day(2031, 1, 1), EncryptionExpires: day(2031, 1, 1), EncryptTo: "ECDH Curve25519", Signs: true},
		"revoked":    {Algorithm: "EdDSA Ed25519", Bits: 256, EncryptTo: "ECDH Curve25519", Signs: true, Revoked: true, Reason: "key compromised: laptop stolen"},
		"revokedsub": {Algorithm: "EdDSA Ed25519", Bits: 256, Signs: true},
		"rsa3072":    {Algorithm: "RSA", Bits: 3072, EncryptTo: "RSA", Signs: true},
		"rsaprimary": {Algorithm: "RSA", Bits: 2048, EncryptTo: "RSA", Signs: true},
		"dsa":        {Algorithm: "DSA", Bits: 2048, EncryptTo: "ElGamal", Signs: true},
		"nistp256":   {Algorithm: "ECDSA P-256", Bits: 256, EncryptTo: "ECDH P-521", Signs: true},
		"brainpool":  {Algorithm: "ECDSA brainpoolP256r1", Bits: 256, EncryptTo: "ECDH brainpoolP384r1", Signs: true},
		"secp256k1":  {Algorithm: "ECDSA secp256k1", Bits: 256, EncryptTo: "ECDH secp256k1", Signs: true},
		"certified":  {Algorithm: "EdDSA Ed25519", Bits: 256, EncryptTo: "ECDH Curve25519", Signs: true, Stripped: 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := parse(t, name)
			got := facts{Algorithm: k.Algorithm, Bits: k.Bits, Expires: k.Expires, EncryptionExpires: k.EncryptionExpires,
				Revoked: k.Revoked, Signs: k.Signs, Reason: k.RevocationReason, Stripped: k.Stripped}
			for _, s := range k.EncryptTo {
				got.EncryptTo += s.Algorithm
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !k.Created.Equal(made) || k.Version != 4 || len(k.Fingerprint) != 40 {
				t.Errorf("got created %v, version %d, fingerprint %q, want %v, 4 and 40 digits", k.Created, k.Version, k.Fingerprint, made)
			}
			wantID := fmt.Sprintf("%s@example.org", name)
			if len(k.UserIDs) != 1 || k.UserIDs[0].Email != wantID || k.UserIDs[0].Name != "Example "+name || !k.UserIDs[0].Primary {
				t.Errorf("got user IDs %+v, want one primary of %s", k.UserIDs, wantID)
			}
		})
	}
}

func TestKeyUserIDs(t *testing.T) {
	want := []directory.UserID{
		{Name: "Example twoids", Email: "twoids@example.org", Raw: "Example twoids <twoids@example.org>", Primary: true},
		{Name: "Example Alt", Email: "alt@example.org", Raw: "Example Alt (old) <alt@example.org>", Revoked: true},
	}
	if diff := cmp.Diff(want, parse(t, "twoids").UserIDs); diff != "" {
		t.Errorf("user IDs (-want +got):\n%s", diff)
	}
}

func TestKeyUsableAt(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name, key     string
		now           time.Time
		encrypt, sign bool
		why           string
	}{
		{"in its time", "good", day(2026, 11, 21), true, true, ""},
		{"in the last second", "good", day(2030, 1, 1), true, true, ""},
		{"a second later", "good", day(2030, 1, 1).Add(time.Second), false, false, "the key expired on 2030-01-01"},
		{"before it was made", "good", day(2023, 12, 31), false, false, "the key is dated in the future: 2024-01-01"},
		{"before it was signed", "extended", day(2024, 2, 1), false, false, "the key is signed in the future: 2024-06-01"},
		{"extended by a newer signature", "extended", day(2026, 11, 21), true, true, ""},
		{"revoked", "revoked", day(2026, 11, 21), false, false, "the key is revoked: key compromised: laptop stolen"},
		{"expired", "expired", day(2026, 11, 21), false, false, "the key expired on 2025-01-01"},
		{"its encryption subkey expired", "expiredsub", day(2026, 11, 21), false, true, "the encryption subkey expired on 2025-01-01"},
		{"its encryption subkey revoked", "revokedsub", day(2026, 11, 21), false, true, "the key has no encryption subkey"},
		{"none for encryption", "noencrypt", day(2026, 11, 21), false, true, "the key has no encryption subkey"},
		{"one key for all", "rsaprimary", day(2026, 11, 21), true, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			encrypt, sign, why := parse(t, tt.key).UsableAt(tt.now)
			if encrypt != tt.encrypt || sign != tt.sign || why != tt.why {
				t.Errorf("UsableAt(%v) = %v, %v, %q, want %v, %v, %q", tt.now, encrypt, sign, why, tt.encrypt, tt.sign, tt.why)
			}
		})
	}
	if encrypt, sign, why := (directory.Key{}).UsableAt(made); encrypt || sign || why == "" {
		t.Errorf("no key: UsableAt = %v, %v, %q, want false, false and a reason", encrypt, sign, why)
	}
}

func TestParseFingerprint(t *testing.T) {
	const v4, v6 = "B0614CADF0EAF85433C715A508F419AA6FB92A90", "B0614CADF0EAF85433C715A508F419AA6FB92A90B0614CADF0EAF85433C715A5"
	for _, in := range []string{v4, strings.ToLower(v4), "0x" + v4, "openpgp4fpr:" + v4, "OPENPGP4FPR:" + strings.ToLower(v4), directory.Fingerprint(v4).Spaced(),
		" B061 4CAD F0EA F854 33C7  15A5 08F4 19AA 6FB9 2A90\n", "B0:61:4C:AD:F0:EA:F8:54:33:C7:15:A5:08:F4:19:AA:6F:B9:2A:90"} {
		if got, err := directory.ParseFingerprint(in); got != v4 || err != nil {
			t.Errorf("ParseFingerprint(%q) = %q, %v, want %q", in, got, err, v4)
		}
	}
	if got, err := directory.ParseFingerprint(v6); got != v6 || err != nil {
		t.Errorf("ParseFingerprint(%q) = %q, %v, want itself", v6, got, err)
	}
	for in, code := range map[string]directory.Code{
		"6FB92A90": "key.fingerprint-is-key-id", "0x08F419AA6FB92A90": "key.fingerprint-is-key-id", "08F4 19AA 6FB9 2A90": "key.fingerprint-is-key-id",
		"": "key.fingerprint-malformed", "0x": "key.fingerprint-malformed", "csirt@example.org": "key.fingerprint-malformed",
		v4[:39]: "key.fingerprint-malformed", v4 + "0": "key.fingerprint-malformed", v4[:32]: "key.fingerprint-malformed", "G" + v4[1:]: "key.fingerprint-malformed",
		strings.Repeat("0 ", 200): "key.fingerprint-malformed",
	} {
		got, err := directory.ParseFingerprint(in)
		var p directory.Problem
		if !errors.As(err, &p) || p.Code != code || got != "" {
			t.Errorf("ParseFingerprint(%q) = %q, %v, want a problem %s", in, got, err, code)
		}
	}
	if got, want := directory.Fingerprint(v4).Spaced(), "B061 4CAD F0EA F854 33C7 15A5 08F4 19AA 6FB9 2A90"; got != want {
		t.Errorf("Spaced() = %q, want %q", got, want)
	}
}

// A real published key inside the RFC 2350 document around it.
func TestParseKeyRealDocument(t *testing.T) {
	dir := os.Getenv("ROLLCALL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, "rfc2350-example.md"))
	if err != nil {
		t.Skipf("SKIPPED: no real RFC 2350 document (set ROLLCALL_TEST_DATA): %v", err)
	}
	k, notes, err := directory.ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	if want := directory.Fingerprint("B0614CADF0EAF85433C715A508F419AA6FB92A90"); k.Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", k.Fingerprint, want)
	}
	if got, want := k.Expires.Format(time.DateOnly), "2027-12-18"; got != want {
		t.Errorf("expires %s, want %s", got, want)
	}
	if diff := cmp.Diff([]directory.Code{"key.surrounding-text"}, noteCodes(notes)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	checkMinimal(t, k)
}

// gpg must take every stored key that is of a kind it knows.
func TestStoredKeysImportIntoGPG(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("gpg is missing: install the package gnupg")
		}
		t.Skip("SKIPPED: no gpg on this machine; install the package gnupg")
	}
	names, err := filepath.Glob("testdata/keys/*.asc")
	if err != nil || len(names) < 20 {
		t.Fatalf("got %d generated keys, %v, want 20 or more", len(names), err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(filepath.Base(file), ".asc")
		if slices.Contains([]string{"message", "signature", "clearsigned", "revocation"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			k := parse(t, name)
			run := func(args ...string) string {
				cmd := exec.Command(gpg, append([]string{"--homedir", t.TempDir(), "--batch", "--no-tty", "--with-colons", "--no-autostart"}, args...)...)
				cmd.Stdin = strings.NewReader(k.Armor)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("gpg %v: %v\n%s", args, err, out)
				}
				return string(out)
			}
			shown := run("--show-keys")
			if !strings.Contains(shown, "fpr:::::::::"+string(k.Fingerprint)+":") {
				t.Errorf("gpg --show-keys does not show %s:\n%s", k.Fingerprint, shown)
			}
			if got, want := strings.Count(shown, "\nsub:"), len(k.Subkeys); got != want {
				t.Errorf("gpg sees %d subkeys, want %d", got, want)
			}
			if !k.Expires.IsZero() && !strings.Contains(shown, fmt.Sprintf(":%d:%d:", k.Created.Unix(), k.Expires.Unix())) {
				t.Errorf("gpg does not see it expire at %d:\n%s", k.Expires.Unix(), shown)
			}
			if got := run("--import", "--status-fd", "1"); !strings.Contains(got, "IMPORT_OK") {
				t.Errorf("gpg --import did not take the key:\n%s", got)
			}
		})
	}
}

// go-crypto's own idea of what can be encrypted to, over every accepted case.
func TestUsableAtAgreesWithGoCrypto(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for name, tt := range accepted(t) {
		t.Run(name, func(t *testing.T) {
			k, _, err := directory.ParseKey(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, k, now)
		})
	}
}

// agree compares UsableAt with go-crypto under a policy that refuses no algorithm.
func agree(t *testing.T, k directory.Key, now time.Time) {
	t.Helper()
	lenient := &packet.Config{
		MinRSABits: 1, RejectPublicKeyAlgorithms: map[packet.PublicKeyAlgorithm]bool{},
		RejectCurves: map[packet.Curve]bool{}, InsecureAllowAllKeyFlagsWhenMissing: true,
	}
	ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(k.Armor))
	if err != nil || len(ring) != 1 {
		t.Fatalf("go-crypto reads %d keys, %v", len(ring), err)
	}
	_, want := ring[0].EncryptionKey(now, lenient)
	if got, _, why := k.UsableAt(now); got != want {
		t.Errorf("%s: UsableAt says encrypt %v (%s), go-crypto %v", k.Fingerprint, got, why, want)
	}
}
