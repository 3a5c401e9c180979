package store

import (
	"testing"
	"testing/fstest"
)

func TestReadMigrations(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("SELECT 1;")}
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  int // 0: refused
	}{
		{"two in order", fstest.MapFS{"0001_a.sql": file, "0002_b.sql": file}, 2},
		{"none", fstest.MapFS{}, 0},
		{"a gap", fstest.MapFS{"0001_a.sql": file, "0003_b.sql": file}, 0},
		{"a number twice", fstest.MapFS{"0001_a.sql": file, "0001_b.sql": file}, 0},
		{"no number", fstest.MapFS{"first.sql": file}, 0},
		{"other files do not count", fstest.MapFS{"0001_a.sql": file, "README": file}, 1},
	} {
		got, err := readMigrations(c.files)
		if (err != nil) != (c.want == 0) || len(got) != c.want {
			t.Errorf("%s: readMigrations = %+v, %v, want %d", c.name, got, err, c.want)
		}
	}
	all, err := readMigrations(fstest.MapFS{"0001_a.sql": file})
	if err != nil {
		t.Fatal(err)
	}
	// sha256sum of "SELECT 1;"
	if got, want := all[0].Hash, "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a"; got != want {
		t.Errorf("Hash = %s, want %s", got, want)
	}
}
