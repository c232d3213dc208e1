package remote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// canary is what the flags of a command say of a roll-out.
type canary struct {
	plan, key string
	noWait    bool
}

func (c *canary) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.plan, "canary", "", "take over step by step: a PLAN such as 5%:2m,25%:5m, default ("+plugin.DefaultPlan().String()+"), or off")
	flags.Lookup("canary").NoOptDefVal = "default"
	flags.StringVar(&c.key, "key", "", "with --canary: keep a client on one version by ip, cookie or header:NAME (default: its Authorization, or else its address)")
	flags.BoolVar(&c.noWait, "no-wait", false, "where a roll-out begins, by --canary or as the server says: end once it has begun, and leave it to the server")
	if takes := cmd.Args; takes != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return takes(cmd, c.without(args)) }
	}
}

// without returns the arguments without a plan that stands behind --canary with a
// space: a flag that may have no value does not take it.
func (c *canary) without(args []string) (rest []string) {
	for _, a := range args {
		isPlan := a == "off" || a == "default" || a != "" && a[0] >= '0' && a[0] <= '9' && strings.Contains(a, "%")
		if isPlan && (c.plan == "default" || c.plan == a) {
			c.plan = a
			continue
		}
		rest = append(rest, a)
	}
	return rest
}

// check refuses what the server would, before anything is built.
func (c *canary) check() error {
	c.plan = strings.ReplaceAll(c.plan, " ", "")
	if c.plan != "" && c.plan != "off" && c.plan != "default" {
		if _, err := plugin.ParsePlan(c.plan); err != nil {
			return cli.Usage("--canary: %s", fault.MessageOf(err))
		}
	}
	if _, err := plugin.ParseClientKey(c.key); err != nil {
		return cli.Usage("--key: %s", fault.MessageOf(err))
	}
	return nil
}

// rollsOut says what a change did that begins a roll-out, and waits for its end.
func (p *Commands) rollsOut(ctx context.Context, c *client.Client, o adminapi.Changed, wait bool) error {
	p.Notices(o.Notices)
	p.Note("%s %s version %d (%s) takes over step by step: %s", p.Paint(p.Stderr, term.Green, "ok"), o.Plugin, o.Version, plugin.Digest(o.Digest).Short(), o.Rollout)
	if !wait {
		p.Note("the server goes on by itself, and back if the version does worse; watch it with: wasmoor rollout %s --watch", o.Plugin)
		p.Note("to end it now: wasmoor rollout abort %s", o.Plugin)
		return p.jsonIf(o)
	}
	last, err := p.Follow(ctx, c, o.Plugin)
	if err != nil {
		return err
	}
	if err := p.jsonIf(last); err != nil {
		return err
	}
	if last.State != adminapi.RolloutDone {
		return fault.New(fault.Unavailable, "roll out", fmt.Sprintf("version %d went back to version %d: %s", last.New.Version, last.Old.Version, last.Reason))
	}
	server, err := c.Status(ctx)
	if err != nil || p.AsJSON {
		return err
	}
	p.Note("%s %s version %d serves everybody at", p.Paint(p.Stderr, term.Green, "ok"), o.Plugin, o.Version)
	for _, u := range term.RouteURLs(server.Public.URL, o.Mount, o.Routes, o.Private) {
		fmt.Fprintln(p.Stdout, u)
	}
	return nil
}

func (p *Commands) jsonIf(v any) error {
	if !p.AsJSON {
		return nil
	}
	return p.JSON(v)
}

// followEvery is how often a roll-out that is waited for is asked about, and patience
// how long the server may be away meanwhile, as at a restart.
const (
	followEvery = 500 * time.Millisecond
	patience    = time.Minute
)

// Follow tells of each step of a roll-out until it has ended.
func (p *Commands) Follow(ctx context.Context, c *client.Client, name string) (last adminapi.Rollout, err error) {
	told, heard := "", time.Now()
	for {
		r, err := c.Rollout(ctx, name)
		switch {
		case err == nil:
			heard, last = time.Now(), r
		case ctx.Err() != nil:
			p.Note("the roll-out of %s goes on without you; watch it with: wasmoor rollout %s --watch", name, name)
			return last, err
		case fault.CodeOf(err) != fault.Unavailable || time.Since(heard) > patience:
			return last, err
		}
		if now := fmt.Sprint(r.State, r.Step); err == nil && now != told {
			told = now
			p.Note("  %s", rolloutLine(r))
		}
		if last.Ended != nil {
			return last, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(followEvery):
		}
	}
}

// rolloutLine says in a line how a roll-out does.
func rolloutLine(r adminapi.Rollout) string {
	line := fmt.Sprintf("%-8s step %d of %d, %g %%", r.State, r.Step, r.Steps, r.Share)
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	if r.State == adminapi.RolloutHeld {
		line += fmt.Sprintf(" (inconclusive; it goes on with more requests, or by: wasmoor rollout promote %s)", r.Plugin)
	}
	return line
}
