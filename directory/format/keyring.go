package format

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// maxKeyring is far above the keyring of any forum: 905 keys of Debian's
// developers take 37 MB.
const maxKeyring = 256 << 20

// Keyring reads an OpenPGP keyring, binary or armoured. A keyring knows no
// teams: each certificate is a record of its own whose Mailboxes say which
// teams it belongs to. A certificate that can't be used is skipped, with the
// reason, and costs no other. Row counts certificates, from 1.
func Keyring(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		data, err := readWhole(r, maxKeyring)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		first := map[directory.Fingerprint]int{}
		for item := range directory.ParseKeyring(data) {
			for _, out := range keyringItems(item, first) {
				if !yield(out) {
					return
				}
			}
		}
	}
}

// keyringItems turns one certificate into what an import takes.
func keyringItems(item directory.KeyringItem, first map[directory.Fingerprint]int) []directory.ImportItem {
	row := item.Index + 1
	skip := func(p directory.Problem) []directory.ImportItem {
		return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: row, Problem: p}}}
	}
	if item.Err != nil {
		if p, ok := errors.AsType[directory.Problem](item.Err); ok {
			return skip(p)
		}
		return skip(wireProblem("value.invalid", "", "", item.Err.Error(), ""))
	}
	if before, ok := first[item.Key.Fingerprint]; ok {
		return skip(wireProblem("keyring.duplicate", "", string(item.Key.Fingerprint), fmt.Sprintf("the same key as number %d", before), "each key once"))
	}
	first[item.Key.Fingerprint] = row
	record := keyringRecord(item.Key, row)
	if len(record.Mailboxes) == 0 {
		return skip(wireProblem("keyring.no-address", "", string(item.Key.Fingerprint),
			"no user ID of the key has a mail address, so it can't be told whose it is", "a user ID such as Example CSIRT <csirt@example.org>"))
	}
	var out []directory.ImportItem
	for _, n := range item.Notes {
		out = append(out, directory.ImportItem{Note: &directory.RowProblem{Row: row, Problem: n}})
	}
	return append(out, directory.ImportItem{Record: record})
}

// keyringRecord takes the addresses of user IDs that are not revoked.
func keyringRecord(k directory.Key, row int) *directory.SourceRecord {
	r := &directory.SourceRecord{Row: row, Rows: 1, Key: string(k.Fingerprint), Profile: directory.Profile{Keys: []directory.TeamKey{{Key: k}}}}
	for _, u := range k.UserIDs {
		e, err := directory.ParseEmail(u.Email)
		if err != nil || u.Revoked || slices.ContainsFunc(r.Mailboxes, func(have directory.Email) bool { return have.Key() == e.Key() }) {
			continue
		}
		r.Mailboxes = append(r.Mailboxes, e)
	}
	return r
}

// keyringExporter writes the keys of all teams, armoured and each once, with
// the team and the fingerprint above every block; programs pass over text
// between blocks.
func keyringExporter() Exporter {
	return Exporter{
		Name: "keyring", About: "OpenPGP keys in ASCII armour, each once",
		MediaType: "application/pgp-keys", Extension: ".asc",
		write: writeKeys(func(w *bufio.Writer, t *directory.Team, k *directory.TeamKey, _ []byte) error {
			_, err := fmt.Fprintf(w, "%s: %s\n%s\n\n%s\n\n", t.Handle, commentText(t.Name()), k.Fingerprint.Spaced(), strings.TrimSpace(k.Armor))
			return err
		}),
	}
}

// keyringBinaryExporter writes the same keys as packets.
func keyringBinaryExporter() Exporter {
	return Exporter{
		Name: "keyring-binary", About: "OpenPGP keys as packets, each once",
		MediaType: "application/octet-stream", Extension: ".gpg",
		write: writeKeys(func(w *bufio.Writer, _ *directory.Team, _ *directory.TeamKey, packets []byte) error {
			_, err := w.Write(packets)
			return err
		}),
	}
}

// writeKeys calls write with each key that can be read. Teams share keys, so
// it remembers which have been written, 32 bytes for each.
func writeKeys(write func(*bufio.Writer, *directory.Team, *directory.TeamKey, []byte) error) func(*bufio.Writer, ExportOptions, Teams) error {
	return func(w *bufio.Writer, _ ExportOptions, teams Teams) error {
		seen := map[[sha256.Size]byte]struct{}{}
		for t, err := range teams {
			if err != nil {
				return err
			}
			for i := range t.Keys {
				k := &t.Keys[i]
				id := sha256.Sum256([]byte(k.Fingerprint))
				packets := keyPackets(k.Key)
				if _, again := seen[id]; again || packets == nil {
					continue
				}
				seen[id] = struct{}{}
				if err := write(w, &t, k, packets); err != nil {
					return fmt.Errorf("key %s: %w", k.Fingerprint, err)
				}
			}
		}
		return nil
	}
}

// commentText keeps a name from ending its line or looking like armour.
func commentText(s string) string {
	return strings.ReplaceAll(oneLine(s), "--", "- -")
}
