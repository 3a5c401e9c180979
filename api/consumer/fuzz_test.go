package consumer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-csirt/rollcall/api/consumer"
)

// FuzzOpen opens a folder of which both files hold anything. What is opened
// must be closed to a copy that opens to the same.
func FuzzOpen(f *testing.F) {
	const copied = `{"snapshot":{"seq":3,"epoch":"e","at":"2026-11-21T20:00:00Z","teams":1}}
{"id":"a"}
{"end":{"teams":1,"gone":0,"sha256":"3b18c8bfa27eeb355f2f3bf7568833352c719338fa8faa213f1428cfa0fa2975"}}
`
	f.Add([]byte(copied), []byte("{\"journal\":{\"seq\":3,\"epoch\":\"e\"}}\n"))
	f.Add([]byte(emptyCopy), []byte(emptyJournal))
	f.Add([]byte(emptyCopy), []byte(emptyJournal+"{\"id\":\"b\"}\n{\"commit\":{\"seq\":4,\"sha256\":\"d8c17576c06ebc22e45cadb30754c14a92b8cd77103981e198487c074467e432\"}}\n"))
	f.Add([]byte("{}\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, copied, journal []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"teams.ndjson": copied, "changes.ndjson": journal} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		open := func() int64 {
			m, err := consumer.Open(consumer.Config{Server: "http://127.0.0.1:1", Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			seq := m.Seq()
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			return seq
		}
		if first, second := open(), open(); first != second {
			t.Errorf("opened at change %d, and then at %d", first, second)
		}
	})
}

// A copy of nothing, and its journal.
const (
	emptyCopy = `{"snapshot":{"seq":3,"epoch":"e","at":"2026-11-21T20:00:00Z","teams":0}}
{"end":{"teams":0,"gone":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}
`
	emptyJournal = "{\"journal\":{\"seq\":3,\"epoch\":\"e\"}}\n"
)
