// Package rollout holds the commands that watch and steer how a version takes over
// from another one, and that keep versions. The root command lists them.
package rollout

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which ask as the others do.
func New(ask *remote.Commands) *Commands { return &Commands{ask} }

// RolloutCommand returns `wasmoor rollout`.
func (p *Commands) RolloutCommand() *cobra.Command {
	var watch bool
	cmd := p.Quick(p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "rollout NAME",
		Short: "Show how a version takes over from another one, and steer it",
		Long: `Rollout shows how the version does that ` + "`wasmoor deploy --canary`" + ` gave a share of
the clients, beside the one that it takes over from. At the end of each step the
server compares them: a version that traps, fails or is slow more often goes back
at once, one that does as well goes on, and where too little is known it is held.`,
		Example: `  wasmoor rollout shop --watch
  wasmoor rollout promote shop
  wasmoor rollout abort shop`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.show(cmd.Context(), args[0], watch)
	}))))
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show each step until the end")
	var full bool
	promote := p.act("promote", "Take a roll-out to its next step now, whatever is known", &full)
	promote.Flags().BoolVar(&full, "full", false, "let the version serve everybody at once")
	cmd.AddCommand(
		promote,
		p.act("pause", "Keep a roll-out at its step; a version that does worse goes back all the same", nil),
		p.act("resume", "Let a paused roll-out go on", nil),
		p.act("abort", "End a roll-out: the version before serves everybody", nil),
	)
	return cmd
}

func (p *Commands) act(name, short string, full *bool) *cobra.Command {
	return p.Asks(p.Reads(p.Does(&cobra.Command{
		Use: name + " NAME", Short: short, Args: cli.Takes("NAME"), ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		act := adminapi.RolloutAct{Act: name, Full: full != nil && *full}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			r, err := c.ChangeRollout(cmd.Context(), args[0], act)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, r)
			}
			return p.table(r)
		})
	})))
}

func (p *Commands) show(ctx context.Context, name string, watch bool) error {
	return p.About(ctx, name, func(c *client.Client) error {
		r, err := c.Rollout(ctx, name)
		if err == nil && watch && r.Ended == nil {
			r, err = p.Follow(ctx, c, name)
		}
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, r)
		}
		return p.table(r)
	})
}

// table writes both sides below each other, and what is known as a message.
func (p *Commands) table(r adminapi.Rollout) error {
	new, old := r.Share, 100-r.Share
	switch r.State {
	case adminapi.RolloutDone:
		new, old = 100, 0
	case adminapi.RolloutBack, adminapi.RolloutAborted:
		new, old = 0, 100
	}
	err := p.Table("", "VERSION SHARE REQUESTS FAILED TRAPPED P50 P99", [][]string{row(r.Old, old), row(r.New, new)})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s at step %d of %d (%s)", r.State, r.Step, r.Steps, r.Plan)
	if r.Ended == nil {
		what += fmt.Sprintf(", for %v", time.Since(r.Stepped).Round(time.Second))
	}
	p.Note("%s", what)
	if r.Reason != "" {
		p.Note("%s: %s", said(r), r.Reason)
	}
	if r.State == adminapi.RolloutHeld {
		p.Note("too little is known to go on or back; wait for more requests, or decide: wasmoor rollout promote %s, or: wasmoor rollout abort %s", r.Plugin, r.Plugin)
	}
	return nil
}

func said(r adminapi.Rollout) string {
	if r.Ended != nil {
		return "reason"
	}
	return "verdict " + r.Verdict
}

func row(s adminapi.RolloutSide, share float64) []string {
	times := []string{"", ""}
	if s.Requests > 0 {
		times = []string{millis(s.P50), millis(s.P99)}
	}
	return append([]string{
		strconv.Itoa(s.Version), fmt.Sprintf("%g%%", share), strconv.FormatInt(s.Requests, 10),
		strconv.FormatInt(s.Failures, 10), strconv.FormatInt(s.Traps, 10),
	}, times...)
}

func millis(m float64) string { return term.Millis(time.Duration(m * float64(time.Millisecond))) }

// PinCommand returns `wasmoor pin`.
func (p *Commands) PinCommand() *cobra.Command {
	return p.pin("pin", "Keep a version however old it is", "is kept however old it gets")
}

// UnpinCommand returns `wasmoor unpin`.
func (p *Commands) UnpinCommand() *cobra.Command {
	return p.pin("unpin", "Let a version go when it is old", "goes when it is old")
}

func (p *Commands) pin(name, short, said string) *cobra.Command {
	return p.Asks(p.Does(&cobra.Command{
		Use: name + " NAME VERSION", Short: short, Args: cli.Takes("NAME", "VERSION"), ValidArgsFunction: p.CompleteVersions,
	}, func(cmd *cobra.Command, args []string) error {
		version, err := cli.Version(args)
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			err := c.Pin(cmd.Context(), args[0], adminapi.Pin{Version: version, Unpin: name == "unpin"})
			if err == nil {
				p.Note("version %d of %s %s", version, args[0], said)
			}
			return err
		})
	}))
}
