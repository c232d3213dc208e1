// Package server holds the commands that run on a server's data folder: serve,
// precompile, verify, and the settings they share. A new one is a constructor here
// that returns its *cobra.Command, with addSettings for its flags, and a line in
// the root command's list.
package server

import (
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
)

// Commands are the commands of one run of the program.
type Commands struct {
	*cli.Program

	remote *remote.Commands // to ask a server that runs on the folder
	serves bool             // its settings are read more than once, so they are in a regular file
}

// New returns the commands.
func New(p *cli.Program, remote *remote.Commands) *Commands {
	return &Commands{Program: p, remote: remote}
}
