package dnssec_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

func day(s string) time.Time {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return at
}

// TestRootAnchors: what ships is what IANA publishes, dates included.
func TestRootAnchors(t *testing.T) {
	text, err := os.ReadFile("testdata/root-anchors.xml")
	if err != nil {
		t.Fatal(err)
	}
	published, err := dnssec.ParseAnchors(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var current []dnssec.Anchor
	for _, a := range published {
		if a.Until.IsZero() {
			current = append(current, a)
		}
	}
	own := dnssec.RootAnchors()
	if len(published) != 3 || len(own) != len(current) {
		t.Fatalf("%d anchors ship; %d are published, %d without an end", len(own), len(published), len(current))
	}
	for i, a := range own {
		if b := current[i]; a.DS.String() != b.DS.String() || !a.From.Equal(b.From) || !a.Until.IsZero() {
			t.Errorf("anchor %d is %v from %s, want %v from %s", i, a.DS, a.From, b.DS, b.From)
		}
	}
	if !own[0].From.Equal(day("2017-02-02")) || own[0].DS.KeyTag != 20326 || !own[1].From.Equal(day("2024-07-18")) || own[1].DS.KeyTag != 38696 {
		t.Errorf("RootAnchors = %v from %s, %v from %s", own[0].DS, own[0].From, own[1].DS, own[1].From)
	}
	if old := published[0]; old.DS.KeyTag != 19036 || !old.Until.Equal(day("2019-01-11")) {
		t.Errorf("the first published is %v until %s", old.DS, old.Until)
	}
}

// TestParseAnchors reads both forms, with their dates.
func TestParseAnchors(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	record := "example. 3600 IN DS 1 13 2 " + digest
	file := func(attributes, inside string) string {
		return "<?xml version=\"1.0\"?>\n<TrustAnchor id=\"x\" source=\"https://example.org/\"><Zone>.</Zone><KeyDigest id=\"k1\" " + attributes + ">" + inside + "</KeyDigest></TrustAnchor>"
	}
	inside := "<KeyTag>1</KeyTag><Algorithm>8</Algorithm><DigestType>2</DigestType><Digest>" + digest + "</Digest>"
	for _, tt := range []struct{ name, text, from, until string }{
		{"a record", record, "", ""},
		{"with another comment", record + " ; the key of 2026", "", ""},
		{"from", record + " ; from 2026-01-01", "2026-01-01", ""},
		{"until", record + ";until 2027-01-01T00:00:00Z", "", "2027-01-01"},
		{"both", record + " ; from 2026-01-01 until 2027-01-01", "2026-01-01", "2027-01-01"},
		{"both the other way, with a zone", record + " ; until 2027-01-01T02:00:00+02:00 from 2026-01-01", "2026-01-01", "2027-01-01"},
		{"XML", file(`validFrom="2026-01-01T00:00:00+00:00"`, inside), "2026-01-01", ""},
		{"XML with an end and a key", "\ufeff\n" + file(`validFrom="2026-01-01T00:00:00" validUntil="2027-01-01T00:00:00Z"`, inside+"<PublicKey>AwEAAQ==</PublicKey><Flags>257</Flags>"), "2026-01-01", "2027-01-01"},
	} {
		list, err := dnssec.ParseAnchors(tt.text)
		if err != nil || len(list) != 1 {
			t.Errorf("%s: ParseAnchors = %v, %v", tt.name, list, err)
			continue
		}
		for what, pair := range map[string][2]string{"from": {date(list[0].From), tt.from}, "until": {date(list[0].Until), tt.until}} {
			if pair[0] != pair[1] {
				t.Errorf("%s: it holds %s %q, want %q", tt.name, what, pair[0], pair[1])
			}
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "comments": "; from 2026-01-01", "no record": "example. DS x", "another record": "example. A 192.0.2.1",
		"a short digest": "example. DS 1 13 2 abab", "no date": record + " ; from tomorrow", "half a pair": record + " ; from", "a third word": record + " ; from 2026-01-01 to 2027-01-01",
		"twice from": record + " ; from 2026-01-01 from 2027-01-01", "until the year 1": record + " ; until 0001-01-01", "from the year 1": record + " ; from 0001-01-01T01:00:00+01:00", "never": record + " ; from 2027-01-01 until 2026-01-01",
		"too large": strings.Repeat("; x\n", 20_000), "broken XML": "<TrustAnchor>", "other XML": "<html></html>", "XML without keys": "<TrustAnchor><Zone>.</Zone></TrustAnchor>",
		"XML without a zone": strings.Replace(file(`validFrom="2026-01-01T00:00:00Z"`, inside), "<Zone>.</Zone>", "", 1),
		"XML without a date": file("", inside), "XML with a wrong date": file(`validFrom="2026"`, inside), "XML with a wrong end": file(`validFrom="2026-01-01T00:00:00Z" validUntil="x"`, inside),
		"XML until the year 1":   file(`validFrom="2026-01-01T00:00:00Z" validUntil="0001-01-01T00:00:00Z"`, inside),
		"XML that never holds":   file(`validFrom="2026-01-01T00:00:00Z" validUntil="2026-01-01T00:00:00Z"`, inside),
		"XML with a large tag":   file(`validFrom="2026-01-01T00:00:00Z"`, strings.Replace(inside, "<KeyTag>1<", "<KeyTag>65536<", 1)),
		"XML without a digest":   file(`validFrom="2026-01-01T00:00:00Z"`, "<KeyTag>1</KeyTag>"),
		"XML with no hex":        file(`validFrom="2026-01-01T00:00:00Z"`, strings.Replace(inside, "abab", "xyxy", 1)),
		"XML with half a digest": file(`validFrom="2026-01-01T00:00:00Z"`, strings.Replace(inside, digest, digest[:32], 1)),
	} {
		if list, err := dnssec.ParseAnchors(text); !errors.Is(err, dnssec.ErrAnchor) {
			t.Errorf("%s: ParseAnchors = %v, %v; want %v", name, list, err, dnssec.ErrAnchor)
		}
	}
}

func date(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.DateOnly)
}

// TestAnchorDates: an anchor is used between its dates, by the clock that is given, and not a moment
// before or after.
func TestAnchorDates(t *testing.T) {
	w := example(t)
	ds := w.Anchors()[0].DS.String()
	list, err := dnssec.ParseAnchors(ds + " ; from " + now.Format(time.RFC3339) + " until " + now.Add(time.Hour).Format(time.RFC3339))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  dnssec.Status
	}{{-time.Second, dnssec.Indeterminate}, {0, dnssec.Secure}, {time.Hour - time.Second, dnssec.Secure}, {time.Hour, dnssec.Indeterminate}} {
		at := now.Add(tt.after)
		v, err := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: list, Now: at})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := v.Query(context.Background(), "www.good.example.", dns.TypeA); err != nil || a.Status != tt.want {
			t.Errorf("%s after the anchor begins: %+v, %v; want %s", tt.after, a, err, tt.want)
		}
		if err := dnssec.InForce(list, at); (err == nil) != (tt.want == dnssec.Secure) {
			t.Errorf("%s after it begins: InForce = %v", tt.after, err)
		}
	}
	two := append(list, dnssec.Anchor{DS: list[0].DS, Until: now.Add(-time.Hour)})
	if err := dnssec.InForce(two, now); err != nil {
		t.Errorf("InForce of one that holds and one that held = %v", err)
	}
	err = dnssec.InForce(two, now.Add(-time.Minute))
	if err == nil || !strings.Contains(err.Error(), "holds from ") || !strings.Contains(err.Error(), "held until ") {
		t.Errorf("InForce of one that will hold and one that held = %v; want both dates", err)
	}
	if err := dnssec.InForce(nil, now); err != nil {
		t.Errorf("InForce of the root's own = %v", err)
	}
}

func FuzzParseAnchors(f *testing.F) {
	text, err := os.ReadFile("testdata/root-anchors.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(". DS 20326 8 2 " + strings.Repeat("ab", 32) + " ; from 2017-02-02 until 2027-01-11")
	f.Add(". DNSKEY 257 3 8 AwEAAQ==")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := dnssec.ParseAnchors(text)
		if (err == nil) != (len(list) > 0) {
			t.Errorf("ParseAnchors(%q) = %v, %v", text, list, err)
		}
		for _, a := range list {
			if !a.Until.IsZero() && !a.From.Before(a.Until) {
				t.Errorf("ParseAnchors(%q) holds from %s until %s", text, a.From, a.Until)
			}
		}
	})
}
