package directory

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// publicKeyBlock is the armour type of a certificate, RFC 9580 section 6.2.
const publicKeyBlock = "PUBLIC KEY BLOCK"

// maxRepairSize bounds what is tried on a damaged block, which costs many passes over it.
const maxRepairSize = 4 << 20

// armorBlock is one armoured block found in a text.
type armorBlock struct {
	kind       string // what follows "PGP ", as "PUBLIC KEY BLOCK"
	start, end int    // where it stands in the text, lines with dashes included
	data       []byte // the decoded packets; nil when they could not be decoded
	repairs    []string
	badSum     bool // the CRC24 differs
	ended      bool // an END line was found
}

// anyDash is what word processors make of "-".
const anyDash = `[-\x{2010}-\x{2015}\x{2212}]`

// The BEGIN and END lines, also those that word processors and content
// management systems have been at: other dashes, fewer of them, none.
var (
	armorBegin = regexp.MustCompile(anyDash + `{1,8} ?BEGIN PGP ([A-Z0-9 ,/]{1,40}?) ?` + anyDash + `{1,8}` +
		`|(?m:^BEGIN PGP (PUBLIC KEY BLOCK)[ \t\r]*$)`)
	armorEnd = regexp.MustCompile(anyDash + `{0,8} ?END PGP [A-Z0-9 ,/]{1,40}(?: ?` + anyDash + `{1,8})?`)
)

// nextBlock returns the first block of text at or after from; nil when there is none.
func nextBlock(text []byte, from int) *armorBlock {
	at := armorBegin.FindSubmatchIndex(text[from:])
	if at == nil {
		return nil
	}
	b := &armorBlock{start: from + at[0]}
	kind := at[2:4]
	if kind[0] < 0 {
		kind = at[4:6]
	}
	b.kind = strings.TrimSpace(string(text[from+kind[0] : from+kind[1]]))
	bodyStart := from + at[1]
	rest := text[bodyStart:]
	stop, after := len(rest), len(rest)
	if again := armorBegin.FindIndex(rest); again != nil {
		stop, after = again[0], again[0]
	}
	if end := armorEnd.FindIndex(rest[:stop]); end != nil {
		stop, after, b.ended = end[0], end[1], true
	}
	b.end = bodyStart + after
	if !b.ended {
		b.repairs = append(b.repairs, "END line missing")
	}
	if !exactLine(text, b.start, bodyStart, "-----BEGIN PGP "+b.kind+"-----") ||
		b.ended && !exactLine(text, bodyStart+stop, b.end, "-----END PGP "+b.kind+"-----") {
		b.repairs = append(b.repairs, "dashes of the BEGIN or END line rebuilt")
	}
	b.decode(rest[:stop])
	return b
}

func exactLine(text []byte, from, to int, want string) bool {
	return string(bytes.TrimSpace(text[from:to])) == want
}

// decode reads the body between the BEGIN and END lines: as it is if it keeps
// to the rules, else after undoing what the usual accidents did to it.
func (b *armorBlock) decode(body []byte) {
	if b.kind == "SIGNED MESSAGE" { // the text of a message, not armour
		return
	}
	if head, ok := regularBody(body); ok {
		if data, badSum, ok := decodeBase64(head); ok && (badSum || wellFormed(data)) {
			b.data, b.badSum = data, badSum
			return
		}
	}
	if len(body) > maxRepairSize {
		return
	}
	text, undone := undoMarkup(body)
	data, badSum, why, ok := searchBase64(text)
	if !ok {
		return
	}
	b.data, b.badSum = data, badSum
	b.repairs = append(b.repairs, undone...)
	b.repairs = append(b.repairs, why)
}

// regularBody returns the base64 part of a body that has armour headers, then a
// blank line, then lines of base64 (RFC 9580 section 6.2).
func regularBody(body []byte) ([]byte, bool) {
	first, rest, found := bytes.Cut(body, []byte("\n"))
	if !found || len(bytes.TrimSpace(first)) > 0 {
		return nil, false
	}
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return nil, false
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return after, !bytes.ContainsAny(after, `\<&`) && shortLines(after)
		}
		if !bytes.Contains(line, []byte(": ")) && !bytes.HasSuffix(bytes.TrimSpace(line), []byte(":")) {
			return nil, false
		}
		rest = after
	}
}

// shortLines reports whether no line is longer than the 76 characters that
// RFC 9580 section 6.2 allows and no line has a space in it.
func shortLines(b []byte) bool {
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) > 76 || bytes.ContainsAny(line, " \t") {
			return false
		}
	}
	return true
}

