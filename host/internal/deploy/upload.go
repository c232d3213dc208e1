package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/deploy/reading"
	"github.com/wasmoor/wasmoor/host/internal/deploy/steps"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Upload is a module on its way to become a version.
type Upload struct {
	Name       string // of the plugin; "" = the manifest's
	Mount      string // where the version is to serve, as plugin.ParseMounts reads it; "" = where the plugin is, or /NAME for a new one
	Module     []byte // with its manifest in a custom section, or without one
	Label      string
	By         string
	Grant      bool // also grant what the version asks for beyond today's grant
	NoActivate bool // keep the version for a later activation
	Canary     plugin.Canary
	manifest   []byte // text of the module's custom section
	consent    consent.Consent
}

// Changed says what a change did.
type Changed struct {
	Plugin     string
	Mount      string // where the version serves, or would once activated: plugin.Mounts
	Version    int
	Digest     string
	Deployment int // the one that serves; 0 = none
	Activated  bool
	Rollout    *plugin.Rollout // that has begun; nil = none
	Asks       []consent.Ask   // how what its version asks for differs from what the plugin had before
	Waiting    []string        // what keeps it from being activated, each with what to do
	Routes     []string
	Private    []string // of them those that clients do not reach
	Steps      []steps.Step
	Notices    []string // limits that this server does not keep, and what requests pay for how the version initialises
}

// Deploy takes an upload through every step to a version that serves, or that
// waits when something is missing. An error names the step; nothing that serves
// has changed then, and before the step "stage" nothing is recorded either. A
// version that waits keeps what was granted and where it is to serve. A new
// plugin is granted what it asks for.
//
// Errors by fault code: Invalid (module, manifest, name, mount), Conflict
// (routes of another plugin), Trap, BadReply and Deadline (initialisation, or
// every request), TooLarge, and those of the store.
func (d *Deployer) Deploy(ctx context.Context, up Upload) (Changed, error) {
	defer d.pools.Litter() // the module, and copies of it that were checked and rewritten
	w := &steps.Watch{Clock: d.cfg.Clock}
	var r recalled
	if err := w.Run("inspect", func() (err error) { r, err = inspect(&up, d.cfg.Capabilities.Sections()); return err }); err != nil {
		return Changed{}, err
	}
	before, err := d.cfg.Registry.Plugin(ctx, up.Name)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return Changed{}, err
	}
	if up.consent, err = d.cfg.Gate.Upload(ctx, up.Name, before, plugin.Version{Ask: r.manifest.Ask(), Mount: plugin.Mounts(up.Mount)}, up.Grant); err != nil {
		return Changed{}, err
	}
	up.Grant = up.Grant || up.consent.Approves()
	if err := refuseRolling(before); err != nil && !up.NoActivate {
		return Changed{}, err
	}
	r.manifest = r.manifest.Under(before.Limits)
	program, err := d.tryUpload(ctx, w, up.Name, up.Module, r.manifest)
	if err != nil {
		return Changed{}, err
	}
	w.Notices = append(w.Notices, up.consent.Notices()...)
	unlock, err := d.lock(ctx)
	if err != nil {
		return Changed{}, program.Close(ctx, err)
	}
	defer unlock()
	// What was approved is what goes beyond what the plugin had then.
	if now, err := d.cfg.Registry.Plugin(ctx, up.Name); up.consent.Approves() && err == nil && (!now.Grant.Equal(before.Grant) || now.Mount != before.Mount) {
		return Changed{}, program.Close(ctx, fault.New(fault.Conflict, "", fmt.Sprintf("the grant or the mount of plugin %q was changed while its version was built; deploy it again", up.Name)))
	}
	if l := d.state.Load().live[up.Name]; l != nil && !up.NoActivate {
		if err := refuseRolling(l.plugin); err != nil { // begun meanwhile
			return Changed{}, program.Close(ctx, err)
		}
	}
	p, err := d.stage(ctx, w, up, &r)
	if err != nil {
		return Changed{}, program.Close(ctx, err)
	}
	if p.Limits != before.Limits {
		return Changed{}, program.Close(ctx, fault.New(fault.Conflict, "", fmt.Sprintf(
			"the limits of plugin %q were changed while version %d was built; run: wasmoor activate %s %d", p.Name, r.version.Number, p.Name, r.version.Number)))
	}
	if up.NoActivate {
		return d.idle(p, r, w, up.consent, "activation was not asked for"), program.Close(ctx, nil)
	}
	out, err := d.begin(ctx, w, p, r, program, up.consent, registry.Change{Version: r.version.Number, Mount: plugin.Mounts(up.Mount), By: up.By}, up.Canary)
	if up.Grant && err == nil { // stage has granted it: compare with what was before that
		before.Name = p.Name
		out.Asks = consent.Asks(before, r.version, r.manifest, d.cfg.Capabilities)
	}
	return out, err
}

