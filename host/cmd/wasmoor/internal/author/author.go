// Package author holds the commands for writing a plugin: new, dev, call, pack,
// inspect and sdk. None of them needs a server: dev and call serve the plugin in
// this process, on a scratch host. A new one is a constructor here that returns its
// *cobra.Command, and a line in the root command's list.
package author

import (
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

// Commands are the commands of one run of the program.
type Commands struct {
	*cli.Program

	settings Settings
}

// Settings are those of a server. The commands that try a module have those that
// decide whether it is taken, so that they say what the server will say, and dev has
// all that decide how it is served.
type Settings interface {
	AddBuild(flags *pflag.FlagSet)
	AddServing(flags *pflag.FlagSet)
	Config(flags *pflag.FlagSet) (host.Config, error)
}

// New returns the commands.
func New(p *cli.Program, settings Settings) *Commands { return &Commands{p, settings} }
