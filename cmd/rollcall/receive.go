package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func receiveCommand(w world) *cobra.Command {
	var from, box string
	cmd := &cobra.Command{
		Use: "receive [RECIPIENT...]", Short: "Take in one mail from standard input, for a mail server's pipe",
		Long: `Receive takes in one mail on standard input, as a mail server pipes it, finds the
question that it belongs to, and writes down what it proves. What belongs to none
is kept aside, and nobody is answered.

Its exit status is for the mail server (sysexits): 0 taken, 65 too large or no
mail, 67 not for this instance, 75 try again later. That is also the answer to
trouble of our own, such as a database that is away. In Postfix's master.cf:

  rollcall unix - n n - - pipe
    user=rollcall null_sender=
    argv=/usr/bin/rollcall receive --from=${sender} ${recipient}

With --maildir it takes in what lies in a folder into which the site's mail server
delivers, and ends; mail that is taken in is moved to cur/, what must come again
stays.`,
		Example: `  rollcall receive --config rollcall.toml --from csirt@example.org rollcall@example.org
  rollcall receive --config rollcall.toml --maildir /var/mail/rollcall`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			take := func(c *call) error { return c.receive(from) }
			if box != "" {
				take = func(c *call) error { return c.receiveBox(box) }
			}
			err := w.action(take)(cmd, args)
			if e, ok := errors.AsType[*exitError](err); err != nil && (!ok || !slices.Contains([]int{mail.ExitData, mail.ExitNoUser, mail.ExitTemporary}, e.code)) {
				return &exitError{mail.ExitTemporary, err} // trouble of our own: no mail is lost because of it
			}
			return err
		},
	}
	// A mail server gives a mail up for good when it is told anything else.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{mail.ExitTemporary, usage(cmd, "%v", err)}
	})
	keyFlags(cmd.Flags(), append(mailKeyNames(), "db", "challenge_policies", "mail_aside", "mail_aside_max", "mail_authserv_ids", "mail_max_size", "verify_resolvers")...)
	cmd.Flags().StringVar(&box, "maildir", "", "take in what lies in the Maildir `FOLDER`, and end")
	cmd.Flags().StringVar(&from, "from", "", "return path of the mail as the `ADDRESS` that the mail server passes; empty, or MAILER-DAEMON, for bounces")
	return cmd
}

// receive takes in the mail on standard input.
func (c *call) receive(from string) error {
	var path *string
	if c.cmd.Flags().Changed("from") {
		path = &from
	}
	status := mail.ExitOK
	err := c.withReceiver(func(id *mail.Identity, r *challenge.Receiver) (err error) {
		status, err = mail.Pipe{In: c.stdin, From: path, To: c.args, Accepts: id.Accepts, Handle: r.Receive, MaxSize: c.cfg.Challenge.MaxSize, Now: c.now}.Receive(c.ctx)
		return err
	})
	switch {
	case err == nil && status == mail.ExitOK:
		return nil
	case status == mail.ExitOK:
		status = mail.ExitTemporary
	case err == nil:
		err = fmt.Errorf("not taken")
	}
	return &exitError{status, err}
}

// receiveBox takes in what lies in a Maildir.
func (c *call) receiveBox(dir string) error {
	if len(c.args) > 0 {
		return usage(c.cmd, "maildir: mails in a folder name their recipients themselves; want no others")
	}
	return c.withReceiver(func(id *mail.Identity, r *challenge.Receiver) error {
		box, all := mail.Maildir{Dir: dir, Accepts: id.Accepts, Handle: r.Receive, MaxSize: c.cfg.Challenge.MaxSize, Now: c.now}, 0
		for {
			n, err := box.Scan(c.ctx)
			if all += n; n > 0 && err == nil {
				continue
			}
			_, printed := fmt.Fprintf(c.stdout, "%d mails were taken in\n", all)
			return errors.Join(err, printed)
		}
	})
}

// withReceiver runs do with what takes mails in on the configured database.
func (c *call) withReceiver(do func(*mail.Identity, *challenge.Receiver) error) error {
	id, err := c.openIdentity()
	if err != nil {
		return err
	}
	// What the database says is temporary: the mail server keeps the mail.
	return c.withStore(func(db *store.DB) error {
		follower, err := c.newFollower(db)
		if err != nil {
			return err
		}
		desk, err := c.newDesk(officeParts{store: db, index: follower.Index}, nil)
		if err != nil {
			return err
		}
		receiver, err := c.newReceiver(desk, id, c.newAside())
		if err != nil {
			return err
		}
		return do(id, receiver)
	}, store.MustExist)
}
