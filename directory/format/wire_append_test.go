package format_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// scramble fills v with values of chance, empty ones among them, and texts that
// need every kind of escape.
func scramble(rng *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		if rng.IntN(2) == 0 {
			v.Set(reflect.ValueOf(time.Unix(rng.Int64N(1<<31), rng.Int64N(3)*1e6).In(time.FixedZone("", 3600))))
		}
		return
	case directory.Hours:
		hours := []string{"", "24x7", "Mon-Fri 08:00-17:00"}
		h, _ := directory.ParseHours(hours[rng.IntN(3)])
		v.Set(reflect.ValueOf(h))
		return
	case directory.Level:
		v.SetInt(int64(rng.IntN(5)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		texts := []string{"", "x", `"\/`, "a\nb\tc\r\b\f\x00\x1f\x7f", "ä€😀", "\u2028\u2029\ufffd", "\xff\xc3", "<&>", "prefix", "asn", "domain"}
		v.SetString(texts[rng.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rng.IntN(3)))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range n - 1 {
				scramble(rng, v.Index(i))
			}
		}
	case reflect.Map:
		if rng.IntN(2) == 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range rng.IntN(3) {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				scramble(rng, key)
				scramble(rng, value)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				scramble(rng, v.Field(i))
			}
		}
	}
}

// TestAppendTeam holds the JSON that is written by hand against encoding/json,
// for teams of all shapes: what a field is called, when it is left out, and in
// which order the two must not differ by one byte.
func TestAppendTeam(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	for range 3000 {
		var team directory.Team
		scramble(rng, reflect.ValueOf(&team).Elem())
		for field, o := range team.Origins {
			if o == (directory.Origin{}) {
				delete(team.Origins, field) // what no merge makes
			}
		}
		for i := range team.Contacts {
			if len(team.Evidence) > 0 {
				team.Contacts[i].ID, team.Contacts[i].Revision = team.Evidence[0].Contact, team.Evidence[0].Revision
			}
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(format.TeamFrom(&team, directory.Policy{}, now)); err != nil {
			t.Fatal(err)
		}
		got := append(format.AppendTeam(nil, &team, directory.Policy{}, now), '\n')
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("AppendTeam of %+v (-got +want):\n%s", team, cmp.Diff(string(got), want.String()))
		}
	}
}

func BenchmarkAppendTeam(b *testing.B) {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	team := directory.Team{
		ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "example-csirt", Revision: 7, Created: now, Updated: now,
		Profile: directory.Profile{
			Names: directory.Names{Short: "EXAMPLE-CSIRT", Full: "Example Computer Security Incident Response Team"}, Kinds: []string{"csirt"},
			Host: "Example University", Country: "AT", Zone: "Europe/Vienna",
			Contacts: []directory.Contact{{ID: "0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d", Revision: 1, Channel: "email", Value: "csirt@example.org", Uses: []string{"general", "abuse"}, Since: now}},
		},
		Origins: map[string]directory.Origin{"names": {Source: "team", At: now}, "kinds": {Source: "team", At: now}, "host": {Source: "team", At: now}, "country": {Source: "team", At: now}},
	}
	b.Run("by hand", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf = format.AppendTeam(buf[:0], &team, directory.Policy{}, now)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(format.TeamFrom(&team, directory.Policy{}, now)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
