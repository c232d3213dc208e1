package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// record checks what tx has under a key of the host's area.
func (b *bench) record(tx *store.Tx, key, want string) {
	b.Helper()
	data, err := tx.Record([]byte(key))
	if err != nil || string(data) != want {
		b.Fatalf("Record(%q) = %q, %v; want %q", key, data, err, want)
	}
}

func setRecord(tx *store.Tx, key, value string) error {
	return tx.SetRecord([]byte(key), []byte(value), time.Hour)
}

func testRecordIsApart(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("k", "guest's")
	b.must(func(tx *store.Tx) error { return setRecord(tx, "k", "host's") })
	b.must(func(tx *store.Tx) error { return tx.Set([]byte("z"), nil, 0) })
	look := func() {
		t.Helper()
		b.holds("k", "guest's")
		b.lists(b.begin(), store.Query{}, "k=guest's", "z=")
		b.lists(b.begin(), store.Query{Reverse: true}, "z=", "k=guest's")
		b.record(b.begin(), "k", "host's")
		b.record(b.begin(), "z", "")
	}
	look()
	b.delete("k")
	b.record(b.begin(), "k", "host's")
	b.set("k", "guest's")
	b.reopen()
	look()
	b.now = b.now.Add(time.Hour)
	b.record(b.begin(), "k", "")
}

func testRecordConflicts(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	first, second, other, reader := b.begin(), b.begin(), b.begin(), b.begin()
	for _, tx := range []*store.Tx{first, second} {
		b.record(tx, "k", "")
		b.want("SetRecord", setRecord(tx, "k", "once"), "")
		b.want("Add", tx.Add([]byte("n"), 1), "")
	}
	b.want("SetRecord", setRecord(other, "other", "once"), "")
	if !reader.ReadOnly() || first.ReadOnly() {
		t.Error("a transaction with a record is not read-only, one without is")
	}
	b.want("the first", b.commit(first), "")
	b.want("the second", b.commit(second), fault.Conflict)
	b.want("one with another key", b.commit(other), "")
	b.get(reader, "k")
	b.want("Set", reader.Set([]byte("x"), nil, 0), "")
	b.want("a reader of the same key of the guest's", b.commit(reader), "")
	b.holds("n", counter(1))
}

// testSeveralRecords: a transaction sets and deletes several records, each of
// which another may have taken.
func testSeveralRecords(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.must(func(tx *store.Tx) error {
		return firstError(setRecord(tx, "b", "1"), setRecord(tx, "a", "1"), tx.SetRecord([]byte("c"), []byte("for ever"), 0))
	})
	first, second := b.begin(), b.begin()
	for _, tx := range []*store.Tx{first, second} {
		b.want("DeleteRecord", tx.DeleteRecord([]byte("a")), "")
		b.want("SetRecord", setRecord(tx, "d", "2"), "")
	}
	b.want("the first", b.commit(first), "")
	b.want("the second", b.commit(second), fault.Conflict)
	b.uses(store.Usage{Keys: 3, Bytes: int64(len("b1" + "cfor ever" + "d2"))})
	b.now = b.now.AddDate(100, 0, 0)
	for key, want := range map[string]string{"a": "", "b": "", "c": "for ever", "d": ""} {
		b.record(b.begin(), key, want)
	}
	tx := b.begin()
	for i := range store.MaxRecords {
		b.want("SetRecord", tx.SetRecord([]byte{byte(i >> 8), byte(i)}, nil, 0), "")
	}
	b.want("one record too many", tx.SetRecord([]byte("more"), nil, 0), fault.TooLarge)
	b.want("one record twice", tx.DeleteRecord([]byte{0, 0}), "")
	b.want("commit", b.commit(tx), "")
}

func testRecordIsCounted(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.must(func(tx *store.Tx) error { return setRecord(tx, "key", "value") })
	b.uses(store.Usage{Keys: 1, Bytes: 8})
	b.quota = store.Quota{Keys: 1}
	b.want("over the quota", b.try(func(tx *store.Tx) error { return setRecord(tx, "more", "") }), fault.Exhausted)
	b.quota = store.Quota{}
	b.must(func(tx *store.Tx) error { return setRecord(tx, "key", "v") })
	b.uses(store.Usage{Keys: 1, Bytes: 4})
	b.want("Drop", b.Drop(context.Background(), b.space), "")
	b.record(b.begin(), "key", "")
	b.want("a record of a dropped space", b.try(func(tx *store.Tx) error { return setRecord(tx, "key", "v") }), fault.NotFound)
}

// testRecordBounds: the largest record fits beside the largest effects.
func testRecordBounds(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	largest := bytes.Repeat([]byte("r"), store.MaxValue)
	const size = store.MaxEffectBytes / store.MaxEffectOps / 2
	key := bytes.Repeat([]byte("k"), size)
	for range 2 {
		b.must(func(tx *store.Tx) error {
			for i := range store.MaxEffectOps {
				key[0], key[1] = byte(i>>8), byte(i)
				if err := tx.Set(key, nil, time.Hour); err != nil {
					return err
				}
			}
			return tx.SetRecord(bytes.Repeat([]byte("k"), store.MaxKey), largest, time.Hour)
		})
	}
	b.record(b.begin(), string(bytes.Repeat([]byte("k"), store.MaxKey)), string(largest))
	tx := b.begin()
	b.want("a value too large", tx.SetRecord([]byte("k"), append(largest, 0), time.Hour), fault.TooLarge)
	b.want("no key", tx.SetRecord(nil, nil, time.Hour), fault.Invalid)
	bad := func(r store.Op) *store.Effects {
		return &store.Effects{Read: tx.Effects().Read, Now: b.now, Parts: []store.Part{{Space: b.space, Records: []store.Op{r}}}}
	}
	for _, e := range []struct {
		name string
		op   store.Op
		code fault.Code
	}{
		{"an add", store.Op{Kind: store.OpAdd, Key: []byte("k")}, fault.Invalid},
		{"no key", store.Op{}, fault.Invalid},
		{"a long key", store.Op{Key: make([]byte, store.MaxKey+1)}, fault.TooLarge},
		{"a long value", store.Op{Key: []byte("k"), Value: store.Value{Data: make([]byte, store.MaxValue+1)}}, fault.TooLarge},
	} {
		_, err := b.Commit(context.Background(), bad(e.op))
		b.want(e.name, err, e.code)
	}
}
