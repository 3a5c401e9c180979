package api_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// whole is one revision of team beta, without what the directory notes.
func (s *scene) whole(t *testing.T, n int64) map[string]any {
	t.Helper()
	list, err := s.dir.History(t.Context(), operator(), "beta", n+1, 1)
	if err != nil {
		t.Fatal(err)
	}
	team := list[0].After.Team()
	for i := range team.Contacts {
		c := &team.Contacts[i]
		c.Revision, c.Since, c.Origin = 0, team.Deleted, directory.Origin{}
	}
	for i := range team.Designations {
		team.Designations[i].Origin = directory.Origin{}
	}
	text, err := json.Marshal(format.ProfileTo(team.Profile))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// replay makes the newer team of the older one, as the documentation tells it:
// what was taken out is at its place in the older one, everything else at its
// place in the newer.
func replay(t *testing.T, team map[string]any, changes []api.Difference) map[string]any {
	t.Helper()
	gone := map[string][]int{}
	for _, c := range changes {
		if list, i, ok := itemAt(c.Pointer); ok && c.After == nil {
			gone[list] = append(gone[list], i)
		}
	}
	for list, places := range gone {
		slices.Sort(places)
		slices.Reverse(places)
		items := slices.Clone(team[list].([]any))
		for _, i := range places {
			items = slices.Delete(items, i, i+1)
		}
		team[list] = items
	}
	added := map[string]map[int]any{}
	for _, c := range changes {
		if list, i, ok := itemAt(c.Pointer); ok && c.Before == nil {
			if added[list] == nil {
				added[list] = map[int]any{}
			}
			added[list][i] = c.After
		}
	}
	for list, items := range added {
		old, _ := team[list].([]any)
		old = slices.Clone(old)
		for i := 0; len(items) > 0; i++ {
			if item, ok := items[i]; ok {
				old = slices.Insert(old, i, item)
				delete(items, i)
			}
		}
		team[list] = old
	}
	for _, c := range changes {
		if _, _, ok := itemAt(c.Pointer); !ok {
			set(t, team, strings.Split(c.Pointer[1:], "/"), c.After)
		}
	}
	return team
}

// itemAt takes the pointer to an item of a list apart.
func itemAt(pointer string) (list string, i int, ok bool) {
	parts := strings.Split(pointer[1:], "/")
	if len(parts) != 2 {
		return "", 0, false
	}
	i, err := strconv.Atoi(parts[1])
	return parts[0], i, err == nil
}

func set(t *testing.T, v any, path []string, value any) {
	t.Helper()
	switch at := v.(type) {
	case map[string]any:
		if len(path) > 1 {
			set(t, at[path[0]], path[1:], value)
		} else if value == nil {
			delete(at, path[0])
		} else {
			at[path[0]] = value
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i >= len(at) {
			t.Fatalf("no item %s", path[0])
		}
		if len(path) == 1 {
			at[i] = value
			return
		}
		set(t, at[i], path[1:], value)
	}
}
