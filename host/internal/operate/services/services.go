// Package services shows an operator which plugins call each other, and binds the names
// by which they do. It answers in the types of package adminapi; packages server/admin and
// operate import it.
package services

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capability/service"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Services answers an operator. Safe for concurrent use. Every method may return NotFound
// (the plugin) and the errors of the store.
type Services struct {
	registry *registry.Registry
	deployer *deploy.Deployer
}

// New returns a Services.
func New(r *registry.Registry, d *deploy.Deployer) *Services { return &Services{r, d} }

// List returns the plugins that the version calls that serves, and the newest one, by the
// names by which they do.
func (s *Services) List(ctx context.Context, name string) ([]adminapi.Service, error) {
	p, err := s.registry.Installed(ctx, name)
	if err != nil {
		return nil, err
	}
	named, err := s.named(ctx, p)
	if err != nil {
		return nil, err
	}
	reach, err := NewReach(ctx, s.registry)
	if err != nil {
		return nil, err
	}
	granted, _ := p.Grant.Terms[service.Name].(service.Terms)
	list := []adminapi.Service{}
	for _, d := range named {
		o := adminapi.Service{Name: d.Alias, Plugin: d.Plugin, Granted: granted.Covers(d)}
		if to, bound := granted.Bound(d.Alias); bound {
			o.Plugin, o.Bound = to, true
		}
		o.Serves = reach.plugins[o.Plugin].Active != 0
		o.About = reach.About(o.Plugin)
		list = append(list, o)
	}
	return list, nil
}

// Granted returns whom a plugin with a grant may call, as the grant writes it.
func Granted(g plugin.Grant) []string {
	terms, ok := g.Terms[service.Name].(service.Terms)
	if !ok {
		return nil
	}
	return strings.Fields(string(terms))
}

// named returns the services of the version that serves, and those that only the newest
// one has.
func (s *Services) named(ctx context.Context, p plugin.Plugin) (all service.Settings, err error) {
	for _, version := range []int{p.Active, p.Versions} {
		if version == 0 {
			continue
		}
		m, err := s.registry.Manifest(ctx, p.Name, version)
		if err != nil {
			return nil, err
		}
		for _, d := range service.Of(m) {
			if !slices.ContainsFunc(all, func(o service.Declared) bool { return o.Alias == d.Alias }) {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b service.Declared) int { return strings.Compare(a.Alias, b.Alias) })
	return all, nil
}

// Bind has names of a plugin stand for other plugins than its manifest says, whatever
// version serves, and those of unbind for what the manifest says, which counts as
// approved. Where the plugin serves, that is a new deployment of the same version. Errors:
// Invalid, NotFound also where no version has a name, Denied (whoever asks is no operator
// of a plugin that is to be called), Conflict.
func (s *Services) Bind(ctx context.Context, name string, b adminapi.Bindings, by string) (deploy.Changed, error) {
	if len(b.Bind)+len(b.Unbind) == 0 {
		return deploy.Changed{}, fault.New(fault.Invalid, "", "no name is to be bound, and none to be unbound")
	}
	return s.deployer.Regrant(ctx, name, func(p plugin.Plugin) (plugin.Grant, error) {
		named, err := s.named(ctx, p)
		if err != nil {
			return plugin.Grant{}, err
		}
		grant, err := service.Bind(p.Grant, named, b.Bind, b.Unbind)
		if err != nil {
			return plugin.Grant{}, err
		}
		return grant, consent.MayReach(ctx, reached(named, b))
	}, by)
}

// reached are the plugins that may be called once a change is made.
func reached(named service.Settings, b adminapi.Bindings) (list []plugin.Excess) {
	for _, to := range b.Bind {
		list = append(list, plugin.Excess{Reaches: to})
	}
	for _, d := range named {
		if slices.Contains(b.Unbind, d.Alias) {
			list = append(list, plugin.Excess{Reaches: d.Plugin})
		}
	}
	return list
}

// Reach tells what a plugin may do, and those that it calls.
type Reach struct {
	plugins map[string]plugin.Plugin
	teams   []auth.Team
	who     auth.Identity // who asks
}

// NewReach reads what is installed.
func NewReach(ctx context.Context, r *registry.Registry) (*Reach, error) {
	all, err := r.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	access, err := r.Access(ctx)
	if err != nil {
		return nil, err
	}
	reach := &Reach{map[string]plugin.Plugin{}, access.Teams, auth.From(ctx)}
	for _, p := range all {
		if !p.Deleted {
			reach.plugins[p.Name] = p
		}
	}
	return reach, nil
}

// maxAbout bounds how many plugins are told of.
const maxAbout = 16

// About says for a person whose a plugin is, and what it may do itself, and then the same
// of those that it may call, each once.
func (r *Reach) About(name string) (lines []string) {
	seen := map[string]bool{name: true}
	for next := []string{name}; len(next) > 0; next = next[1:] {
		if len(lines) == maxAbout {
			return append(lines, "and further plugins")
		}
		line, calls := r.line(next[0])
		lines = append(lines, line)
		for _, to := range calls {
			if !seen[to] {
				seen[to] = true
				next = append(next, to)
			}
		}
	}
	return lines
}

// line is what About says of one plugin, and whom that may call.
func (r *Reach) line(name string) (line string, calls []string) {
	if r.who.Role != auth.Nobody && r.who.May(auth.Viewer, name) != nil {
		return name + " is none of your plugins: who may see it is shown what it has", nil
	}
	p, ok := r.plugins[name]
	if !ok {
		return fmt.Sprintf("%s is not installed", name), nil
	}
	var may []string
	for _, e := range p.Grant.Beyond(plugin.Grant{}) {
		if e.Reaches != "" {
			calls = append(calls, e.Reaches)
		}
		may = append(may, e.What)
	}
	return fmt.Sprintf("%s is of %s, and has: %s", name, r.team(name), cmp.Or(strings.Join(may, ", "), "nothing beyond its own requests")), calls
}

func (r *Reach) team(name string) string {
	teams := map[string]bool{}
	for _, t := range r.teams {
		if t.Plugins.Covers(name) {
			teams["team "+t.Name] = true
		}
	}
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(teams)), " and "), "no team")
}
