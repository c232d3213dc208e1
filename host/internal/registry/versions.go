package registry

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/asks"
	"github.com/wasmoor/wasmoor/host/internal/registry/vars"
)

// AddVersion is an upload.
type AddVersion struct {
	Name     string        // of the plugin; the manifest's does not count here
	Mount    plugin.Mounts // where the version is to serve; "" = where the plugin is, or plugin.DefaultMount
	Module   []byte        // at most limit.Module bytes
	Manifest []byte        // TOML or JSON; empty = manifest.Default(Name)
	Label    string        // "" = the manifest's version
	By       string        // who uploads
	Grant    bool          // also grant what the manifest asks for
	Why      string        // for the audit: by which rule it is granted; "" = by a person
	Withhold bool          // grant what any plugin has that asks, and no mount but its own
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
	var err error
	if u.asks, err = asks.Read(a.Name, a.Module, a.Manifest, a.Label, r.capabilities.Sections()); err != nil {
		return u.plugin, u.version, err
	}
	u.Label = u.asks.Label
	err = r.add(ctx, &u)
	return u.plugin, u.version, err
}

func (r *Registry) add(ctx context.Context, u *upload) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	defer r.retained(ctx, u.Name)
	written, err := r.modules.Write(u.asks.Digest, u.Module)
	if err != nil {
		return err
	}
	if err = r.stripNew(ctx, u); err == nil {
		err = r.change(ctx, u.record)
	}
	// An outcome nobody knows may have named the module: Open finds out.
	if err != nil && written && fault.CodeOf(err) != fault.Unknown {
		r.discard(u.asks.Digest)
	}
	return err
}

// stripNew takes out of earlier deployments what an upload is the first to call a
// secret. It goes before the record of the upload, so that no crash leaves any of it.
func (r *Registry) stripNew(ctx context.Context, u *upload) error {
	p, err := r.Plugin(ctx, u.Name)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err == nil && len(u.asks.Secret) > 0 {
		_, err = r.strip(ctx, p.Space, func(name string) bool { return u.asks.Secret[name] })
	}
	return err
}

// discard removes the module of an upload that failed, unless a version names
// it: the upload may have healed a damaged file.
func (r *Registry) discard(d plugin.Digest) {
	if named, _, err := r.named(); err == nil && !named[d] {
		r.modules.Remove(d)
	}
}

// upload is one AddVersion under way.
type upload struct {
	AddVersion
	asks asks.Asks

	plugin  plugin.Plugin
	version plugin.Version
}

func (u *upload) record(tx *records) error {
	p, known, err := tx.known(u.Name)
	switch {
	case err != nil:
		return err
	case !known:
		grant := plugin.Grant{}
		if !u.Withhold { // who uploads it is who would be asked; what weakens the sandbox is said aloud
			grant.Terms = u.asks.Grant.Terms
		}
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
		u.version.Approved = true
		u.plugin, err = tx.grant(p, u.version.Number, u.asks.Grant, u.By, u.Why)
	}
	return err
}

// repeats reports whether the upload equals the newest version, and takes it.
func (u *upload) repeats(tx *records, p plugin.Plugin) (bool, error) {
	v, err := tx.version(p, p.Versions)
	if err != nil || v.Rejected != nil || v.Digest != u.asks.Digest || v.Label != u.Label || u.Mount != "" && u.Mount != v.Mount {
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
	if mount == "" || u.withholds(mount) {
		mount = plugin.DefaultMount(u.Name)
	}
	space, err := tx.newSpace()
	return plugin.Plugin{Name: u.Name, Mount: mount, Space: space, Grant: grant, Created: tx.now()}, err
}

func (u *upload) restore(p plugin.Plugin) plugin.Plugin {
	p.Deleted = false
	if u.Mount != "" && !u.withholds(u.Mount) {
		p.Mount = u.Mount
	}
	return p
}

// withholds reports whether a mount waits for an approval.
func (u *upload) withholds(m plugin.Mounts) bool { return u.Withhold && len(m.Foreign(u.Name, "")) > 0 }

func (u *upload) append(tx *records, p plugin.Plugin, action plugin.Action) error {
	before := p
	p, _ = vars.Sealed(p, func(name string) bool { return u.asks.Secret[name] })
	if err := tx.seal(before, p, u.By); err != nil {
		return err
	}
	p.Versions++
	switch {
	case u.Grant:
		p.Grant = p.Grant.Union(u.asks.Grant)
	case u.Withhold:
		p.Grant = p.Grant.Union(tx.capabilities.Free(u.asks.Grant))
	}
	v := plugin.Version{
		Number: p.Versions, Digest: u.asks.Digest, Size: int64(len(u.Module)),
		Label: u.Label, By: u.By, Created: tx.now(), Ask: u.asks.Grant, Mount: u.Mount, Approved: u.Grant,
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
	if u.Why != "" {
		detail += ", " + u.Why
	}
	return tx.audit(plugin.Event{By: u.By, Action: action, Plugin: p.Name, Version: v.Number, Detail: detail, Changes: plugin.Differences(before, p)})
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

// approve records that a version has what it asks for; 0 = none. Conflict where it was
// rejected.
func (tx *records) approve(p plugin.Plugin, version int) error {
	if version == 0 {
		return nil
	}
	v, err := tx.version(p, version)
	if err == nil {
		err = v.Refusal(p.Name)
	}
	if err != nil || v.Approved {
		return err
	}
	v.Approved = true
	return put(tx, numbered(prefixVersion, p.Space, version), newVersionRecord(v))
}

// Reject decides that a version does not get what it asks for, also one that had it once.
// Errors: NotFound (plugin, version), Conflict (it serves, is being rolled out, or was
// rejected).
func (r *Registry) Reject(ctx context.Context, name string, version int, reason, by string) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.change(ctx, func(tx *records) error {
		p, err := tx.live(name)
		if err != nil {
			return err
		}
		v, err := tx.version(p, version)
		if err == nil {
			err = v.Refusal(name)
		}
		switch {
		case err != nil:
			return err
		case version == p.Active || p.Rollout.Runs() && version == p.Rollout.To:
			return fault.New(fault.Conflict, "", fmt.Sprintf("version %d of plugin %q serves; let another one serve first: wasmoor rollback %s", version, name, name))
		}
		v.Approved, v.Rejected = false, &plugin.Rejection{By: by, Reason: reason, At: tx.now()}
		if err := put(tx, numbered(prefixVersion, p.Space, version), newVersionRecord(v)); err != nil {
			return err
		}
		return tx.audit(plugin.Event{By: by, Action: plugin.ActionReject, Plugin: name, Version: version, Detail: reason})
	})
}

// Manifest returns the manifest of a version; manifest.Default if it came
// without one. Errors: NotFound; Invalid when this host no longer reads it.
func (r *Registry) Manifest(ctx context.Context, name string, number int) (*manifest.Manifest, error) {
	text, err := r.ManifestText(ctx, name, number)
	if err != nil {
		return nil, err
	}
	return asks.Parse(name, text, r.capabilities.Sections())
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
	return r.modules.Read(digest)
}

// OpenModule is module.Folder.Open: who reads it compares the digest.
func (r *Registry) OpenModule(d plugin.Digest) (*os.File, int64, error) { return r.modules.Open(d) }
