package registry

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// AddVersion is an upload.
type AddVersion struct {
	Name     string       // of the plugin; the manifest's does not count here
	Mount    plugin.Mount // where the version is to serve; "" = where the plugin is, or plugin.DefaultMount
	Module   []byte       // at most limit.Module bytes
	Manifest []byte       // TOML or JSON; empty = manifest.Default(Name)
	Label    string       // "" = the manifest's version
	By       string       // who uploads
	Grant    bool         // also grant what the manifest asks for
}

// AddVersion records a version of a plugin, and the plugin itself with a key
// space of its own if the name is new: whoever brings a plugin decides what it
// may do, so that it is granted what it asks for. A plugin that was deleted
// comes back with its key space, vars, grant and versions. Nothing is activated.
// An upload that equals the newest version in module, manifest, label and the
// mount it names, if any, returns that one.
//
// The mount of a plugin that serves is left alone: it changes with the version's
// activation. Errors: Invalid (name, manifest, label), TooLarge (module).
func (r *Registry) AddVersion(ctx context.Context, a AddVersion) (plugin.Plugin, plugin.Version, error) {
	u := upload{AddVersion: a}
	if err := u.check(r.capabilities.Sections()); err != nil {
		return u.plugin, u.version, err
	}
	err := r.add(ctx, &u)
	return u.plugin, u.version, err
}

func (r *Registry) add(ctx context.Context, u *upload) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, u.Name)
	written, err := r.modules.write(u.digest, u.Module)
	if err != nil {
		return err
	}
	err = r.change(ctx, u.record)
	// An outcome nobody knows may have named the module: Open finds out.
	if err != nil && written && fault.CodeOf(err) != fault.Unknown {
		r.discard(u.digest)
	}
	return err
}

// discard removes the module of an upload that failed, unless a version names
// it: the upload may have healed a damaged file.
func (r *Registry) discard(d plugin.Digest) {
	if named, _, err := r.named(); err == nil && !named[d] {
		r.modules.remove(d)
	}
}

// upload is one AddVersion under way.
type upload struct {
	AddVersion
	ask    plugin.Grant
	digest plugin.Digest

	plugin  plugin.Plugin
	version plugin.Version
}

func (u *upload) check(sections []manifest.Section) error {
	const op = "add a version"
	if err := plugin.CheckName(u.Name); err != nil {
		return err
	}
	if len(u.Module) > limit.Module {
		return fault.New(fault.TooLarge, op, fmt.Sprintf(
			"the module has %d bytes; the maximum is %s", len(u.Module), limit.FormatSize(limit.Module)))
	}
	m, err := parse(u.Name, u.Manifest, sections)
	if err != nil {
		return err
	}
	if u.Label == "" {
		u.Label = m.Version
	}
	if err := manifest.CheckLabel(u.Label); err != nil {
		return err
	}
	u.ask, u.digest = m.Ask(), plugin.DigestOf(u.Module)
	return nil
}

func parse(name string, text []byte, sections []manifest.Section) (*manifest.Manifest, error) {
	if len(text) == 0 {
		return manifest.Default(name), nil
	}
	return manifest.Parse(text, manifest.FileName, sections)
}

func (u *upload) record(tx *records) error {
	p, known, err := get[pluginRecord](tx, prefixPlugin+u.Name)
	switch {
	case err != nil:
		return err
	case !known:
		grant := u.ask         // who uploads it is who would be asked
		grant.Stateful = false // but what weakens the sandbox is said aloud
		if p, err = u.create(tx, grant); err != nil {
			return err
		}
		return u.append(tx, p, plugin.ActionInstall)
	case p.Deleted:
		return u.append(tx, u.restore(p), plugin.ActionRestore)
	}
	same, err := u.repeats(tx, p)
	switch {
	case err != nil:
		return err
	case !same:
		return u.append(tx, p, plugin.ActionUpload)
	case u.Grant:
		u.plugin, err = tx.grant(p, u.ask, u.By)
	}
	return err
}

