// Package fleet holds the commands that bring a server to what a file says, and write
// what a server is as such a file. They use the operations that the other commands use.
package fleet

import "github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of p do.
func New(p *remote.Commands) *Commands { return &Commands{p} }
