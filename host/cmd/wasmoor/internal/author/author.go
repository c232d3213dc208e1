// Package author holds the commands for writing a plugin: new, dev, call, pack,
// inspect and sdk. None of them needs a server: dev and call serve the plugin in
// this process, on a scratch host. A new one is a constructor here that returns its
// *cobra.Command, and a line in the root command's list.
package author

import "github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"

// Commands are the commands of one run of the program.
type Commands struct{ *cli.Program }

// New returns the commands.
func New(p *cli.Program) *Commands { return &Commands{p} }