// repeats reports whether the upload equals the newest version, and takes it.
func (u *upload) repeats(tx *records, p plugin.Plugin) (bool, error) {
	v, err := tx.version(p, p.Versions)
	if err != nil || v.Digest != u.digest || v.Label != u.Label || u.Mount != "" && u.Mount != v.Mount {
		return false, err
	}
	text, _, err := tx.Get([]byte(numbered(prefixManifest, p.Space, v.Number)))
	if err != nil || !bytes.Equal(text, u.Manifest) {
		return false, err
	}
	u.plugin, u.version = p, v
	return true, nil
}

func (u *upload) create(tx *records, grant plugin.Grant) (plugin.Plugin, error) {
	mount := u.Mount
	if mount == "" {
		mount = plugin.DefaultMount(u.Name)
	}
	space, err := tx.newSpace()
	return plugin.Plugin{Name: u.Name, Mount: mount, Space: space, Grant: grant, Created: tx.now()}, err
}

func (u *upload) restore(p plugin.Plugin) plugin.Plugin {
	p.Deleted = false
	if u.Mount != "" {
		p.Mount = u.Mount
	}
	return p
}

func (u *upload) append(tx *records, p plugin.Plugin, action plugin.Action) error {
	before := p
	p.Versions++
	if u.Grant {
		p.Grant = p.Grant.Union(u.ask)
	}
	v := plugin.Version{
		Number: p.Versions, Digest: u.digest, Size: int64(len(u.Module)),
		Label: u.Label, By: u.By, Created: tx.now(), Ask: u.ask, Mount: u.Mount,
	}
	u.plugin, u.version = p, v
	if err := tx.putPlugin(p); err != nil {
		return err
	}
	if err := put(tx, numbered(prefixVersion, p.Space, v.Number), newVersionRecord(v)); err != nil {
		return err
	}
	if err := tx.Set([]byte(numbered(prefixManifest, p.Space, v.Number)), u.Manifest, 0); err != nil {
		return err
	}
	detail := string(v.Digest)
	if changed := differences(before, p); changed != "" {
		detail += ", " + changed
	}
	return tx.audit(plugin.Event{By: u.By, Action: action, Plugin: p.Name, Version: v.Number, Detail: detail})
}

// Versions returns the versions of a plugin, the newest first. Errors: NotFound.
func (r *Registry) Versions(_ context.Context, name string) ([]plugin.Version, error) {
	return history[versionRecord](r, name, prefixVersion, 0, 0)
}

// Version returns one version of a plugin. Errors: NotFound.
func (r *Registry) Version(_ context.Context, name string, number int) (plugin.Version, error) {
	var v plugin.Version
	err := r.view(func(tx *records) error {
		p, err := tx.plugin(name)
		if err != nil {
			return err
		}
		v, err = tx.version(p, number)
		return err
	})
	return v, err
}

func (tx *records) version(p plugin.Plugin, number int) (plugin.Version, error) {
	v, ok, err := get[versionRecord](tx, numbered(prefixVersion, p.Space, number))
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "", fmt.Sprintf(
			"plugin %q has no version %d; list them with: wasmoor versions %s", p.Name, number, p.Name))
	}
	return v, err
}

// Manifest returns the manifest of a version; manifest.Default if it came
// without one. Errors: NotFound; Invalid when this host no longer reads it.
func (r *Registry) Manifest(ctx context.Context, name string, number int) (*manifest.Manifest, error) {
	text, err := r.ManifestText(ctx, name, number)
	if err != nil {
		return nil, err
	}
	return parse(name, text, r.capabilities.Sections())
}

// ManifestText returns the manifest of a version as it was uploaded, empty if
// there was none. Errors: NotFound.
func (r *Registry) ManifestText(_ context.Context, name string, number int) ([]byte, error) {
	var text []byte
	err := r.view(func(tx *records) error {
		p, err := tx.plugin(name)
		if err != nil {
			return err
		}
		if _, err := tx.version(p, number); err != nil {
			return err
		}
		data, _, err := tx.Get([]byte(numbered(prefixManifest, p.Space, number)))
		text = bytes.Clone(data)
		return err
	})
	return text, err
}

// Module returns a module that a version names, checked against its digest.
// Errors: Invalid (not a digest), NotFound, Internal (the file is damaged).
func (r *Registry) Module(digest plugin.Digest) ([]byte, error) {
	return r.modules.read(digest)
}
