package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

const configLong = `Config prints every key with the value that holds and where it was given, and
fails as every other command does when one is wrong. Passwords are masked.

The file is TOML, one key on a line:

  db = "postgres://rollcall@db.example.org/rollcall"
  listen = "127.0.0.1:8080"
  log_level = "info"
  policy_lasts = "180d"

Without --config and ROLLCALL_CONFIG, /etc/rollcall/rollcall.toml is read if it
exists. The current folder is not searched: what a command does should not
depend on where it was started.`

func configCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Show the configuration and where each value comes from",
		Long:    configLong,
		Example: "  rollcall config\n  rollcall config --config rollcall.toml --listen :8080",
		Args:    exactArgs(),
		RunE:    w.action((*call).showConfig),
	}
	for _, k := range keys() {
		if k.name != "log_level" && k.name != "log_format" {
			keyFlags(cmd.Flags(), k.name)
		}
	}
	return cmd
}

func (c *call) showConfig() error {
	file := c.cfg.file
	if file == "" {
		file = "none"
	}
	fmt.Fprintf(c.stdout, "# configuration file: %s\n", file)
	t := tabwriter.NewWriter(c.stdout, 0, 0, 1, ' ', 0)
	for _, k := range keys() {
		s := c.cfg.values[k.name]
		if k.secret {
			s.text = mask(s.text)
		}
		fmt.Fprintf(t, "%s\t= %q\t# %s\n", k.name, s.text, s.source)
	}
	return t.Flush()
}
