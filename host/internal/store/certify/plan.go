package certify

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// change is by what a commit changes the usage of a space (store.Space.Account).
type change struct {
	space store.Space
	by    store.Usage
}

// plan works out the state after each write of a commit, and what that changes
// in the usage of each space.
func (l *Log) plan(e *Entry) (err error) {
	l.changes = l.changes[:0]
	now := e.Effects.Now.UnixMilli()
	for i := range e.Writes {
		w := &e.Writes[i]
		if w.Kind == store.OpAdd {
			if w.Next, err = w.sum(now); err != nil {
				return err
			}
		}
		w.count(l.changeOf(w.Space.Account()))
	}
	return nil
}

// distinct refuses a commit two of whose writes get the same key by a versionstamp.
func distinct(e *Entry) error {
	for i := range e.Writes {
		w := &e.Writes[i]
		if !w.Stamped {
			continue
		}
		again := slices.ContainsFunc(e.Writes[i+1:], func(o Write) bool {
			return o.Stamped && o.Space == w.Space && bytes.Equal(o.Key, w.Key)
		})
		for p := range e.Effects.Parts {
			again = again || e.Effects.Parts[p].Space == w.Space && sets(e.Effects.Parts[p].Ops, w.Key)
		}
		if again {
			return fault.New(fault.Invalid, "commit", "two writes get the same key by a versionstamp; nothing was done")
		}
	}
	return nil
}

// sets reports whether a write of ops is to key.
func sets(ops []store.Op, key []byte) bool {
	_, found := slices.BinarySearchFunc(ops, key, func(op store.Op, key []byte) int { return bytes.Compare(op.Key, key) })
	return found
}

// changeOf returns the change of a space, of which there are few.
func (l *Log) changeOf(space store.Space) *store.Usage {
	for i := len(l.changes) - 1; i >= 0; i-- {
		if l.changes[i].space == space {
			return &l.changes[i].by
		}
	}
	l.changes = append(l.changes, change{space: space})
	return &l.changes[len(l.changes)-1].by
}

// checkQuotas refuses growth over the quota of a part.
func (l *Log) checkQuotas(e *store.Effects) error {
	for i := range e.Parts {
		p := &e.Parts[i]
		for _, c := range l.changes {
			if c.space != p.Space.Account() {
				continue
			}
			if err := checkQuota(c.space, p.Quota, add(l.usage[c.space], c.by), c.by); err != nil {
				return err
			}
			if err := l.checkShared(p.Quota.Shared, c.by); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkShared refuses growth over what several spaces may have together.
func (l *Log) checkShared(s *store.Shared, by store.Usage) error {
	if s == nil || by.Bytes <= 0 {
		return nil
	}
	sum := int64(0)
	for _, space := range s.Spaces {
		sum += l.usage[space].Bytes + l.usage[space.In(store.AreaQueue)].Bytes
	}
	for _, c := range l.changes {
		if slices.Contains(s.Spaces, c.space.Owner()) {
			sum += c.by.Bytes
		}
	}
	if sum > s.Bytes {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf(
			"the key spaces of team %q would hold %d bytes together, its quota is %d; delete keys of its plugins, or have an owner raise it: wasmoor team set %s --disk", s.Name, sum, s.Bytes, s.Name))
	}
	return nil
}

// count adds to u what w changes.
func (w *Write) count(u *store.Usage) {
	if w.Prior.Exists {
		u.Keys--
		u.Bytes -= int64(len(w.Key)) + w.Prior.Size
	}
	if w.Next.Exists {
		u.Keys++
		u.Bytes += int64(len(w.Key)) + w.Next.Size
	}
}

// sum is the state of a counter after an add.
func (w *Write) sum(now int64) (store.State, error) {
	next := store.State{Exists: true, Size: 8, Counter: true}
	if w.Prior.Exists && (w.Prior.Expires == 0 || w.Prior.Expires > now) {
		if !w.Prior.Counter {
			return store.State{}, store.NotCounter(w.Key)
		}
		next.N, next.Expires = w.Prior.N, w.Prior.Expires
	}
	n, ok := store.AddCounter(next.N, w.Delta)
	if !ok {
		return store.State{}, store.Overflow(w.Key)
	}
	next.N = n
	return next, nil
}

func add(u, delta store.Usage) store.Usage {
	return store.Usage{Keys: u.Keys + delta.Keys, Bytes: u.Bytes + delta.Bytes}
}

// checkQuota refuses growth over the quota. A space that is over it already,
// because the quota was lowered, may still shrink.
func checkQuota(space store.Space, q store.Quota, u, delta store.Usage) error {
	keys, bytes := q.Keys > 0 && u.Keys > q.Keys && delta.Keys > 0, q.Bytes > 0 && u.Bytes > q.Bytes && delta.Bytes > 0
	if space.Area() == store.AreaQueue && (keys || bytes) {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf(
			"the queues of the plugin would hold %d messages, ids and dead letters of %d bytes, and may hold %d of %d; see what waits with: wasmoor queue list", u.Keys, u.Bytes, q.Keys, q.Bytes))
	}
	if keys {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf("the key space would hold %d keys, its quota is %d (kv.keys); delete keys, or raise it in the manifest, which the operator grants", u.Keys, q.Keys))
	}
	if bytes {
		return fault.New(fault.Exhausted, "commit", fmt.Sprintf("the key space would hold %d bytes, its quota is %d (kv.bytes); delete keys, or raise it in the manifest, which the operator grants", u.Bytes, q.Bytes))
	}
	return nil
}
