package deploy

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/deploy/hiding"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// live is what serves a plugin.
type live struct {
	plugin   plugin.Plugin
	owner    *dispatch.Plugin
	serving  shares
	failure  error // why a restored deployment cannot serve at all; nil = it can
	unrouted bool  // nobody knows its routes, or another plugin has them
}

// shares are the deployments that serve a plugin: the one that its record names,
// and during a roll-out that of the version that takes over. Each client has one of
// them, and of the plugin sees the routes of that one alone.
type shares []share

type share struct {
	version    plugin.Version
	manifest   *manifest.Manifest
	deployment *dispatch.Deployment
}

func (s shares) main() *share { return &s[0] }

// Client is whoever sends a request.
type Client = invoke.Sender

// pick returns who serves a client. A way in that knows none, which none of HTTP
// does, stays with the version that serves until the other one serves everybody.
func (l *live) pick(c Client) *share {
	if len(l.serving) == 1 || c == nil {
		return &l.serving[0]
	}
	if r := l.plugin.Rollout; r.OnNewSide(c.Hash(r.Key), r.Weight()) {
		return &l.serving[1]
	}
	return &l.serving[0]
}

// recalled is a version as the registry knows it.
type recalled struct {
	version  plugin.Version
	manifest *manifest.Manifest
	module   []byte
}

// recall reads one version of a plugin: its record, its manifest and its module.
func (d *Deployer) recall(ctx context.Context, name string, number int) (recalled, error) {
	r, err := d.recallManifest(ctx, name, number)
	if err == nil {
		r.module, err = d.cfg.Registry.Module(r.version.Digest)
	}
	return r, err
}

// recallManifest is recall without the module.
func (d *Deployer) recallManifest(ctx context.Context, name string, number int) (r recalled, err error) {
	if r.version, err = d.cfg.Registry.Version(ctx, name, number); err == nil {
		r.manifest, err = d.cfg.Registry.Manifest(ctx, name, number)
	}
	return r, err
}

// newLive makes a deployment that is ready to serve but has no route yet. The
// config is what the manifest makes of the plugin's vars. Without a program it
// sleeps until its first request; broken is why it cannot serve at all.
func (d *Deployer) newLive(p plugin.Plugin, r recalled, config map[string]string, program *engine.Candidate, broken error) *live {
	return &live{plugin: p, owner: d.owner(p, r.manifest), failure: broken, serving: shares{d.newShare(p, r, config, program, broken)}}
}

// newShare makes the deployment of newLive. It has no more than its manifest asks for,
// whatever another version of the plugin was granted.
func (d *Deployer) newShare(p plugin.Plugin, r recalled, config map[string]string, program *engine.Candidate, broken error) share {
	p.Grant = d.cfg.Capabilities.Keeps(p.Grant, r.manifest.Ask())
	owner, redactor := d.owner(p, r.manifest), hiding.Redactor(p, r.manifest, config)
	env := &invoke.Env{
		Plugin:  p.Name,
		Version: r.version.Number,
		Limits:  r.manifest.Limits(),
		KV:      r.manifest.Ask().Terms[kv.Name] != nil && p.Grant.Terms[kv.Name] != nil,
		Keeps:   len(queue.Of(r.manifest)) > 0 || len(socket.KeptOf(r.manifest)) > 0 || len(sql.Of(r.manifest)) > 0,
		Calls:   p.Grant.Terms[service.Name] != nil,
		Space:   store.Space(p.Keys()),
		Quota:   kv.Quota(p.Grant),
		Config:  config,
		Vars:    r.manifest.VarNames(),
		Memory:  d.cfg.HandlerMemory,
		Clock:   d.cfg.Clock,
		Log:     redactor.Logger(owner.Lines.Logger(d.cfg.GuestLog)).With("plugin", p.Name, "version", r.version.Number),
		Redact:  redactor,
		States:  d.cfg.Capabilities.ForDeployment(r.manifest, p.Grant, owner.States, p.Values()),
	}
	return share{
		version: r.version, manifest: r.manifest,
		deployment: dispatch.NewDeployment(dispatch.Config{
			Plugin: owner, Env: env, Store: d.cfg.Store, Clock: d.cfg.Clock, Pools: d.pools,
			Log: redactor.Logger(d.cfg.Log).With("plugin", p.Name, "version", r.version.Number),
			Load: func(ctx context.Context) (engine.Program, error) {
				return d.wake(ctx, p.Name, r.version.Digest, r.manifest)
			},
			Stateful: r.manifest.Ask().Stateful && p.Grant.Stateful, // it asks for that, and was granted it
			Broken:   broken, Program: program.Program, Instance: program.First,
		}),
	}
}

// maxWaking bounds the deployments that are being woken at a time: after a start
// many may get their first request at once, and each has its module in memory.
const maxWaking = 8

// wake prepares a recorded module again, before any upload.
func (d *Deployer) wake(ctx context.Context, owner string, digest plugin.Digest, m *manifest.Manifest) (engine.Program, error) {
	select {
	case d.waking <- struct{}{}:
	case <-ctx.Done():
		return nil, gaveUp(ctx, "other plugins were being woken for too long")
	}
	defer func() { <-d.waking }()
	module, err := d.cfg.Registry.Module(digest)
	if err != nil {
		return nil, err
	}
	o := engine.OptionsOf(m)
	o.Owner, o.Awaited = owner, true
	return d.cfg.Prepare(ctx, module, o)
}

// brokenLive holds the routes of a deployment that cannot serve. One whose
// manifest cannot be read has none: on a guess it might claim another's.
func (d *Deployer) brokenLive(p plugin.Plugin, r recalled, why error) *live {
	unknown := r.manifest == nil
	if unknown {
		r.manifest = manifest.Default(p.Name)
	}
	d.cfg.Log.Error("deployment cannot serve until it is replaced", "plugin", p.Name, "version", p.Active, "error", why)
	l := d.newLive(p, r, nil, asleep, why)
	l.unrouted = unknown
	return l
}

// newState makes the routes of everything that serves: those of most clients, and
// for each roll-out those of the clients that have its version. Conflict names both
// plugins and both patterns.
func newState(lives map[string]*live) (*state, error) {
	table, err := newTable(lives, "")
	s := &state{live: lives, table: table}
	for name, l := range lives {
		if err != nil || len(l.serving) == 1 {
			continue
		}
		if s.rolling == nil {
			s.rolling = map[string]*router.Table{}
		}
		s.rolling[name], err = newTable(lives, name)
	}
	return s, err
}

// newTable makes the routes for clients that have the version that is rolled out of
// one plugin, "" = of none.
func newTable(lives map[string]*live, rolled string) (*router.Table, error) {
	entries := make([]router.Entry, 0, len(lives))
	for name, l := range lives {
		if l.unrouted {
			continue
		}
		it := l.serving.main()
		if name == rolled {
			it = &l.serving[1]
		}
		patterns, closed := it.manifest.Patterns(), it.manifest.Closed()
		for _, mount := range l.plugin.Mount.List() {
			entries = append(entries, router.Entry{Plugin: l.plugin.Name, Mount: mount, Routes: patterns, Closed: closed})
		}
	}
	return router.New(entries)
}
