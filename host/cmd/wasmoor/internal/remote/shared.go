package remote

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// Asks gives a command of another package, which talks to a server, the flags that
// say which.
func (p *Commands) Asks(cmd *cobra.Command) *cobra.Command { return p.asks(cmd) }

// Quick makes a command of another package one that the server answers at once.
func (p *Commands) Quick(cmd *cobra.Command) *cobra.Command { return p.quick(cmd) }

// About is Talk for a command about one plugin.
func (p *Commands) About(ctx context.Context, name string, do func(*client.Client) error) error {
	return p.about(ctx, name, do)
}

// CompletePlugins completes the name of a plugin.
func (p *Commands) CompletePlugins(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return p.completePlugins(cmd, args, word)
}

// Moment reads a flag that takes a time, or how long ago, as one of RFC 3339.
func Moment(flag, text string, now time.Time) (string, error) { return moment(flag, text, now) }

// VersionName returns the number of a version for a table; "" = none.
func VersionName(number int) string { return versionName(number) }

// ShowActivation tells what came of an activation that was asked for.
func (p *Commands) ShowActivation(ctx context.Context, c *client.Client, o adminapi.Changed) error {
	return p.showActivation(ctx, c, o, true)
}

// ShowChange tells what became of the deployment that a setting has changed.
func (p *Commands) ShowChange(o adminapi.Changed) error { return p.showChange(o) }

// CompleteVersions completes NAME, then VERSION.
func (p *Commands) CompleteVersions(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return p.completeVersions(cmd, args, word)
}

// Complete asks the server for candidates.
func (p *Commands) Complete(cmd *cobra.Command, candidates func(context.Context, *client.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	return p.complete(cmd, candidates)
}
