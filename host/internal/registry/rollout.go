package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Rollout records what c.Rollout says of a roll-out, and what c grants, without a
// deployment: that it begins, goes a step, waits or ends. Detail is for the audit.
// Errors: NotFound (plugin, version).
func (r *Registry) Rollout(ctx context.Context, name string, c Change, detail string) (p plugin.Plugin, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	err = r.change(ctx, func(tx *records) error {
		before, next, err := tx.next(name, c)
		if err != nil {
			return err
		}
		if err := tx.approve(next, next.Rollout.To); err != nil {
			return err
		}
		p = next
		if err := tx.putPlugin(p); err != nil {
			return err
		}
		return tx.audit(plugin.Event{By: c.By, Action: plugin.ActionRollout, Plugin: name, Version: next.Rollout.To, Detail: detail, Changes: plugin.Differences(before, next)})
	})
	return p, err
}

// Note records an event that changes no record.
func (r *Registry) Note(ctx context.Context, e plugin.Event) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.change(ctx, func(tx *records) error { return tx.audit(e) })
}

// maxPins bounds the versions of a plugin that are kept for ever.
const maxPins = 100

// Pin keeps a version however old it is, or no longer does. Doing so twice is fine.
// Errors: NotFound (plugin, version), Exhausted (there are too many).
func (r *Registry) Pin(ctx context.Context, name string, version int, pinned bool, by string) (p plugin.Plugin, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	err = r.change(ctx, func(tx *records) error {
		if p, err = tx.plugin(name); err != nil {
			return err
		}
		at, is := slices.BinarySearch(p.Pins, version)
		action := plugin.ActionUnpin
		switch {
		case is == pinned:
			return tx.hasVersion(p, version)
		case !pinned:
			p.Pins = slices.Delete(slices.Clone(p.Pins), at, at+1)
		case len(p.Pins) >= maxPins:
			return fault.New(fault.Exhausted, "", fmt.Sprintf("plugin %q has %d pinned versions, which is the most; unpin one: wasmoor unpin %s %d", name, maxPins, name, p.Pins[0]))
		default:
			if err := tx.hasVersion(p, version); err != nil {
				return err
			}
			action, p.Pins = plugin.ActionPin, slices.Insert(slices.Clone(p.Pins), at, version)
		}
		if err := tx.putPlugin(p); err != nil {
			return err
		}
		return tx.audit(plugin.Event{By: by, Action: action, Plugin: name, Version: version})
	})
	return p, err
}

func (tx *records) hasVersion(p plugin.Plugin, version int) error {
	_, err := tx.version(p, version)
	return err
}
