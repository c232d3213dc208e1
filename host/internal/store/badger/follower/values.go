package follower

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// ValueOf returns the value that an entry sets in a key space; of one over 1 MiB, its
// begin. ok is false for any other entry.
func ValueOf(e stream.Entry) (space store.Space, key []byte, v store.Value, ok bool) {
	if len(e.Key) < layout.PrefixSize || e.Key[0] != layout.KindData || e.Value == nil {
		return 0, nil, v, false
	}
	v, _, err := layout.DecodeRecord(e.Value)
	return layout.SpaceOf(e.Key), e.Key[layout.PrefixSize:], v, err == nil
}

// DroppedBy returns the key space that an entry says is dropped: what it still has is
// nobody's.
func DroppedBy(e stream.Entry) (space store.Space, ok bool) {
	if len(e.Key) != layout.PrefixSize || e.Key[0] != layout.KindDropped {
		return 0, false
	}
	return layout.SpaceOf(e.Key), true
}

// Entries calls yield for what the folder has of dropped spaces, and then of an area of
// all spaces, until it returns false. Entries are valid within the call. Errors:
// Unavailable (the disk).
func (f *Follower) Entries(area store.Area, yield func(stream.Entry) bool) error {
	txn := f.db.NewTransactionAt(f.db.MaxVersion(), false)
	defer txn.Discard()
	for _, prefix := range [][]byte{{layout.KindDropped}, {layout.KindData, byte(area)}} {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix, PrefetchValues: true, PrefetchSize: 16})
		err := each(it, yield)
		it.Close()
		if err != nil {
			return broken(err)
		}
	}
	return nil
}

func each(it *badger.Iterator, yield func(stream.Entry) bool) error {
	for it.Rewind(); it.Valid(); it.Next() {
		more := true
		err := it.Item().Value(func(value []byte) error {
			more = yield(stream.Entry{Key: it.Item().Key(), Value: value})
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}
