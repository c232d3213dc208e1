package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/asks"
	"github.com/wasmoor/wasmoor/host/internal/registry/vars"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// secretRecord is a value that an operator entrusted to a plugin.
type secretRecord struct {
	header
	Name   string    `json:"name"`
	Key    int       `json:"key"` // which of the plugin's keys has sealed it
	Sealed []byte    `json:"sealed"`
	Set    time.Time `json:"set,omitzero"`
	By     string    `json:"by,omitempty"`
	Blind  bool      `json:"blind,omitempty"`
}

func (r secretRecord) value(capability.List) (secretRecord, error) { return r, nil }

// keyRecord is a key of a plugin, wrapped with the server's.
type keyRecord struct {
	header
	Number    int    `json:"number"`
	WrappedBy string `json:"wrapped_by"`
	Wrapped   []byte `json:"wrapped"`
}

func (r keyRecord) value(capability.List) (keyRecord, error) { return r, nil }

// sealedRecord says that no record holds a secret in the open.
type sealedRecord struct{ header }

func (r sealedRecord) value(capability.List) (sealedRecord, error) { return r, nil }

func placeOf(space uint64, name string) secret.Place {
	return secret.Place{What: "value", Space: space, Name: name}
}

func keyPlace(space uint64, number int) secret.Place {
	return secret.Place{What: "key", Space: space, Name: fmt.Sprint(number)}
}

// keysOf returns the keys of a plugin that can be unwrapped, and why the others cannot.
func (tx *records) keysOf(space uint64) (keys map[int]secret.Key, lost map[int]string, err error) {
	keys, lost = map[int]secret.Key{}, map[int]string{}
	err = list[keyRecord](tx, below(prefixKey, space), func(r keyRecord) bool {
		key, err := tx.ring.Unwrap(keyPlace(space, r.Number), secret.Wrapped{By: r.WrappedBy, Data: r.Wrapped})
		if err != nil {
			lost[r.Number] = err.Error()
		} else {
			keys[r.Number] = key
		}
		return true
	})
	return keys, lost, err
}

// unseal adds the secrets of a plugin to it.
func (tx *records) unseal(p *plugin.Plugin) error {
	var all []secretRecord
	err := list[secretRecord](tx, below(prefixSecret, p.Space), func(r secretRecord) bool {
		all = append(all, r)
		return true
	})
	if err != nil || len(all) == 0 {
		return err
	}
	keys, lost, err := tx.keysOf(p.Space)
	if err != nil {
		return err
	}
	p.Secrets = make(map[string]plugin.Secret, len(all))
	for _, r := range all {
		s := plugin.Secret{Set: r.Set, By: r.By, Blind: r.Blind, Lost: lost[r.Key]}
		if key, ok := keys[r.Key]; ok {
			value, err := key.Open(placeOf(p.Space, r.Name), r.Sealed)
			if err != nil {
				s.Lost = err.Error()
			}
			s.Value = plugin.Hidden(value)
		} else if s.Lost == "" {
			s.Lost = "its key is gone"
		}
		p.Secrets[r.Name] = s
	}
	return nil
}

