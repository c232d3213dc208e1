package remote

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// DeployCommand returns `wasmoor deploy`.
func (p *Commands) DeployCommand() *cobra.Command {
	var up adminapi.Upload
	var noActivate bool
	var canary canary
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "deploy [DIR|FILE]",
		Short: "Build a project and serve it, or serve a module",
		Long: `Deploy builds the project in DIR (default: this folder), or takes the module
FILE, uploads it as a new version and activates it. Requests that run finish on
the version they started with. The URLs that answer are written to standard
output. A first deploy grants what the manifest asks for; a later version that
asks for more waits until it is granted.

With --canary the version gets a share of the clients first, and more step by step
while it does as well as the one before. One that does worse goes back by itself,
and then the command fails.`,
		Example: `  wasmoor deploy
  wasmoor deploy shop --name shop-staging --mount /staging/shop
  wasmoor deploy shop --canary 5%:2m,25%:5m
  wasmoor deploy shop.wasm --mount shop.example/ --mount /shop --label "$(git describe)"`,
		Args: cli.MayTake("DIR or FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		args = canary.without(args)
		if err := canary.check(); err != nil {
			return err
		}
		up.Activate, p.serverOnly, up.Canary, up.Key = !noActivate, true, canary.plan, canary.key
		return p.deploy(cmd.Context(), cli.Argument(args, "."), up, !canary.noWait)
	}))
	flags := cmd.Flags()
	flags.StringVar(&up.Name, "name", "", "install under this name (default: the manifest's)")
	flags.StringArrayVar(&up.Mount, "mount", nil, "where its routes hang: [host]/prefix; may be repeated (default: as it is, or /NAME)")
	flags.StringVar(&up.Label, "label", "", "a note, which 'wasmoor versions' shows")
	flags.BoolVar(&up.Grant, "grant", false, "grant what the manifest asks for")
	flags.BoolVar(&noActivate, "no-activate", false, "store the version without serving it")
	canary.flags(cmd)
	return p.asks(cmd)
}

func (p *Commands) deploy(ctx context.Context, path string, up adminapi.Upload, wait bool) error {
	if err := cli.CheckTarget(up.Name, up.Mount); err != nil {
		return err
	}
	l, err := project.Load(ctx, p.Terminal, path)
	if err != nil {
		project.ShowFailure(p.Terminal, err)
		return err
	}
	for _, s := range l.Took {
		p.Step(s.Name, s.Took, s.Detail)
	}
	if up.Name == "" {
		up.Name = l.Name
	}
	return p.Talk(func(c *client.Client) error {
		start := time.Now()
		changed, err := c.Deploy(ctx, up, l.Module)
		if err != nil {
			return err
		}
		p.Step("upload", time.Since(start)-serverTime(changed.Steps), "")
		if changed.Rollout != "" {
			for _, s := range changed.Steps {
				p.Step(s.Name, s.Took(), s.Detail)
			}
			return p.rollsOut(ctx, c, changed, wait)
		}
		return p.showActivation(ctx, c, changed, up.Activate)
	})
}

func serverTime(steps []adminapi.Step) (total time.Duration) {
	for _, s := range steps {
		total += s.Took()
	}
	return total
}
