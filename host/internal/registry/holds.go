package registry

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry/part"
)

// holdRecord is what an operator has stopped of a plugin, or of all.
type holdRecord struct {
	header
	Space  uint64      `json:"space"` // 0 = of all plugins
	Pause  *part.Pause `json:"pause,omitempty"`
	Egress *part.Stop  `json:"egress_off,omitempty"`
}

// held is a Hold and whose.
type held struct {
	space uint64
	plugin.Hold
}

func newHoldRecord(h held) holdRecord {
	r := holdRecord{header: present, Space: h.space, Egress: (*part.Stop)(h.EgressOff)}
	r.Pause = part.NewPause(h.Pause)
	return r
}

func (r holdRecord) value(capability.List) (held, error) {
	h := held{r.Space, plugin.Hold{EgressOff: (*plugin.Stop)(r.Egress)}}
	h.Pause = r.Pause.Value()
	return h, nil
}

// allPlugins is the space of what is stopped for all plugins.
const allPlugins = 0

// Holds returns what is stopped, by the space of the plugin, and for all.
func (r *Registry) Holds(context.Context) (of map[uint64]plugin.Hold, all plugin.Hold, err error) {
	of = map[uint64]plugin.Hold{}
	err = r.view(func(tx *records) error {
		return list[holdRecord](tx, prefixHold, func(h held) bool {
			of[h.space] = h.Hold
			return true
		})
	})
	all = of[allPlugins]
	delete(of, allPlugins)
	return of, all, err
}

// Hold stops or resumes something of a plugin, of all with the name "", as change
// says, and tells the audit with the event it returns; one without an action says that
// nothing changes. It returns the plugin's space and what
// is stopped from then on. Errors: NotFound (plugin).
func (r *Registry) Hold(ctx context.Context, name string, change func(*plugin.Hold, plugin.Stop) plugin.Event, by string) (space uint64, hold plugin.Hold, err error) {
	r.changes.Lock()
	defer r.changes.Unlock()
	err = r.change(ctx, func(tx *records) error {
		if name != "" {
			p, err := tx.live(name)
			if err != nil {
				return err
			}
			space = p.Space
		}
		key := below(prefixHold, space)
		before, _, err := get[holdRecord](tx, key)
		if err != nil {
			return err
		}
		hold = before.Hold
		event := change(&hold, plugin.Stop{By: by, Since: tx.now().Round(0)})
		if event.Action == "" {
			return nil
		}
		event.By, event.Plugin = by, name
		if hold.None() {
			err = tx.Delete([]byte(key))
		} else {
			err = put(tx, key, newHoldRecord(held{space, hold}))
		}
		if err != nil {
			return err
		}
		return tx.audit(event)
	})
	return space, hold, err
}

// Killed tells the audit that requests of a plugin were ended.
func (r *Registry) Killed(ctx context.Context, name, id string, n int, by string) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	return r.change(ctx, func(tx *records) error {
		return tx.audit(plugin.Event{By: by, Action: plugin.ActionKill, Plugin: name, Detail: fmt.Sprintf("%d of request %.128q", n, id)})
	})
}
