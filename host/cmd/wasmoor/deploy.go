package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func (p *program) deployCommand() *cobra.Command {
	var up client.Upload
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "deploy [DIR|FILE]",
		Short: "Build a project and serve it, or serve a module",
		Long: `Deploy builds the project in DIR (default: this folder), or takes the module
FILE, uploads it as a new version and activates it. Requests that run finish on
the version they started with. The URLs that answer are written to standard
output. A first deploy grants what the manifest asks for; a later version that
asks for more waits until it is granted.`,
		Example: `  wasmoor deploy
  wasmoor deploy shop --name shop-staging --mount /staging/shop
  wasmoor deploy shop.wasm --mount shop.example/ --label "$(git describe)"`,
		Args: mayTake("DIR or FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		return p.deploy(cmd.Context(), argument(args, "."), up)
	}))
	flags := cmd.Flags()
	flags.StringVar(&up.Name, "name", "", "install under this name (default: the manifest's)")
	flags.StringVar(&up.Mount, "mount", "", "where its routes hang: [host]/prefix (default: as it is, or /NAME)")
	flags.StringVar(&up.Label, "label", "", "a note, which 'wasmoor versions' shows")
	flags.BoolVar(&up.Grant, "grant", false, "grant what the manifest asks for")
	flags.BoolVar(&up.NoActivate, "no-activate", false, "store the version without serving it")
	return cmd
}

func (p *program) deploy(ctx context.Context, path string, up client.Upload) error {
	if err := checkTarget(up); err != nil {
		return err
	}
	l, err := p.load(ctx, path)
	if err != nil {
		p.showBuildFailure(err)
		return err
	}
	for _, s := range l.took {
		p.step(s.name, s.took, s.detail)
	}
	up.Module = l.module
	if up.Name == "" {
		up.Name = l.name
	}
	return p.talk(func(c *client.Client) error {
		start := time.Now()
		outcome, err := c.Deploy(ctx, up)
		if err != nil {
			return err
		}
		p.step("upload", time.Since(start)-serverTime(outcome.Steps), "")
		return p.showOutcome(ctx, c, outcome, !up.NoActivate)
	})
}

// checkTarget refuses a name or mount that cannot be, before a build is spent
// on it.
func checkTarget(up client.Upload) error {
	if up.Name != "" {
		if err := plugin.CheckName(up.Name); err != nil {
			return usage("--name: %s", fault.MessageOf(err))
		}
	}
	if up.Mount != "" {
		if _, err := plugin.ParseMount(up.Mount); err != nil {
			return usage("--mount: %s", fault.MessageOf(err))
		}
	}
	return nil
}

func serverTime(steps []client.Step) time.Duration {
	var total float64
	for _, s := range steps {
		total += s.Millis
	}
	return time.Duration(total * float64(time.Millisecond))
}
