package store_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

var update = flag.Bool("update", false, "write the golden file anew")

const golden = "testdata/record-v1.json"

func sample() directory.Record {
	r := storetest.Full()
	r.Seq = 42
	return r
}

// TestStoredForm fails when a field of the record was renamed or removed:
// then every stored document would lose what is in it. Give the field a json
// tag with its old name, or raise the document's version and read both.
func TestStoredForm(t *testing.T) {
	doc, err := store.EncodeRecord(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(doc), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if d := cmp.Diff(got.String(), string(want)); d != "" {
		if *update {
			// New fields may be added; what is there must stay readable.
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("stored form (-got +want):\n%s", d)
	}
	back, err := store.DecodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(back, sample(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("decoded golden file (-got +want):\n%s", d)
	}
}

func TestStoredVersion(t *testing.T) {
	for name, doc := range map[string]string{
		"no version":      `{"Record":{}}`,
		"a later version": `{"v":2,"Record":{}}`,
		"not JSON":        `{"v":1,`,
	} {
		if r, err := store.DecodeRecord([]byte(doc)); err == nil {
			t.Errorf("%s: DecodeRecord = %+v, want an error", name, r)
		}
	}
}

// TestSampleIsFull keeps the golden file complete: a field that is new in the
// record must be set in the sample.
func TestSampleIsFull(t *testing.T) {
	set, all := map[string]bool{}, map[string]bool{}
	walk(reflect.ValueOf(sample()), set, all)
	if len(all) < 80 {
		t.Errorf("%d fields found, which can't be all", len(all))
	}
	for field := range all {
		if !set[field] {
			t.Errorf("%s is nowhere set in the sample", field)
		}
	}
}

// walk notes every field of every struct that is stored, and those set.
func walk(v reflect.Value, set, all map[string]bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), set, all)
		}
	case reflect.Struct:
		if !strings.HasSuffix(v.Type().PkgPath(), "/directory") {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("json") == "-" {
				continue
			}
			name := v.Type().Name() + "." + f.Name
			all[name] = true
			set[name] = set[name] || !v.Field(i).IsZero()
			walk(v.Field(i), set, all)
		}
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	doc, err := store.EncodeRecord(storetest.Small(1))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := store.DecodeRecord([]byte(doc)); err != nil {
			b.Fatal(err)
		}
	}
}
