package securitytxt

import (
	"strings"
)

// encryption judges an Encryption. RFC 9116 section 2.5.4: it is a URI that
// points to a key, and MUST NOT be the key.
func (p *parser) encryption(f *Field) {
	if scheme := splitURI(f.Value).scheme; len(scheme) < 5 && scheme != "dns" && p.encryptionBare(f) {
		return
	}
	u, ok := p.reference(f, "dns", "openpgp4fpr")
	if !ok {
		return
	}
	switch u.scheme {
	case "dns":
		p.encryptionDNS(f, u)
	case "openpgp4fpr":
		if !fingerprint(u.rest) {
			right := ""
			if s := compact(u.rest); fingerprint(s) {
				right = "openpgp4fpr:" + s
			}
			p.tellRight("encryption-fingerprint", f.Value, right)
		}
	}
}

// encryptionBare reports a value that is a key or a fingerprint, without a scheme.
func (p *parser) encryptionBare(f *Field) bool {
	switch {
	case inlineKey(f.Value):
		p.tell("encryption-key-inline", f.Value)
		f.Value = ""
	case len(f.Value) < 120 && fingerprint(compact(f.Value)):
		p.tellRight("not-a-uri", f.Value, "openpgp4fpr:"+compact(f.Value))
	default:
		return false
	}
	return true
}

const beginPGP = "-----BEGIN PGP "

// inlineKey handles armour that begins inside the value of a field: the lines up to
// its end belong to it.
func (p *parser) inlineKey(f *Field, rest string) (skip int) {
	if !p.armored || !strings.Contains(f.Value, beginPGP) {
		return 0
	}
	p.tell("encryption-key-inline", f.Value)
	f.Value = ""
	return armorEnd(rest)
}

// armor reports an armoured block between the lines of fields, where none belongs.
func (p *parser) armor(line, rest string) (skip int) {
	if strings.HasPrefix(line, beginPGP+"PUBLIC KEY") || strings.HasPrefix(line, beginPGP+"PRIVATE KEY") {
		p.tell("encryption-key-inline", line)
	} else {
		p.tell("signature-malformed", line)
		p.file.frame = true
	}
	return armorEnd(rest)
}

// armorEnd returns the length of the lines up to the end of an armoured block, 0
// when it has none.
func armorEnd(rest string) int {
	i := lineWith(rest, "-----END PGP ")
	if i < 0 {
		return 0
	}
	if j := strings.IndexByte(rest[i:], '\n'); j >= 0 {
		return i + j + 1
	}
	return len(rest)
}

// lineWith returns the offset of the first line that begins with a text, or -1.
func lineWith(text, begins string) int {
	for at := 0; ; {
		i := strings.Index(text[at:], begins)
		if i < 0 {
			return -1
		}
		if at += i; at == 0 || text[at-1] == '\n' || text[at-1] == '\r' {
			return at
		}
		at += len(begins)
	}
}

// inlineKey reports whether a value is the text of a key: long base64 that
// begins as OpenPGP keys do.
func inlineKey(s string) bool {
	return len(s) >= 64 && strings.Trim(s, uriChars[:62]+"+/= ") == "" && splitURI(s).scheme == "" &&
		(strings.HasPrefix(s, "m") || strings.HasPrefix(s, "x") || len(s) > 200)
}

// compact leaves out what people put between the digits of a fingerprint.
func compact(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	return strings.ToUpper(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(s))
}

func fingerprint(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// encryptionDNS judges a dns: URI (RFC 4501 section 3): dns:NAME?type=OPENPGPKEY,
// or dns://SERVER/NAME?…. Against RFC 7929 section 3, the owner name may be another:
// the example of RFC 9116 section 2.5.4 has one. That is a warning.
func (p *parser) encryptionDNS(f *Field, u uri) {
	name, query, _ := strings.Cut(u.rest, "?")
	if server, ok := strings.CutPrefix(name, "//"); ok {
		_, name, _ = strings.Cut(server, "/")
	}
	openpgp := false
	for param := range strings.SplitSeq(query, ";") {
		key, value, _ := strings.Cut(param, "=")
		openpgp = openpgp || strings.EqualFold(key, "type") && strings.EqualFold(value, "OPENPGPKEY")
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
	switch {
	case !openpgp || name == "":
		p.tell("encryption-dns", f.Value)
	case len(labels) < 4 || labels[1] != "_openpgpkey" || len(labels[0]) != 56 || strings.Trim(labels[0], "0123456789abcdef") != "":
		p.tell("encryption-dns-owner", f.Value)
	}
}
