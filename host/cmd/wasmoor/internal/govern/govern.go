// Package govern holds the commands about what was allowed and who changed what: the
// audit and its chain. The root command lists them.
package govern

import "github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of ask do.
func New(ask *remote.Commands) *Commands { return &Commands{ask} }
