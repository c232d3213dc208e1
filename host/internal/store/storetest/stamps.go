package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

const noStamp = abi.NoVersionstamp

// stamped returns op as a commit of that revision writes it.
func stamped(op store.Op, r store.Revision) store.Op {
	op.Key, op.Value.Data = bytes.Clone(op.Key), append([]byte{}, op.Value.Data...)
	op.KeyStamp.Put(op.Key, r)
	op.ValueStamp.Put(op.Value.Data, r)
	return op
}

// stamp is how a revision looks.
func stamp(r store.Revision) string { return string(binary.BigEndian.AppendUint64(nil, uint64(r))) }

// appendTo writes a key that sorts by its commit.
func appendTo(t *txn, p *txnPart) error {
	ttl := time.Duration(t.rng.IntN(3)) * time.Second
	return p.SetStamped([]byte("a........"), []byte("........"), 1, int64(t.rng.IntN(2))-1, ttl)
}

// guess writes the key that a commit to come will append.
func guess(t *txn, p *txnPart) error {
	return p.Set([]byte("a"+stamp(t.read+store.Revision(t.rng.IntN(30)))), []byte("guess"), time.Duration(t.rng.IntN(2))*time.Second)
}

// testStamps appends from several writers at once, whose only read is untracked:
// none conflicts, and keys and values name the commit that wrote them, in order.
func testStamps(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const writers, each = 8, 20
	var mu sync.Mutex
	var revisions []store.Revision
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				tx := b.begin()
				_, _, err := tx.GetUntracked([]byte("last"))
				b.want("read", err, "")
				value := fmt.Appendf(nil, "%d-%d at ........", w, i)
				b.want("append", tx.SetStamped([]byte("log/......../x"), value, 4, int64(len(value)-8), 0), "")
				b.want("set", tx.SetStamped([]byte("last"), []byte("........"), noStamp, 0, 0), "")
				revision, err := b.Commit(t.Context(), tx.Effects())
				b.want("commit", err, "")
				mu.Lock()
				revisions = append(revisions, revision)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(revisions)
	if n := len(slices.Compact(revisions)); n != writers*each {
		t.Fatalf("%d revisions for %d commits", n, writers*each)
	}
	for range 2 {
		n := 0
		err := b.begin().List(store.Query{Prefix: []byte("log/")}, func(key, data []byte) bool {
			want := stamp(revisions[n])
			if string(key) != "log/"+want+"/x" || !strings.HasSuffix(string(data), want) {
				t.Errorf("entry %d is %q = %q, want the stamp %q", n, key, data, want)
			}
			n++
			return true
		})
		if err != nil || n != writers*each {
			t.Fatalf("%d entries, %v", n, err)
		}
		b.holds("last", stamp(revisions[len(revisions)-1]))
		b.reopen()
	}
}

// testStampRules: what a transaction sees of its own stamps, and what is refused.
func testStampRules(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	tx := b.begin()
	b.want("append", tx.SetStamped([]byte("k........"), []byte("1"), 1, noStamp, 0), "")
	b.want("the same key", tx.SetStamped([]byte("k++++++++"), []byte("2"), 1, noStamp, 0), "")
	b.want("stamp a value", tx.SetStamped([]byte("v"), []byte("<........>"), noStamp, 1, 0), "")
	b.want("add to it", tx.SetStamped([]byte("n"), []byte("........"), noStamp, 0, 0), "")
	b.want("add to it", tx.Add([]byte("n"), 1), fault.Invalid)
	b.lists(tx, store.Query{}, "n=........", "v=<........>") // as passed; no key that is not known
	for _, at := range []int64{-2, 2, 1 << 31, 1 << 32, 1<<63 - 1, -1 << 63} {
		b.want("beyond the key", tx.SetStamped([]byte("k........"), nil, at, noStamp, 0), fault.Invalid)
		b.want("beyond the value", tx.SetStamped([]byte("k"), []byte("v........"), noStamp, at, 0), fault.Invalid)
	}
	revision, err := b.Commit(t.Context(), tx.Effects())
	b.want("commit", err, "")
	b.lists(b.begin(), store.Query{}, "k"+stamp(revision)+"=2", "n="+stamp(revision), "v=<"+stamp(revision)+">")
	b.must(func(tx *store.Tx) error { return tx.Add([]byte("n"), 1) })
	n, _ := store.CounterOf([]byte(stamp(revision)))
	b.holds("n", counter(n+1))
}