// seal records the secrets of next that before does not have like that, and removes
// those it has no more.
func (tx *records) seal(before, next plugin.Plugin, by string) error {
	for name := range before.Secrets {
		if _, kept := next.Secrets[name]; !kept {
			if err := tx.Delete([]byte(below(prefixSecret, next.Space) + name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.Secrets)) {
		s := next.Secrets[name]
		if s == before.Secrets[name] {
			continue
		}
		number, key, err := tx.key(next.Space)
		if err != nil {
			return err
		}
		s.Set, s.By = tx.now().Round(0), by
		next.Secrets[name] = s
		sealed := key.Seal(placeOf(next.Space, name), []byte(s.Value.Reveal()))
		r := secretRecord{present, name, number, sealed, s.Set, s.By, s.Blind}
		if err := put(tx, below(prefixSecret, next.Space)+name, r); err != nil {
			return err
		}
	}
	return nil
}

// key returns the key of a plugin that seals, a new one if none can be unwrapped. What
// others have sealed is kept: their key may come back.
func (tx *records) key(space uint64) (int, secret.Key, error) {
	keys, lost, err := tx.keysOf(space)
	if err != nil {
		return 0, secret.Key{}, err
	}
	if len(keys) > 0 {
		number := slices.Max(slices.Collect(maps.Keys(keys)))
		return number, keys[number], nil
	}
	number, key := 1, secret.NewKey()
	if len(lost) > 0 {
		number += slices.Max(slices.Collect(maps.Keys(lost)))
	}
	return number, key, tx.putKey(space, number, key)
}

func (tx *records) putKey(space uint64, number int, key secret.Key) error {
	w := tx.ring.Wrap(keyPlace(space, number), key)
	return put(tx, numbered(prefixKey, space, number), keyRecord{present, number, w.By, w.Data})
}

// Unlocked is what Unlock has found and done.
type Unlocked struct {
	Sealed    int                 // values that an older format held in the open
	Rewrapped int                 // keys that are wrapped with the ring's newest key now
	Lost      map[string][]string // secrets that cannot be opened, by plugin
}

// Unlock gives the registry the server's keys, seals what older formats hold in the
// open, and wraps anew what is wrapped with an older key. Call it before anything
// else; without it a key holds that ends with the process. A store that takes no
// writes now is left as it is. Errors are those of the store.
func (r *Registry) Unlock(ctx context.Context, ring *secret.Ring) (u Unlocked, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	r.ring = ring
	if u.Sealed, err = r.sealOld(ctx); err == nil {
		if u.Rewrapped, err = r.rewrap(ctx); err == nil {
			err = ring.Settle()
		}
	}
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Exhausted:
		err = nil
	}
	if err != nil {
		return u, err
	}
	plugins, err := r.Plugins(ctx)
	for _, p := range plugins {
		if lost := p.Lost(slices.Collect(maps.Keys(p.Secrets))); len(lost) > 0 {
			if u.Lost == nil {
				u.Lost = map[string][]string{}
			}
			u.Lost[p.Name] = lost
		}
	}
	return u, err
}

// Rotated is what RotateKey has done.
type Rotated struct {
	Key  string // id of the new one
	Keys int    // of plugins, that were wrapped anew
}

// RotateKey replaces the server's key, while everything goes on. Errors: Conflict when
// the key is not this server's to write.
func (r *Registry) RotateKey(ctx context.Context, by string) (done Rotated, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	done.Key, err = r.ring.Rotate(func() (err error) {
		if done.Keys, err = r.rewrap(ctx); err != nil {
			return err
		}
		return r.change(ctx, func(tx *records) error {
			return tx.audit(plugin.Event{By: by, Action: plugin.ActionKey, Detail: fmt.Sprintf("key %s, %d plugins", tx.ring.Current(), done.Keys)})
		})
	})
	return done, err
}

// rewrap wraps the keys of plugins anew that another key has wrapped than the newest
// of the ring. Those that cannot be unwrapped are left. The caller holds r.changes.
func (r *Registry) rewrap(ctx context.Context) (n int, err error) {
	spaces, err := r.allSpaces()
	if err != nil {
		return 0, err
	}
	for _, space := range spaces {
		err := r.change(ctx, func(tx *records) error {
			done, err := tx.rewrap(space)
			if err == nil && done {
				n++
			}
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (tx *records) rewrap(space uint64) (done bool, err error) {
	var old []keyRecord
	err = list[keyRecord](tx, below(prefixKey, space), func(r keyRecord) bool {
		if r.WrappedBy != tx.ring.Current() {
			old = append(old, r)
		}
		return true
	})
	for _, k := range old {
		key, lost := tx.ring.Unwrap(keyPlace(space, k.Number), secret.Wrapped{By: k.WrappedBy, Data: k.Wrapped})
		if err != nil || lost != nil {
			continue
		}
		err, done = tx.putKey(space, k.Number, key), true
	}
	return done, err
}

// allSpaces returns the spaces of all plugins.
func (r *Registry) allSpaces() (spaces []uint64, err error) {
	err = r.view(func(tx *records) error {
		return list[pluginRecord](tx, prefixPlugin, func(p plugin.Plugin) bool {
			spaces = append(spaces, p.Space)
			return true
		})
	})
	return spaces, err
}

// sealOld seals what records of formats before 3 hold in the open, once. The caller
// holds r.changes.
func (r *Registry) sealOld(ctx context.Context) (n int, err error) {
	var plugins []plugin.Plugin
	done := false
	err = r.view(func(tx *records) error {
		if _, done, err = get[sealedRecord](tx, keySealed); err != nil || done {
			return err
		}
		return list[pluginRecord](tx, prefixPlugin, func(p plugin.Plugin) bool {
			plugins = append(plugins, p)
			return true
		})
	})
	if err != nil || done {
		return 0, err
	}
	for _, p := range plugins {
		open, err := r.openNames(p.Space)
		if err != nil {
			return n, err
		}
		secret := func(name string) bool { return !open[name] }
		stripped, err := r.strip(ctx, p.Space, secret)
		if err != nil {
			return n, err
		}
		moved := 0
		err = r.change(ctx, func(tx *records) (err error) {
			moved, err = tx.move(p.Name, secret)
			return err
		})
		if n += moved + stripped; err != nil {
			return n, err
		}
	}
	return n, r.change(ctx, func(tx *records) error { return put(tx, keySealed, sealedRecord{present}) })
}

// openNames returns the vars that a version of a plugin declares, and none as a secret.
func (r *Registry) openNames(space uint64) (map[string]bool, error) {
	open, secrets := map[string]bool{}, map[string]bool{}
	err := r.view(func(tx *records) error {
		return tx.List(store.Query{Prefix: []byte(below(prefixManifest, space))}, func(_, text []byte) bool {
			m, err := asks.Parse("any", text, r.capabilities.Sections())
			if err != nil {
				return true // what it declares is sealed
			}
			for _, v := range m.Vars {
				open[v.Name] = true
				if v.Secret {
					secrets[v.Name] = true
				}
			}
			return true
		})
	})
	maps.DeleteFunc(open, func(name string, _ bool) bool { return secrets[name] })
	return open, err
}

// move seals the vars of a plugin that are secrets.
func (tx *records) move(name string, secret func(string) bool) (n int, err error) {
	before, err := tx.plugin(name)
	if err != nil {
		return 0, err
	}
	next, n := vars.Sealed(before, secret)
	if err := tx.seal(before, next, ""); err != nil || n == 0 {
		return 0, err
	}
	return n, tx.putPlugin(next)
}

// stripStep is how many deployments one commit of strip rewrites.
const stripStep = 16

// strip takes the vars that are secrets out of the deployments of a plugin, where
// older formats, and versions that did not call them so, had them. The caller holds
// r.changes.
func (r *Registry) strip(ctx context.Context, space uint64, secret func(string) bool) (n int, err error) {
	var with []plugin.Deployment
	err = r.view(func(tx *records) error {
		return list[deploymentRecord](tx, below(prefixDeployment, space), func(d plugin.Deployment) bool {
			vars := maps.Clone(d.Vars)
			maps.DeleteFunc(vars, func(name, _ string) bool { return secret(name) })
			if found := len(d.Vars) - len(vars); found > 0 {
				d.Vars, n = vars, n+found
				with = append(with, d)
			}
			return true
		})
	})
	for some := range slices.Chunk(with, stripStep) {
		if err != nil {
			return n, err
		}
		err = r.change(ctx, func(tx *records) error {
			for _, d := range some {
				if err := put(tx, numbered(prefixDeployment, space, d.Number), newDeploymentRecord(d)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return n, err
}
