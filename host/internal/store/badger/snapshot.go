package badger

import (
	"bytes"
	"cmp"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/epochs"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/pages"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
)

// snapshot implements store.Snapshot on a read-only Badger transaction, which
// is safe for concurrent reads, and the groups that were not published yet.
type snapshot struct {
	store    *Store
	epoch    *epochs.Epoch // of what is on disk
	txn      *badger.Txn
	released atomic.Bool

	revision store.Revision
	layers   []*btree.BTreeG[*pending] // what is not on disk, the oldest first
	drops    []store.Space             // that the layers drop
	settling *store.Settling           // of the newest layer
}

func (s *snapshot) Revision() store.Revision { return s.revision }

func (s *snapshot) Release() {
	if s.released.CompareAndSwap(false, true) {
		s.txn.Discard()
		s.store.epochs.Leave(s.epoch)
	}
}

// usable says why the snapshot cannot be read. It is asked after reading too:
// a snapshot that was not stale then, was not when it was read.
func (s *snapshot) usable(op string) error {
	switch {
	case s.released.Load():
		return fault.New(fault.Internal, op, "the snapshot is released")
	case s.epoch.Stale():
		return fault.New(fault.Conflict, op, "the snapshot is too old; start again on a new one")
	}
	return nil
}

func (s *snapshot) Get(space store.Space, key []byte) (store.Value, bool, error) {
	if err := s.usable("get"); err != nil {
		return store.Value{}, false, err
	}
	if s.gone(space) {
		return store.Value{}, false, nil
	}
	dataKey := layout.Key(layout.KindData, space, key)
	if p := s.pendingAt(dataKey); p != nil {
		return p.value()
	}
	kept := pages.Keeps(space)
	if kept {
		if v, ok, found := s.store.pages.Get(dataKey, s.epoch.Revision); found {
			return v, ok, nil
		}
	}
	v, ok, err := reading.Value(s.txn, dataKey)
	if err == nil {
		err = s.usable("get")
	}
	if err != nil {
		return store.Value{}, false, s.store.checked(err)
	}
	if kept {
		s.store.pages.Add(dataKey, s.epoch.Revision, v, ok)
	}
	return v, ok, nil
}

// Since implements store.Snapshot.
func (s *snapshot) Since(space store.Space) store.Revision {
	prefix := layout.Key(layout.KindData, space, nil)
	for _, l := range s.layers {
		changed := false
		l.Ascend(&pending{encoded: encoded{dataKey: prefix}}, func(p *pending) bool {
			changed = bytes.HasPrefix(p.dataKey, prefix)
			return false
		})
		if changed {
			return 0
		}
	}
	if s.gone(space) || !pages.Keeps(space) {
		return 0
	}
	return s.store.pages.Since(space, s.epoch.Revision)
}

func (s *snapshot) Scan(space store.Space, from, to []byte, reverse bool, yield func([]byte, store.Value) bool) error {
	if err := s.usable("scan"); err != nil {
		return err
	}
	if s.gone(space) {
		return nil
	}
	in := interval{low: layout.Key(layout.KindData, space, from), high: layout.End(layout.KindData, space), reverse: reverse}
	if to != nil {
		in.high = layout.Key(layout.KindData, space, to)
	}
	return s.walk(len(s.layers), in, func(dataKey []byte, v store.Value) bool {
		return yield(dataKey[layout.PrefixSize:], v)
	})
}

// walkDisk passes what is on disk.
func (s *snapshot) walkDisk(in interval, yield visit) error {
	var failed error
	err := reading.Between(s.txn, in.low, in.high).Run(in.reverse, func(item *badger.Item) bool {
		// The iterator pins the files it started with; staleness counts from there.
		if failed = s.usable("scan"); failed != nil {
			return false
		}
		var v store.Value
		if v, failed = reading.ValueOf(s.txn, item); failed != nil {
			return false
		}
		return yield(item.Key(), v)
	})
	return s.store.checked(cmp.Or(failed, err))
}
