package deploy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// States of a plugin.
const (
	StateServing = "serving"
	StateAsleep  = "asleep"  // as serving: the next request wakes it
	StateFailed  = "failed"  // its deployment could not be restored as it was, or not be woken
	StateStopped = "stopped" // no version is active: none was, or none since it came back
	StateDeleted = "deleted" // its data is kept
)

// Status is a plugin as an operator sees it.
type Status struct {
	Name       string      `json:"name"`
	Mount      string      `json:"mount"`
	State      string      `json:"state"`
	Error      string      `json:"error,omitempty"` // why it failed
	Version    int         `json:"version"`         // the one that serves; 0 = none
	Versions   int         `json:"versions"`        // number of the newest
	Deployment int         `json:"deployment"`
	Digest     string      `json:"digest,omitempty"`
	Label      string      `json:"label,omitempty"`
	Routes     []string    `json:"routes"` // none = the whole mount
	Created    time.Time   `json:"created"`
	Usage      store.Usage `json:"usage"`
	InFlight   int64       `json:"in_flight"`
	Idle       int         `json:"idle"`                    // clean instances that wait for a request
	Busy       int         `json:"busy"`                    // instances that serve one
	Fresh      string      `json:"fresh,omitempty"`         // why each request gets a new instance; "" = they are reset, or it has not been awake yet
	Making     float64     `json:"making_millis,omitempty"` // how long the last new instance took to make; 0 = none was made yet
	Stateful   bool        `json:"stateful,omitempty"`      // instances keep their memory between requests
}

// Var is a config value of a plugin as an operator sees it.
type Var struct {
	Name        string  `json:"name"`
	Value       string  `json:"value,omitempty"` // empty when secret
	Set         bool    `json:"set"`
	Secret      bool    `json:"secret"`
	Required    bool    `json:"required"`
	Default     *string `json:"default,omitempty"`
	Description string  `json:"description,omitempty"`
}

// Plugins lists every plugin by name, deleted ones with kept data included.
func (d *Deployer) Plugins(ctx context.Context) ([]Status, error) {
	plugins, err := d.cfg.Registry.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	statuses := make([]Status, 0, len(plugins))
	for _, p := range plugins {
		s, err := d.status(p)
		if fault.CodeOf(err) == fault.NotFound {
			continue // purged since
		}
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, s)
	}
	return statuses, nil
}

// Plugin returns one plugin; NotFound without it.
func (d *Deployer) Plugin(ctx context.Context, name string) (Status, error) {
	p, err := d.cfg.Registry.Plugin(ctx, name)
	if err != nil {
		return Status{}, err
	}
	return d.status(p)
}

func (d *Deployer) status(p plugin.Plugin) (Status, error) {
	usage, err := d.cfg.Store.Usage(store.Space(p.Space))
	if fault.CodeOf(err) == fault.NotFound {
		return Status{}, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has just been purged", p.Name))
	}
	if err != nil {
		return Status{}, err
	}
	s := Status{
		Name: p.Name, Mount: string(p.Mount), State: StateStopped, Versions: p.Versions,
		Deployment: p.Deployment, Routes: []string{}, Created: p.Created, Usage: usage,
	}
	l := d.state.Load().live[p.Name]
	switch {
	case p.Deleted:
		s.State = StateDeleted
	case l != nil:
		s.fill(l)
	}
	return s, nil
}

// fill adds what is known of a deployment.
func (s *Status) fill(l *live) {
	s.Version, s.Digest, s.Label = l.version.Number, string(l.version.Digest), l.version.Label
	s.Routes = append(s.Routes, l.manifest.Patterns()...)
	s.InFlight = l.deployment.InFlight()
	has := l.deployment.Stats()
	s.Idle, s.Busy, s.Fresh, s.Stateful = has.Idle, has.Busy, has.Fresh, stateful(l.plugin, l.manifest)
	if s.Fresh != "" {
		s.Making = float64(has.Making.Microseconds()) / 1000
	}
	switch failure := cmp.Or(l.failure, has.Failure); {
	case failure != nil:
		s.State, s.Error = StateFailed, fault.MessageOf(failure)
	case has.Loaded:
		s.State = StateServing
	default:
		s.State = StateAsleep
	}
}

// CORS returns the CORS policy of a plugin; NotFound when there is none.
func (d *Deployer) CORS(ctx context.Context, name string) (plugin.CORS, error) {
	p, err := d.plugin(ctx, name)
	if err != nil {
		return plugin.CORS{}, err
	}
	if p.CORS == nil {
		return plugin.CORS{}, noCORS(name)
	}
	return *p.CORS, nil
}

func noCORS(name string) error {
	return fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q has no CORS policy; to set one run: wasmoor cors set %s --origin https://example.org", name, name))
}

// MaxDeployments is the most deployments Deployments returns at a time. Each has
// its vars in the store, which are read with it.
const MaxDeployments = 100

// Deployments lists a plugin's deployments before a number, 0 = the newest, the
// newest first, at most MaxDeployments, without the values of their vars.
func (d *Deployer) Deployments(ctx context.Context, name string, before int) ([]plugin.Deployment, error) {
	deployments, err := d.cfg.Registry.Deployments(ctx, name, before, MaxDeployments)
	for i := range deployments {
		deployments[i].Vars = nil // secrets among them; Vars knows which
	}
	return deployments, err
}

// MaxEvents is the most events Audit returns at a time.
const MaxEvents = 1000

// Audit lists who changed what: the events after a number, the oldest first, at
// most limit of them and MaxEvents.
func (d *Deployer) Audit(ctx context.Context, after uint64, limit int) ([]plugin.Event, error) {
	if limit <= 0 || limit > MaxEvents {
		limit = MaxEvents
	}
	return d.cfg.Registry.Audit(ctx, after, limit)
}

// Vars lists what the newest version's manifest declares and what is set. The
// value of a secret, or of a name the manifest does not know, is left out.
func (d *Deployer) Vars(ctx context.Context, name string) ([]Var, error) {
	p, err := d.plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := d.cfg.Registry.Manifest(ctx, name, p.Versions)
	if err != nil {
		return nil, err
	}
	vars := []Var{}
	known := map[string]bool{}
	for _, v := range m.Vars {
		value, set := p.Vars[v.Name]
		if v.Secret {
			value = ""
		}
		known[v.Name] = true
		vars = append(vars, Var{
			Name: v.Name, Value: value, Set: set, Secret: v.Secret,
			Required: v.Required, Default: v.Default, Description: v.Description,
		})
	}
	for _, extra := range slices.Sorted(maps.Keys(p.Vars)) {
		if !known[extra] {
			vars = append(vars, Var{Name: extra, Set: true, Secret: true, Description: "not in the newest version's manifest"})
		}
	}
	return vars, nil
}
