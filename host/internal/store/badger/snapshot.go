package badger

import (
	"bytes"
	"cmp"
	"errors"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/tidwall/btree"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/damage"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/epochs"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
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
	v, ok, err := readValue(s.txn, dataKey)
	if err == nil {
		err = s.usable("get")
	}
	if err != nil {
		return store.Value{}, false, s.store.checked(err)
	}
	return v, ok, nil
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
	err := scan{txn: s.txn, low: in.low, high: in.high}.run(in.reverse, func(item *badger.Item) bool {
		// The iterator pins the files it started with; staleness counts from there.
		if failed = s.usable("scan"); failed != nil {
			return false
		}
		var v store.Value
		if v, failed = valueOf(s.txn, item); failed != nil {
			return false
		}
		return yield(item.Key(), v)
	})
	return s.store.checked(cmp.Or(failed, err))
}

// scan walks the Badger keys in [low, high).
type scan struct {
	txn       *badger.Txn
	low, high []byte
}

// run calls yield for each item until it returns false. Damage that Badger met
// on the way is an error, also where it was passed over.
func (sc scan) run(reverse bool, yield func(*badger.Item) bool) (err error) {
	if bytes.Compare(sc.low, sc.high) >= 0 {
		return nil
	}
	begun, yielding := damage.BeginRead(), false
	defer func() {
		if !yielding { // a panic of yield's is not for us
			damage.Caught(&err)
		}
	}()
	// Without a prefix Badger looks into every table; without prefetching it
	// starts no goroutine per key.
	it := sc.txn.NewIterator(badger.IteratorOptions{Prefix: layout.CommonPrefix(sc.low, sc.high), Reverse: reverse})
	defer it.Close()
	for sc.seek(it, reverse); sc.has(it, reverse); it.Next() {
		if err := begun.Failed(nil); err != nil {
			return err
		}
		yielding = true
		more := yield(it.Item())
		yielding = false
		if !more {
			return nil
		}
	}
	return begun.Failed(nil)
}

func (sc scan) seek(it *badger.Iterator, reverse bool) {
	if !reverse {
		it.Seek(sc.low)
		return
	}
	it.Seek(sc.high)
	if it.Valid() && bytes.Equal(it.Item().Key(), sc.high) {
		it.Next()
	}
}

func (sc scan) has(it *badger.Iterator, reverse bool) bool {
	switch {
	case !it.Valid():
		return false
	case reverse:
		return bytes.Compare(it.Item().Key(), sc.low) >= 0
	}
	return bytes.Compare(it.Item().Key(), sc.high) < 0
}

// readValue reads the value under a data key.
func readValue(txn *badger.Txn, dataKey []byte) (v store.Value, ok bool, err error) {
	begun := damage.BeginRead()
	defer damage.Caught(&err)
	item, err := txn.Get(dataKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return v, false, begun.Failed(nil)
	}
	if err != nil {
		return v, false, readError(err)
	}
	v, err = valueOf(txn, item)
	err = begun.Failed(err)
	return v, err == nil, err
}

// valueOf returns a copy of the value of a data item.
func valueOf(txn *badger.Txn, item *badger.Item) (store.Value, error) {
	b, err := item.ValueCopy(nil)
	if err != nil {
		return store.Value{}, readError(err)
	}
	v, more, err := layout.DecodeRecord(b)
	if err != nil || !more {
		return v, err
	}
	tail, err := txn.Get(layout.TailKey(item.Key()))
	if err != nil {
		return store.Value{}, readError(err)
	}
	err = tail.Value(func(b []byte) error {
		v.Data = append(v.Data, b...)
		return nil
	})
	if err != nil {
		return store.Value{}, readError(err)
	}
	return v, nil
}

func readError(err error) error {
	return fault.Wrap(fault.Internal, "read", "cannot read the data directory", err)
}
