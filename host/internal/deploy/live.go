package deploy

import (
	"context"
	"math/rand/v2"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
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

// shares are the deployments that serve a plugin, each with its share of the
// requests; never empty. All have the routes of the first, the one that the
// plugin's record names. It is the only one so far.
type shares []share

type share struct {
	version    plugin.Version
	manifest   *manifest.Manifest
	deployment *dispatch.Deployment
	weight     int // how many of the sum of all weights it gets
}

func (s shares) main() *share { return &s[0] }

// pick chooses who serves a request.
func (s shares) pick() *share {
	if len(s) == 1 {
		return &s[0]
	}
	sum := 0
	for i := range s {
		sum += s[i].weight
	}
	left := rand.IntN(sum)
	for i := range s {
		if left -= s[i].weight; left < 0 {
			return &s[i]
		}
	}
	return s.main()
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
	owner := d.owner(p, r.manifest)
	env := &invoke.Env{
		Plugin:  p.Name,
		Version: r.version.Number,
		Limits:  r.manifest.Limits(),
		KV:      r.manifest.Ask().Terms[kv.Name] != nil && p.Grant.Terms[kv.Name] != nil,
		Space:   store.Space(p.Space),
		Quota:   kv.Quota(p.Grant),
		Config:  config,
		Memory:  d.cfg.HandlerMemory,
		Log:     owner.Lines.Logger(d.cfg.GuestLog).With("plugin", p.Name, "version", r.version.Number),
		States:  d.cfg.Capabilities.ForDeployment(r.manifest, p.Grant, owner.States),
	}
	return &live{plugin: p, owner: owner, failure: broken, serving: shares{{
		version: r.version, manifest: r.manifest, weight: 1,
		deployment: dispatch.NewDeployment(dispatch.Config{
			Plugin: owner, Env: env, Store: d.cfg.Store, Clock: d.cfg.Clock, Pools: d.pools,
			Log: d.cfg.Log.With("plugin", p.Name, "version", r.version.Number),
			Load: func(ctx context.Context) (engine.Program, error) {
				return d.wake(ctx, p.Name, r.version.Digest, r.manifest)
			},
			Stateful: stateful(p, r.manifest),
			Broken:   broken, Program: program.Program, Instance: program.First,
		}),
	}}}
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

// stateful reports whether a plugin's instances keep their memory between
// requests: it asks for that and was granted it.
func stateful(p plugin.Plugin, m *manifest.Manifest) bool {
	return m.Ask().Stateful && p.Grant.Stateful
}

// newTable makes the routes of everything that serves. Conflict names both
// plugins and both patterns.
func newTable(lives map[string]*live) (*router.Table, error) {
	entries := make([]router.Entry, 0, len(lives))
	for _, l := range lives {
		if l.unrouted {
			continue
		}
		entries = append(entries, router.Entry{
			Plugin: l.plugin.Name,
			Mount:  l.plugin.Mount,
			Routes: l.serving.main().manifest.Patterns(),
		})
	}
	return router.New(entries)
}
