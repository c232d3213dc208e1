// Package tend holds the commands with which an operator entrusts secrets to plugins,
// fires what they do later, and acts in an incident. They talk to a server as those of package remote do.
package tend

import (
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of p do.
func New(p *remote.Commands) *Commands { return &Commands{p} }
