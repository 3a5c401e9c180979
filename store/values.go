package store

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Times are kept as microseconds since 1970, the resolution that both engines
// could have; 0 is no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// list writes a list as a JSON array, and nil as "", because some lists mean
// something else when they are nil.
func list[T ~string](items []T) string {
	if items == nil {
		return ""
	}
	text, err := json.Marshal(items)
	if err != nil {
		panic("store: strings that are not JSON: " + err.Error()) // can't be: Marshal replaces what is not UTF-8
	}
	return string(text)
}

func listOf[T ~string](text string) ([]T, error) {
	if text == "" {
		return nil, nil
	}
	var items []T
	err := json.Unmarshal([]byte(text), &items)
	return items, err
}

// most reads a limit: 0 or less is no limit.
func most(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// below reads a bound: 0 or less is no bound.
func below(before int64) int64 {
	if before <= 0 {
		return math.MaxInt64
	}
	return before
}

// kindsColumn writes kinds so that each can be found between two blanks.
func kindsColumn(kinds []string) string {
	if len(kinds) == 0 {
		return ""
	}
	return " " + strings.Join(kinds, " ") + " "
}