// testStampConflicts: who lists where a stamped key appears, conflicts; who reads
// untracked does not.
func testStampConflicts(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	for _, test := range []struct {
		name string
		read func(tx *store.Tx) error
		want fault.Code
	}{
		{"list", func(tx *store.Tx) error {
			return tx.List(store.Query{Prefix: []byte("log/")}, func(_, _ []byte) bool { return true })
		}, fault.Conflict},
		{"untracked list", func(tx *store.Tx) error {
			return tx.List(store.Query{Prefix: []byte("log/"), Untracked: true}, func(_, _ []byte) bool { return true })
		}, ""},
		{"get", func(tx *store.Tx) error { _, _, err := tx.Get([]byte("last")); return err }, fault.Conflict},
		{"untracked get", func(tx *store.Tx) error { _, _, err := tx.GetUntracked([]byte("last")); return err }, ""},
		{"list elsewhere", func(tx *store.Tx) error {
			return tx.List(store.Query{Prefix: []byte("log0")}, func(_, _ []byte) bool { return true })
		}, ""},
	} {
		tx := b.begin()
		b.want(test.name, test.read(tx), "")
		b.want("set", tx.Set([]byte("result"), nil, 0), "")
		b.must(func(tx *store.Tx) error {
			err := tx.SetStamped([]byte("last"), []byte("........"), noStamp, 0, 0)
			b.want("set", err, "")
			return tx.SetStamped([]byte("log/........"), nil, 4, noStamp, 0)
		})
		b.want(test.name, b.commit(tx), test.want)
	}
}

// testStampGuessed: a key that holds the revision of a commit to come is counted
// and overwritten as any other; two writes of one commit to it are refused.
func testStampGuessed(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	next := b.revision() + 2 // after the commit that guesses it
	b.must(func(tx *store.Tx) error {
		return tx.Set([]byte("k"+stamp(next)), bytes.Repeat([]byte("long"), store.MaxValue/4), time.Hour)
	})
	b.must(func(tx *store.Tx) error { return tx.SetStamped([]byte("k........"), []byte("v"), 1, noStamp, 0) })
	b.holds("k"+stamp(next), "v")
	if u, err := b.Usage(b.space); err != nil || u != (store.Usage{Keys: 1, Bytes: 10}) {
		t.Errorf("usage %+v, %v", u, err)
	}
	for name, also := range map[string]func(tx *store.Tx, next string) error{
		"set":    func(tx *store.Tx, next string) error { return tx.Set([]byte(next+next), nil, 0) },
		"delete": func(tx *store.Tx, next string) error { return tx.Delete([]byte(next + next)) },
		"append": func(tx *store.Tx, next string) error {
			return tx.SetStamped([]byte(next+"........"), nil, 8, noStamp, 0)
		},
	} {
		tx, next := b.begin(), stamp(b.revision()+1)
		b.want("append", tx.SetStamped([]byte("........"+next), nil, 0, noStamp, 0), "")
		b.want(name, also(tx, next), "")
		b.want("two writes to one key, "+name, b.commit(tx), fault.Invalid)
	}
}

// testStampBounds: a transaction has so many stamped keys, which count as writes,
// and a value of any size takes a stamp anywhere.
func testStampBounds(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	tx := b.begin()
	for i := range store.MaxStamped {
		b.want("append", tx.SetStamped(fmt.Appendf(nil, "k........%03d", i), nil, 1, noStamp, 0), "")
	}
	b.want("one more", tx.SetStamped([]byte("k........x"), nil, 1, noStamp, 0), fault.TooLarge)
	b.want("one again", tx.SetStamped([]byte("k........000"), []byte("v"), 1, noStamp, 0), "")
	for i := range store.MaxEffectOps - store.MaxStamped {
		b.want("set", tx.SetStamped(fmt.Appendf(nil, "v%d", i), []byte("........"), noStamp, 0, 0), "")
	}
	b.want("one more", tx.Set([]byte("x"), nil, 0), fault.TooLarge)
	b.want("commit", b.commit(tx), "")
	if u, err := b.Usage(b.space); err != nil || u.Keys != store.MaxEffectOps {
		t.Errorf("usage %+v, %v", u, err)
	}

	value := bytes.Repeat([]byte("."), store.MaxValue)
	for _, ttl := range []time.Duration{0, time.Hour} {
		for _, at := range []int{0, store.MaxValue - 8, store.MaxValue - 9, store.MaxValue - 12, store.MaxValue - 16, store.MaxValue - 20, store.MaxValue - 30} {
			tx := b.begin()
			b.want("set", tx.SetStamped([]byte("long"), value, noStamp, int64(at), ttl), "")
			revision, err := b.Commit(t.Context(), tx.Effects())
			b.want("commit", err, "")
			want := bytes.Clone(value)
			copy(want[at:], stamp(revision))
			if got := b.get(b.begin(), "long"); got != string(want) {
				t.Errorf("a stamp at %d of 1 MiB, ttl %v, is not there", at, ttl)
			}
		}
	}
}
