package deploy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Held is a deployment for a request that the host makes itself.
type Held struct {
	Deployment *dispatch.Deployment // release it, or hand it to serve.Handler
	Manifest   *manifest.Manifest
	Mount      string // the first: prefix without a trailing slash
}

// Hold returns the deployment that handles what a client has others send, nil = no client:
// then it is, during a roll-out, that of the version from before, which serves most of all
// clients. NotFound when none serves.
func (d *Deployer) Hold(name string, c Client) (Held, error) {
	for {
		l := d.state.Load().live[name]
		if l == nil || l.unrouted {
			return Held{}, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q does not serve", name))
		}
		// A deployment that drains has already left the state: look again.
		if it := l.pick(c); it.deployment.Acquire() {
			return Held{it.deployment, it.manifest, l.plugin.Mount.List()[0].Prefix()}, nil
		}
	}
}

// Installed is a plugin that serves, as those see it who trigger its requests.
type Installed struct {
	Name     string
	Space    store.Space
	Manifest *manifest.Manifest // of the version of Hold
	Paused   bool               // it handles nothing, or takes no writes
	Silent   bool               // its calls to other services are ended
}

// Installed returns the plugins that serve, by name.
func (d *Deployer) Installed() []Installed {
	live := d.state.Load().live
	list := make([]Installed, 0, len(live))
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if l := live[name]; !l.unrouted {
			list = append(list, Installed{name, store.Space(l.plugin.Keys()), l.pick(nil).manifest, l.owner.Pause.Load() != nil, outbound.Off(l.owner.States)})
		}
	}
	return list
}

// tellChanged tells whoever triggers requests.
func (d *Deployer) tellChanged() {
	if d.cfg.Changed != nil {
		d.cfg.Changed()
	}
}
