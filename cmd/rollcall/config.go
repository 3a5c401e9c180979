package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// config is the checked configuration of one run.
type config struct {
	DB              string
	Listen          string
	LogLevel        slog.Level
	LogFormat       string
	LastResort      directory.Handle
	MaxChange       float64
	MatchRules      []directory.Rule
	Policy          directory.Policy
	ShutdownTimeout time.Duration
	TLSCert, TLSKey string
	BatchBody       int64
	Limits          api.Limits
	CORSOrigins     []string
	ImportMax       int // MiB
	ImportKeep      time.Duration
	ControlLabel    string // of proofs of control
	Verify          verifyConfig
	Challenge       challengeConfig

	file   string             // that was read; "" for none
	values map[string]setting // by key
}

// setting is a value as text, and where it was given.
type setting struct {
	text   string
	source string // "default", "flag --listen", "environment ROLLCALL_LISTEN", "rollcall.toml line 3"
}

// key is one thing that can be configured. Its name in the file is name, in
// the environment ROLLCALL_NAME, as a flag --name with hyphens.
type key struct {
	name, preset, arg, usage string
	secret                   bool // may hold a password: masked wherever it is shown
	list                     bool // may be a list in the file; elsewhere it is joined by commas
	set                      func(*config, string) error
}

func (k key) flag() string { return strings.ReplaceAll(k.name, "_", "-") }
func (k key) env() string  { return "ROLLCALL_" + strings.ToUpper(k.name) }

// keyFlags adds the flags of the named keys.
func keyFlags(flags interface {
	String(name, value, usage string) *string
}, names ...string,
) {
	for _, k := range keys() {
		if !slices.Contains(names, k.name) {
			continue
		}
		text := fmt.Sprintf("%s (%s)", k.usage, k.env())
		if k.preset != "" {
			text = fmt.Sprintf("%s (%s; default %s)", k.usage, k.env(), k.preset)
		}
		flags.String(k.flag(), "", strings.Replace(text, k.arg, "`"+k.arg+"`", 1))
	}
}

// configure reads all keys, each from the strongest source that has it, and
// checks them.
func (w world) configure(cmd *cobra.Command) (*config, error) {
	c := &config{values: map[string]setting{}}
	inFile, err := w.readFile(c, cmd)
	if err != nil {
		return nil, err
	}
	for _, k := range keys() {
		s := setting{k.preset, "default"}
		if v, ok := inFile[k.name]; ok {
			s = v
		}
		if v := w.getenv(k.env()); v != "" {
			s = setting{v, "environment " + k.env()}
		}
		if f := cmd.Flags().Lookup(k.flag()); f != nil && f.Changed {
			s = setting{f.Value.String(), "flag --" + k.flag()}
		}
		c.values[k.name] = s
		if s.text == "" && s.source == "default" {
			continue
		}
		if err := k.set(c, s.text); err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("%s: %w (%s)", k.name, k.masked(err, s.text), s.source)}
		}
	}
	return c, c.together()
}

// masked takes a password out of an error that quotes it.
func (k key) masked(err error, text string) error {
	if !k.secret {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), text, mask(text)))
}

// together checks what concerns several keys.
func (c *config) together() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		have, lacks := "tls_cert", "tls_key"
		if c.TLSCert == "" {
			have, lacks = lacks, have
		}
		return &exitError{exitUsage, fmt.Errorf("%s: missing, while %s is set (%s); want both or neither", lacks, have, c.values[have].source)}
	}
	return nil
}

// readFile returns the settings of the configuration file.
func (w world) readFile(c *config, cmd *cobra.Command) (map[string]setting, error) {
	path, source := w.configFile, ""
	if v := w.getenv("ROLLCALL_CONFIG"); v != "" {
		path, source = v, " (environment ROLLCALL_CONFIG)"
	}
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		path, source = f.Value.String(), " (flag --config)"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && source == "" {
		return nil, nil
	}
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("configuration file: %w%s", err, source)}
	}
	c.file = path
	values, err := parseFile(path, text)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return values, nil
}

// parseFile reads a flat table in TOML.
func parseFile(path string, text []byte) (map[string]setting, error) {
	var table map[string]any
	if err := toml.Unmarshal(text, &table); err != nil {
		if e, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, fmt.Errorf("%s line %d: %s", path, e.Position.Line, e.Message)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var names []string
	for _, k := range keys() {
		names = append(names, k.name)
	}
	values := map[string]setting{}
	for name, v := range table {
		place := fmt.Sprintf("%s line %d", path, lineOf(text, name))
		if !slices.Contains(names, name) {
			want := "one of " + strings.Join(names, ", ")
			if near := nearest(name, names); near != "" {
				want = near
			}
			return nil, fmt.Errorf("%s: there is no such key (%s); want %s", name, place, want)
		}
		switch v.(type) {
		case string, int64, float64, bool:
			values[name] = setting{fmt.Sprint(v), place}
		default:
			joined, ok := joinList(name, v)
			if !ok {
				return nil, fmt.Errorf("%s: a table or list (%s); want one value", name, place)
			}
			values[name] = setting{joined, place}
		}
	}
	return values, nil
}

// joinList joins a list of words, where the key takes one.
func joinList(name string, v any) (string, bool) {
	list, ok := v.([]any)
	i := slices.IndexFunc(keys(), func(k key) bool { return k.name == name })
	if !ok || i < 0 || !keys()[i].list {
		return "", false
	}
	var words []string
	for _, item := range list {
		word, ok := item.(string)
		if !ok {
			return "", false
		}
		words = append(words, word)
	}
	return strings.Join(words, ", "), true
}

// lineOf finds the line that sets a key: the parser keeps no positions.
func lineOf(text []byte, name string) int {
	at := regexp.MustCompile(`(?m)^\s*\[*["']?` + regexp.QuoteMeta(name) + `["']?\s*[=.\]]`).FindIndex(text)
	if at == nil {
		return 1
	}
	return 1 + strings.Count(strings.TrimLeft(string(text[:at[1]]), ""), "\n")
}