// decodeBase64 decodes base64 with its optional CRC24. ok is false when it is
// not base64 at all.
func decodeBase64(text []byte) (data []byte, badSum, ok bool) {
	joined := bytes.Join(bytes.Fields(text), nil)
	var sum []byte
	if n := len(joined); n >= 5 && joined[n-5] == '=' && joined[n-1] != '=' {
		sum, joined = joined[n-4:], joined[:n-5]
	}
	data = make([]byte, len(joined)) // DecodedLen is too short for text without padding
	n, err := base64.StdEncoding.Decode(data, joined)
	if err != nil {
		// Padding is the first thing that gets lost, then the end; what is left
		// may still be a secret key, or tell that it is cut short.
		joined = bytes.TrimRight(joined, "=")
		if len(joined)%4 == 1 {
			joined = joined[:len(joined)-1]
		}
		n, err = base64.RawStdEncoding.Decode(data, joined)
	}
	if err != nil || n == 0 {
		return nil, false, false
	}
	data = data[:n]
	if sum != nil {
		want, err := base64.StdEncoding.DecodeString(string(sum))
		badSum = err != nil || !bytes.Equal(want, crc24(data))
	}
	return data, badSum, true
}

var markupAccidents = []struct {
	what    string
	pattern *regexp.Regexp
	with    string
}{
	{`"\n" written out`, regexp.MustCompile(`(?:\\r)?\\n`), "\n"},
	{"HTML line breaks", regexp.MustCompile(`(?i)<br ?/?>|</?p>|</?div>|</?pre>|</?code>`), "\n"},
	{"HTML character references", regexp.MustCompile(`(?i)&#(?:10|13|x0*[ad]);|&nbsp;|&#160;`), "\n"},
	{"HTML escapes of +", regexp.MustCompile(`&#43;|&#x2[bB];|&plus;`), "+"},
	{"HTML escapes of =", regexp.MustCompile(`&#61;|&#x3[dD];|&equals;`), "="},
	{"HTML escapes of /", regexp.MustCompile(`&#47;|&#x2[fF];|&sol;`), "/"},
}

// undoMarkup turns the forms in which line ends survive web forms, JSON copied
// by hand and HTML back into line ends, and the HTML escapes of base64 characters back.
func undoMarkup(body []byte) ([]byte, []string) {
	var done []string
	for _, m := range markupAccidents {
		if m.pattern.Match(body) {
			body = m.pattern.ReplaceAll(body, []byte(m.with))
			done = append(done, m.what+" undone")
		}
	}
	return body, done
}

// searchBase64 finds where the base64 starts in a body whose lines no longer
// say so: the first word from which everything to the end decodes to whole packets.
// Header values may hold words that look like base64, a fingerprint for one.
func searchBase64(body []byte) (data []byte, badSum bool, why string, ok bool) {
	words := bytes.Fields(body)
	lined := bytes.Count(bytes.TrimSpace(body), []byte("\n")) >= len(words)/2 && len(words) > 2
	why = "flattened armour rebuilt"
	if lined {
		why = "blank line after the armour header put back"
	}
	for i := 0; i < len(words) && i < 64; i++ {
		if len(words[i]) < 16 || !isBase64(words[i]) {
			continue
		}
		d, bad, decoded := decodeBase64(bytes.Join(words[i:], nil))
		if !decoded || d[0]&0x80 == 0 {
			continue
		}
		if wellFormed(d) {
			return d, bad, why, true
		}
		if data == nil { // kept for its damage to be told
			data, badSum, ok = d, bad, true
		}
	}
	return data, badSum, why, ok
}

func isBase64(word []byte) bool {
	for _, c := range word {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '=':
		default:
			return false
		}
	}
	return true
}

// crc24 is the checksum of RFC 9580 section 6.1.1.
func crc24(data []byte) []byte {
	crc := uint32(0xb704ce)
	for _, b := range data {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)}
}

// armorKey armours the packets of a certificate. RFC 9580 section 6.1: a
// checksum MUST NOT be written for version 6 keys; older tools want one for version 4.
func armorKey(packets []byte, version int) (string, error) {
	var b strings.Builder
	w, err := armor.EncodeWithChecksumOption(&b, "PGP "+publicKeyBlock, nil, version < 6)
	if err != nil {
		return "", fmt.Errorf("armour: %w", err)
	}
	if _, err := w.Write(packets); err != nil {
		return "", fmt.Errorf("armour: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("armour: %w", err)
	}
	return b.String() + "\n", nil
}
