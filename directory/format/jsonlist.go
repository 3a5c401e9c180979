package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/rollcall-csirt/rollcall/directory"
)

// jsonList reads a long list of JSON objects item by item: a bare array, or
// the member of an envelope that holds it. Only one item is in memory.
type jsonList struct {
	what   string // the file it should be, for the message
	bare   bool   // the array may stand alone
	member string // of the envelope; "": there is none
	// other is given the other members of the envelope, and may refuse them.
	other func(name string, value json.RawMessage) error

	limit *io.LimitedReader
	dec   *json.Decoder
	found bool // the array was there
	items int
}

// all yields the items of the file; an error is the last.
func (l *jsonList) all(r io.Reader) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		text, err := openText(r)
		if err != nil {
			yield(nil, err)
			return
		}
		l.limit = &io.LimitedReader{R: text, N: maxTeamList + 1}
		l.dec = json.NewDecoder(l.limit)
		if goOn, err := l.read(yield); err != nil && goOn {
			yield(nil, l.explain(err))
		}
	}
}

// read returns false when the consumer wants no more.
func (l *jsonList) read(yield func(json.RawMessage, error) bool) (bool, error) {
	first, err := l.dec.Token()
	switch {
	case err != nil && l.limit.N == 0, err == nil && first == json.Delim('['):
	case errors.Is(err, io.EOF), err == nil && first == json.Delim('{') && l.member != "":
	default:
		if isSyntax(err) || err == nil {
			err = l.header()
		}
		return true, err
	}
	if err != nil {
		return true, err
	}
	for {
		goOn, err := l.value(first, yield)
		if err != nil || !goOn {
			return goOn, err
		}
		next, err := l.dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err == nil && first == json.Delim('{') && next == first: // the next page
		case err == nil || isSyntax(err):
			return true, fault("json.syntax", "", "there is something behind the end of the list", "one JSON text in one file")
		default:
			return true, err
		}
	}
}

// value reads the array or envelope that opened.
func (l *jsonList) value(open json.Token, yield func(json.RawMessage, error) bool) (bool, error) {
	if open == json.Delim('[') {
		if !l.bare {
			return true, l.header()
		}
		return l.array(yield)
	}
	l.found = false
	goOn, err := l.envelope(yield)
	if err == nil && goOn && !l.found {
		err = l.header()
	}
	return goOn, err
}

func (l *jsonList) header() error {
	return fault("import.header", "", "not "+l.what, l.what)
}

func (l *jsonList) envelope(yield func(json.RawMessage, error) bool) (bool, error) {
	for l.dec.More() {
		name, err := l.dec.Token()
		if err != nil {
			return true, err
		}
		if name == l.member && !l.found {
			open, err := l.dec.Token()
			if err != nil {
				return true, err
			}
			if open != json.Delim('[') {
				return true, l.header()
			}
			if goOn, err := l.array(yield); err != nil || !goOn {
				return goOn, err
			}
			continue
		}
		var value json.RawMessage
		if err := l.dec.Decode(&value); err != nil {
			return true, err
		}
		if l.other != nil {
			if err := l.other(fmt.Sprint(name), value); err != nil {
				return true, err
			}
		}
	}
	_, err := l.dec.Token() // the end of the object
	return true, err
}

// array reads the items up to the bracket behind them.
func (l *jsonList) array(yield func(json.RawMessage, error) bool) (bool, error) {
	l.found = true
	for l.dec.More() {
		var item json.RawMessage
		if err := l.dec.Decode(&item); err != nil {
			return true, err
		}
		l.items++
		if !yield(item, nil) {
			return false, nil
		}
	}
	_, err := l.dec.Token()
	return true, err
}

func isSyntax(err error) bool {
	_, ok := errors.AsType[*json.SyntaxError](err)
	return ok
}

// explain turns the error of the decoder into that of the file.
func (l *jsonList) explain(err error) error {
	if _, ok := errors.AsType[directory.Problem](err); ok {
		return err
	}
	switch e, syntax := errors.AsType[*json.SyntaxError](err); {
	case l.limit.N == 0:
		return fault("import.too-large", "", fmt.Sprintf("more than %d MiB", maxTeamList>>20), "one file of the right kind")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault("import.truncated", "", fmt.Sprintf("the file ends in the middle of the list, after %d items", l.items), "the whole file")
	case syntax:
		return fault("json.syntax", "", fmt.Sprintf("not JSON at byte %d, after %d items: %s", e.Offset, l.items, e.Error()), "the file as it was published")
	}
	return readError(err, 0)
}

// listed reads a list of teams with take, which is given each item and its
// number from 1.
func (l *jsonList) listed(r io.Reader, take func(int, json.RawMessage) []directory.ImportItem) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		row := 0
		for raw, err := range l.all(r) {
			if err != nil {
				yield(directory.ImportItem{Fatal: err})
				return
			}
			row++
			for _, item := range take(row, raw) {
				if !yield(item) {
					return
				}
			}
		}
		if row == 0 {
			yield(directory.ImportItem{Fatal: fault("import.empty", "", "the list has no entries", "")})
		}
	}
}
