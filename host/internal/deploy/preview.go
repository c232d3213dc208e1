package deploy

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// previewPrefix begins the path of every preview; a token of one is behind it. Paths
// whose token is none are those of plugins.
const previewPrefix = "/__preview/"

// maxPreviews bounds the previews of a plugin at a time, and MaxPreviewTime how long
// one lasts.
const (
	maxPreviews    = 8
	MaxPreviewTime = 24 * time.Hour
)

// Preview is a version at an address of its own, for as long as it lasts. Whoever
// knows the path may use it.
type Preview struct {
	Plugin  string
	Version int
	Path    string // where the mount is
	Writes  bool   // what it does is kept; else all of it is dropped
	Ends    time.Time
}

// preview is one that lasts. Those of a Deployer are a map that is replaced and never
// changed, by their tokens.
type preview struct {
	Preview
	it    share
	table *router.Table
}

// Preview lets a version of a plugin serve at an address of its own before it gets
// any traffic: with the plugin's data, and its vars and grant of now. Errors by fault
// code: NotFound, Conflict (the version waits for something, or was rejected), Exhausted
// (there are too many), and those of the store.
func (d *Deployer) Preview(ctx context.Context, name string, version int, lasts time.Duration, writes bool, by string) (Preview, error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer unlock()
	p, err := d.cfg.Registry.Installed(ctx, name)
	if err != nil {
		return Preview{}, err
	}
	allowed, err := d.cfg.Gate.Activation(ctx, d.cfg.Registry, p, version, "", false)
	if err != nil {
		return Preview{}, err
	}
	r, err := d.recallManifest(ctx, name, version)
	if err != nil {
		return Preview{}, err
	}
	r.manifest = r.manifest.Under(p.Limits)
	p.Grant = consent.Has(p, r.version)
	config, missing := consent.Resolve(p, r.version, r.manifest)
	if missing.Any() {
		return Preview{}, fault.New(fault.Conflict, "", fmt.Sprintf("version %d cannot serve: %s", version, strings.Join(missing.Words(allowed), "; ")))
	}
	if n := len(d.previewsOf(name)); n >= maxPreviews {
		return Preview{}, fault.New(fault.Exhausted, "", fmt.Sprintf("plugin %q has %d previews, which is the most; end them with: wasmoor preview %s --end", name, n, name))
	}
	token := strings.ToLower(rand.Text())
	out := preview{Preview: Preview{Plugin: name, Version: version, Path: previewPrefix + token, Writes: writes, Ends: d.cfg.Clock().Add(lasts)}}
	if out.table, err = router.New([]router.Entry{{Plugin: name, Mount: plugin.Mount(out.Path), Routes: r.manifest.Patterns(), Closed: r.manifest.Closed()}}); err != nil {
		return Preview{}, err
	}
	detail := fmt.Sprintf("for %v, what it writes is dropped", lasts)
	if writes {
		detail = fmt.Sprintf("for %v, what it writes is kept", lasts)
	}
	if err := d.cfg.Registry.Note(ctx, plugin.Event{By: by, Action: plugin.ActionPreview, Plugin: name, Version: version, Detail: detail}); err != nil {
		return Preview{}, err
	}
	out.it = d.newShare(p, r, config, asleep, nil)
	out.it.deployment.Env().Preview = true
	d.keepPreviews(func(all map[string]*preview) { all[token] = &out })
	time.AfterFunc(lasts, func() { d.endPreviews(func(t string, _ *preview) bool { return t == token }) })
	return out.Preview, nil
}

// EndPreviews ends all previews of a plugin, and returns how many there were. The audit
// has an event of it where there was one.
func (d *Deployer) EndPreviews(ctx context.Context, name, by string) (int, error) {
	n := d.endPreviewsOf(name)
	if n == 0 {
		return 0, nil
	}
	return n, d.cfg.Registry.Note(ctx, plugin.Event{By: by, Action: plugin.ActionPreview, Plugin: name, Detail: fmt.Sprintf("%d ended", n)})
}

func (d *Deployer) endPreviewsOf(name string) int {
	return d.endPreviews(func(_ string, v *preview) bool { return v.Plugin == name })
}

func (d *Deployer) previewsOf(name string) (list []*preview) {
	if all := d.previews.Load(); all != nil {
		for _, v := range *all {
			if v.Plugin == name {
				list = append(list, v)
			}
		}
	}
	return list
}

// keepPreviews replaces the previews by what change makes of them.
func (d *Deployer) keepPreviews(change func(map[string]*preview)) {
	for {
		old, next := d.previews.Load(), map[string]*preview{}
		if old != nil {
			maps.Copy(next, *old)
		}
		change(next)
		if d.previews.CompareAndSwap(old, &next) {
			return
		}
	}
}

// endPreviews ends the previews that are meant.
func (d *Deployer) endPreviews(meant func(token string, v *preview) bool) int {
	var ended []*preview
	d.keepPreviews(func(all map[string]*preview) {
		ended = nil
		maps.DeleteFunc(all, func(token string, v *preview) bool {
			if !meant(token, v) {
				return false
			}
			ended = append(ended, v)
			return true
		})
	})
	for _, v := range ended {
		d.end(v.it.deployment)
	}
	return len(ended)
}

// routePreview finds the preview that a path names; false = none.
func (d *Deployer) routePreview(method, host, path string, params []abi.Pair) (Match, router.Result, bool) {
	all := d.previews.Load()
	if all == nil {
		return Match{}, router.NotFound, false
	}
	token, _, _ := strings.Cut(path[len(previewPrefix):], "/")
	v := (*all)[token]
	if v == nil {
		return Match{}, router.NotFound, false
	}
	m, result := v.table.Lookup(method, host, path, params)
	if result != router.Found || !v.it.deployment.Acquire() {
		return Match{Match: m}, min(result, router.MethodNotAllowed), true
	}
	return Match{Match: m, Deployment: v.it.deployment, manifest: v.it.manifest, Preview: true, Dropped: !v.Writes}, result, true
}