// inspect checks what an upload says about itself, and completes it.
func inspect(up *Upload, sections []manifest.Section) (r recalled, err error) {
	if len(up.Module) > limit.Module {
		return r, fault.New(fault.TooLarge, "", fmt.Sprintf("the module has %d bytes; the maximum is %s", len(up.Module), limit.FormatSize(limit.Module)))
	}
	if r.manifest, up.manifest, err = reading.Manifest(up.Module, up.Name, sections); err != nil {
		return r, err
	}
	if up.Name == "" {
		up.Name = r.manifest.Name
	}
	if err := plugin.CheckName(up.Name); err != nil {
		return r, err
	}
	if up.Mount != "" {
		mount, err := plugin.ParseMounts(up.Mount)
		if err != nil {
			return r, err
		}
		up.Mount = string(mount)
	}
	r.module = up.Module
	return r, reading.Check(r.manifest, up.Module)
}

var asleep = &engine.Candidate{} // what a deployment has that is prepared at its first request

// maxTrying bounds the modules that are tried at a time; the pipeline bounds builds.
const maxTrying = 64

// tryUpload tries a module for a plugin, while other uploads and changes go on: one
// that takes long to compile or to start keeps nobody from them.
func (d *Deployer) tryUpload(ctx context.Context, w *steps.Watch, owner string, module []byte, m *manifest.Manifest) (*engine.Candidate, error) {
	select {
	case d.trying <- struct{}{}:
	case <-ctx.Done():
		return nil, gaveUp(ctx, "too many uploads are still being prepared; try again when they have ended")
	}
	defer func() { <-d.trying }()
	if d.state.Load().closed {
		return nil, errStopping()
	}
	return d.try(ctx, w, owner, module, m)
}

// try prepares a module for a plugin and starts the first instance of it.
func (d *Deployer) try(ctx context.Context, w *steps.Watch, owner string, module []byte, m *manifest.Manifest) (*engine.Candidate, error) {
	if err := d.cfg.Teams.Fits(owner, m.Limits().Memory); err != nil {
		return nil, err
	}
	o := engine.OptionsOf(m)
	o.Owner, o.Note = owner, w.Note
	c, err := engine.Vet(ctx, module, o, engine.Vetting{
		Prepare: d.cfg.Prepare, Instance: d.pools.Instance, Step: w.Run, Stateful: m.Ask().Stateful,
	})
	if err != nil {
		return nil, err
	}
	w.Notices = slices.Concat(d.caps.Load().Exceeded(m), reading.Unasked(d.cfg.Capabilities, module, m), c.Notices)
	return c, nil
}

// stage checks the upload against what serves, and records it as a version.
func (d *Deployer) stage(ctx context.Context, w *steps.Watch, up Upload, r *recalled) (p plugin.Plugin, err error) {
	err = w.Run("stage", func() error {
		if err := d.checkRoutes(ctx, up, r.manifest); err != nil {
			return err
		}
		p, r.version, err = d.cfg.Registry.AddVersion(ctx, registry.AddVersion{
			Name: up.Name, Mount: plugin.Mounts(up.Mount), Module: up.Module, Manifest: up.manifest,
			Label: up.Label, By: up.By, Grant: up.Grant, Withhold: up.consent.Withholds(), Why: up.consent.Why(),
		})
		if err == nil {
			d.cfg.Teams.Join(p)
		}
		return err
	})
	return p, err
}

// checkRoutes refuses an upload whose routes collide before anything of it is
// recorded.
func (d *Deployer) checkRoutes(ctx context.Context, up Upload, m *manifest.Manifest) error {
	p, err := d.cfg.Registry.Plugin(ctx, up.Name)
	switch fault.CodeOf(err) {
	case "":
	case fault.NotFound:
		p = plugin.Plugin{Name: up.Name, Mount: plugin.DefaultMount(up.Name)}
	default:
		return err
	}
	if up.Mount != "" {
		p.Mount = plugin.Mounts(up.Mount)
	}
	_, err = d.state.Load().with(&live{plugin: p, serving: shares{{manifest: m}}})
	return err
}

// changed tells of a version of p; what it asks for is compared with the plugin before.
func (d *Deployer) changed(p, before plugin.Plugin, r recalled, w *steps.Watch) Changed {
	return Changed{
		Asks:   consent.Asks(before, r.version, r.manifest, d.cfg.Capabilities),
		Plugin: p.Name, Mount: string(p.Mount), Version: r.version.Number, Digest: string(r.version.Digest),
		Deployment: p.Deployment, Routes: r.manifest.Patterns(), Private: r.manifest.Private(), Steps: w.Steps, Notices: w.Notices,
	}
}
