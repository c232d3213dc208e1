// Package reading reads keys and values of Badger's transactions, and notices damage. Only
// package store/badger imports it.
package reading

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/damage"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Scan walks the Badger keys in [low, high).
type Scan struct {
	txn       *badger.Txn
	low, high []byte
}

// Between returns a walk through the keys in [low, high).
func Between(txn *badger.Txn, low, high []byte) Scan { return Scan{txn, low, high} }

// Run calls yield for each item until it returns false. Damage that Badger met
// on the way is an error, also where it was passed over.
func (sc Scan) Run(reverse bool, yield func(*badger.Item) bool) (err error) {
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

func (sc Scan) seek(it *badger.Iterator, reverse bool) {
	if !reverse {
		it.Seek(sc.low)
		return
	}
	it.Seek(sc.high)
	if it.Valid() && bytes.Equal(it.Item().Key(), sc.high) {
		it.Next()
	}
}

func (sc Scan) has(it *badger.Iterator, reverse bool) bool {
	switch {
	case !it.Valid():
		return false
	case reverse:
		return bytes.Compare(it.Item().Key(), sc.low) >= 0
	}
	return bytes.Compare(it.Item().Key(), sc.high) < 0
}

// Value reads the value under a data key.
func Value(txn *badger.Txn, dataKey []byte) (v store.Value, ok bool, err error) {
	begun := damage.BeginRead()
	defer damage.Caught(&err)
	item, err := txn.Get(dataKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return v, false, begun.Failed(nil)
	}
	if err != nil {
		return v, false, Error(err)
	}
	v, err = ValueOf(txn, item)
	err = begun.Failed(err)
	return v, err == nil, err
}

// ValueOf returns a copy of the value of a data item.
func ValueOf(txn *badger.Txn, item *badger.Item) (store.Value, error) {
	b, err := item.ValueCopy(nil)
	if err != nil {
		return store.Value{}, Error(err)
	}
	v, more, err := layout.DecodeRecord(b)
	if err != nil || !more {
		return v, err
	}
	tail, err := txn.Get(layout.TailKey(item.Key()))
	if err != nil {
		return store.Value{}, Error(err)
	}
	err = tail.Value(func(b []byte) error {
		v.Data = append(v.Data, b...)
		return nil
	})
	if err != nil {
		return store.Value{}, Error(err)
	}
	return v, nil
}

// Error is that of a read that failed.
func Error(err error) error {
	return fault.Wrap(fault.Internal, "read", "cannot read the data directory", err)
}
