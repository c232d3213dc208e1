package storetest

import (
	"bytes"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func testReadYourWrites(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("old", "1", "gone", "1")
	tx := b.begin()
	b.want("set", tx.Set([]byte("new"), []byte("2"), 0), "")
	b.want("set", tx.Set([]byte("old"), []byte("2"), 0), "")
	b.want("set", tx.Set([]byte("empty"), nil, 0), "")
	b.want("delete", tx.Delete([]byte("gone")), "")
	for key, want := range map[string]string{"new": "2", "old": "2", "empty": "", "gone": absent, "never": absent} {
		if got := b.get(tx, key); got != want {
			t.Errorf("in the transaction %q = %q, want %q", key, got, want)
		}
	}
	b.holds("new", absent)
	b.holds("gone", "1")
	b.want("commit", b.commit(tx), "")
	for key, want := range map[string]string{"new": "2", "old": "2", "empty": "", "gone": absent} {
		b.holds(key, want)
	}
}

func testListMerge(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("a", "0", "b", "0", "d", "0", "e", "0", "z", "0")
	b.must(func(tx *store.Tx) error { return tx.Add([]byte("n"), 5) })
	tx := b.begin()
	b.want("set", tx.Set([]byte("c"), []byte("1"), 0), "")
	b.want("set", tx.Set([]byte("d"), []byte("1"), 0), "")
	b.want("set", tx.Set([]byte("zz"), []byte("1"), 0), "")
	b.want("delete", tx.Delete([]byte("b")), "")
	b.want("delete", tx.Delete([]byte("y")), "")
	b.want("add", tx.Add([]byte("n"), 2), "")
	b.want("add", tx.Add([]byte("o"), 3), "")
	n, o := "n="+counter(7), "o="+counter(3)
	b.lists(tx, store.Query{}, "a=0", "c=1", "d=1", "e=0", n, o, "z=0", "zz=1")
	b.lists(tx, store.Query{Reverse: true}, "zz=1", "z=0", o, n, "e=0", "d=1", "c=1", "a=0")
	b.lists(tx, store.Query{Limit: 3}, "a=0", "c=1", "d=1")
	b.lists(tx, store.Query{Limit: 3, Reverse: true}, "zz=1", "z=0", o)
	b.lists(tx, store.Query{Prefix: []byte("z")}, "z=0", "zz=1")
	b.lists(tx, store.Query{After: []byte("c"), Limit: 1}, "d=1")
	b.lists(tx, store.Query{After: []byte("d"), Reverse: true}, "c=1", "a=0")
	b.lists(tx, store.Query{After: []byte("")}, "a=0", "c=1", "d=1", "e=0", n, o, "z=0", "zz=1")
	b.lists(tx, store.Query{Prefix: []byte("q")})
	b.want("commit", b.commit(tx), "")
	b.lists(b.begin(), store.Query{}, "a=0", "c=1", "d=1", "e=0", n, o, "z=0", "zz=1")
}

func testAddCommutes(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const goroutines, each = 8, 50
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if err := b.add("n", 3); err != nil {
					t.Errorf("add: %v", err)
				}
			}
		})
	}
	wg.Wait()
	b.holds("n", counter(3*goroutines*each))
	b.uses(store.Usage{Keys: 1, Bytes: 1 + 8})
}

func testAddWithSetAndDelete(t *testing.T, open Opener) {
	five := []byte(counter(5))
	type step = func(tx *store.Tx) error
	set := func(tx *store.Tx) error { return tx.Set([]byte("n"), five, 0) }
	del := func(tx *store.Tx) error { return tx.Delete([]byte("n")) }
	add := func(tx *store.Tx) error { return tx.Add([]byte("n"), 2) }
	tests := []struct {
		name   string
		before string
		steps  []step
		want   string
	}{
		{"on nothing", "", []step{add}, counter(2)},
		{"on a counter", counter(10), []step{add}, counter(12)},
		{"add add", counter(10), []step{add, add}, counter(14)},
		{"add set", counter(10), []step{add, set}, counter(5)},
		{"set add", counter(10), []step{set, add}, counter(7)},
		{"set add add", "", []step{set, add, add}, counter(9)},
		{"add delete", counter(10), []step{add, del}, absent},
		{"delete add", counter(10), []step{del, add}, counter(2)},
		{"delete add add", "text", []step{del, add, add}, counter(4)},
		{"add delete set add", counter(10), []step{add, del, set, add}, counter(7)},
		{"add then set over text", "text", []step{add, set}, counter(5)},
	}
	b := newBench(t, open, Options{})
	for _, test := range tests {
		b.space++
		if test.before != "" {
			b.set("n", test.before)
		}
		tx := b.begin()
		for _, step := range test.steps {
			b.want(test.name, step(tx), "")
		}
		b.want(test.name, b.commit(tx), "")
		if got := b.get(b.begin(), "n"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func testAddRefused(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("text", "hello", "long", "123456789", "empty", "", "max", counter(math.MaxInt64), "min", counter(math.MinInt64))
	tests := []struct {
		key   string
		delta int64
		want  fault.Code
	}{
		{"text", 1, fault.Invalid},
		{"long", 1, fault.Invalid},
		{"empty", 1, fault.Invalid},
		{"max", 1, fault.Invalid},
		{"max", math.MaxInt64, fault.Invalid},
		{"min", -1, fault.Invalid},
		{"min", math.MinInt64, fault.Invalid},
		{"max", 0, ""},
		{"max", -1, ""},
		{"min", math.MaxInt64, ""},
	}
	for _, test := range tests {
		err := b.try(func(tx *store.Tx) error {
			if err := tx.Set([]byte("beside"), []byte(test.key), 0); err != nil {
				return err
			}
			return tx.Add([]byte(test.key), test.delta)
		})
		b.want("add to "+test.key, err, test.want)
		if test.want != "" {
			b.holds("beside", absent) // all or nothing
		}
	}
	// Seen before the commit where the transaction knows the value.
	tx := b.begin()
	b.want("set", tx.Set([]byte("own"), []byte("text"), 0), "")
	b.want("add to own text", tx.Add([]byte("own"), 1), fault.Invalid)
	b.want("set", tx.Set([]byte("own"), []byte(counter(math.MaxInt64)), 0), "")
	b.want("add over own maximum", tx.Add([]byte("own"), 1), fault.Invalid)
	b.want("add", tx.Add([]byte("sum"), math.MaxInt64), "")
	b.want("sum of adds overflows", tx.Add([]byte("sum"), 1), fault.Invalid)
	b.want("add", tx.Add([]byte("text"), 1), "")
	_, _, err := tx.Get([]byte("text"))
	b.want("get after add to text", err, fault.Invalid)
	b.want("list after add to text", tx.List(store.Query{}, func(_, _ []byte) bool { return true }), fault.Invalid)
	if got := b.get(tx, "own"); got != counter(math.MaxInt64) {
		t.Fatalf("a refused add changed the value to %q", got)
	}
}

func testAddReadDepends(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.want("add", b.add("n", 10), "")
	tx := b.begin()
	b.want("add", tx.Add([]byte("n"), 1), "")
	if got := b.get(tx, "n"); got != counter(11) {
		t.Fatalf("n = %q", got)
	}
	b.want("another add", b.add("n", 1), "")
	b.want("add after which the sum was read", b.commit(tx), fault.Conflict)

	tx = b.begin()
	b.want("add", tx.Add([]byte("n"), 1), "")
	b.lists(tx, store.Query{}, "n="+counter(12))
	b.want("another add", b.add("n", 1), "")
	b.want("add after which the sum was listed", b.commit(tx), fault.Conflict)

	tx = b.begin()
	b.want("add", tx.Add([]byte("n"), 1), "")
	b.get(tx, "n")
	b.want("undisturbed", b.commit(tx), "")
	b.holds("n", counter(13))
}

func testTTL(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.must(func(tx *store.Tx) error {
		return firstError(tx.Set([]byte("second"), []byte("1"), time.Second),
			tx.Set([]byte("tiny"), []byte("1"), 1), // rounded up to a millisecond
			tx.Set([]byte("ever"), []byte("1"), 0),
			tx.Set([]byte("ages"), []byte("1"), math.MaxInt64))
	})
	steps := []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"ages=1", "ever=1", "second=1", "tiny=1"}},
		{time.Millisecond - 1, []string{"ages=1", "ever=1", "second=1", "tiny=1"}},
		{time.Millisecond, []string{"ages=1", "ever=1", "second=1"}},
		{time.Second - time.Millisecond, []string{"ages=1", "ever=1", "second=1"}},
		{time.Second, []string{"ages=1", "ever=1"}},
		{24 * time.Hour, []string{"ages=1", "ever=1"}},
	}
	for _, step := range steps {
		b.now = now.Add(step.after)
		tx := b.begin()
		b.lists(tx, store.Query{}, step.want...)
		for _, key := range []string{"ages", "ever", "second", "tiny"} {
			want := absent
			if strings.Contains(strings.Join(step.want, " "), key) {
				want = "1"
			}
			if got := b.get(tx, key); got != want {
				t.Errorf("after %v %q = %q, want %q", step.after, key, got, want)
			}
		}
	}
	// A limit counts what is seen; set without a TTL ends the old one.
	b.lists(b.begin(), store.Query{Limit: 2, Reverse: true}, "ever=1", "ages=1")
	b.set("second", "2")
	b.now = now.Add(48 * time.Hour)
	b.holds("second", "2")
	tx := b.begin()
	b.want("negative TTL", tx.Set([]byte("k"), nil, -1), fault.Invalid)
	b.want("not expired within its own transaction", tx.Set([]byte("k"), []byte("1"), 1), "")
	if got := b.get(tx, "k"); got != "1" {
		t.Errorf("k = %q", got)
	}
}

func testAddKeepsTTL(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.must(func(tx *store.Tx) error { return tx.Set([]byte("n"), []byte(counter(1)), time.Second) })
	b.want("add", b.add("n", 1), "")
	b.holds("n", counter(2))
	b.must(func(tx *store.Tx) error {
		return firstError(tx.Set([]byte("own"), []byte(counter(1)), time.Second), tx.Add([]byte("own"), 1))
	})
	b.must(func(tx *store.Tx) error { return tx.Set([]byte("text"), []byte("text"), time.Second) })
	b.now = now.Add(time.Second)
	b.holds("n", absent)
	b.holds("own", absent)
	// An expired value counts as 0, whatever it was, and its expiry is gone.
	b.want("add", b.add("n", 5), "")
	b.want("add", b.add("text", 5), "")
	b.now = now.Add(time.Hour)
	b.holds("n", counter(5))
	b.holds("text", counter(5))
}

func testLimits(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	tx := b.begin()
	key := bytes.Repeat([]byte("k"), store.MaxKey)
	value := make([]byte, store.MaxValue)
	b.want("longest key", tx.Set(key, nil, 0), "")
	b.want("key too long", tx.Set(append(key, 'k'), nil, 0), fault.TooLarge)
	b.want("key too long", tx.Add(append(key, 'k'), 1), fault.TooLarge)
	b.want("key too long", tx.Delete(append(key, 'k')), fault.TooLarge)
	b.want("value too long", tx.Set([]byte("v"), append(value, 0), 0), fault.TooLarge)
	b.want("empty key", tx.Set(nil, nil, 0), fault.Invalid)
	b.want("empty key", tx.Add(nil, 1), fault.Invalid)
	b.want("empty key", tx.Delete(nil), fault.Invalid)
	_, _, err := tx.Get(nil)
	b.want("empty key", err, fault.Invalid)
	b.want("negative limit", tx.List(store.Query{Limit: -1}, nil), fault.Invalid)
	for _, name := range []string{"1", "2", "3"} {
		b.want("set", tx.Set([]byte(name), value, 0), "")
	}
	left := store.MaxEffectBytes - 3*(store.MaxValue+1) - store.MaxKey
	b.want("one byte too many", tx.Set([]byte("4"), value[:left], 0), fault.TooLarge)
	b.want("exactly full", tx.Set([]byte("4"), value[:left-1], 0), "")
	b.want("full", tx.Delete([]byte("5")), fault.TooLarge)
	b.want("replace by less", tx.Set([]byte("1"), nil, 0), "")
	if got := b.get(tx, "v"); got != absent {
		t.Fatal("a refused write was kept")
	}
	b.want("commit", b.commit(tx), "")

	tx = b.begin()
	for i := range store.MaxEffectOps {
		b.want("delete", tx.Delete([]byte{byte(i >> 8), byte(i)}), "")
	}
	b.want("one write too many", tx.Delete([]byte("more")), fault.TooLarge)
	b.want("one key twice is one write", tx.Delete([]byte{0, 0}), "")

	// An engine does not trust that effects come from a Tx.
	p := func(part store.Part) []store.Part { part.Space = b.space; return []store.Part{part} }
	for name, e := range map[string]*store.Effects{
		"too many":           {Parts: p(store.Part{Ops: make([]store.Op, store.MaxEffectOps+1)})},
		"large":              {Parts: p(store.Part{Ops: []store.Op{{Key: []byte("k"), Value: store.Value{Data: make([]byte, store.MaxValue+1)}}}})},
		"long key":           {Parts: p(store.Part{Ops: []store.Op{{Key: make([]byte, store.MaxKey+1)}}})},
		"empty key":          {Parts: p(store.Part{Ops: []store.Op{{}}})},
		"key twice":          {Parts: p(store.Part{Ops: []store.Op{{Key: []byte("k")}, {Key: []byte("k")}}})},
		"order":              {Parts: p(store.Part{Ops: []store.Op{{Key: []byte("k")}, {Key: []byte("j")}}})},
		"no op":              {Parts: p(store.Part{Ops: []store.Op{{Kind: 9, Key: []byte("k")}}})},
		"the future":         {Read: 1 << 60, Parts: p(store.Part{Ops: []store.Op{{Key: []byte("k")}}})},
		"part twice":         {Parts: append(p(store.Part{Ops: []store.Op{{Key: []byte("k")}}}), p(store.Part{})...)},
		"no area":            {Parts: []store.Part{{Space: 1 | 1<<60, Ops: []store.Op{{Key: []byte("k")}}}}},
		"records as an area": {Parts: []store.Part{{Space: b.space.In(store.AreaRecords), Ops: []store.Op{{Key: []byte("k")}}}}},
		"records of an area": {Parts: []store.Part{{Space: b.space.In(store.AreaSQL), Records: []store.Op{{Key: []byte("k")}}}}},
		"an added record":    {Parts: p(store.Part{Records: []store.Op{{Kind: store.OpAdd, Key: []byte("k")}}})},
		"many parts":         {Parts: manyParts(store.MaxParts + 1)},
	} {
		_, err := b.Commit(t.Context(), e)
		if code := fault.CodeOf(err); code != fault.TooLarge && code != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyParts(n int) (parts []store.Part) {
	for i := range n {
		parts = append(parts, store.Part{Space: store.Space(i + 1), Ops: []store.Op{{Key: []byte("k")}}})
	}
	return parts
}

// testLargestCommit commits as much as a transaction can hold, in the shape
// that costs an engine most, twice.
func testLargestCommit(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const size = store.MaxEffectBytes / store.MaxEffectOps / 2 // an expiring key counts twice
	key := bytes.Repeat([]byte("k"), size)
	for round := range 2 {
		b.must(func(tx *store.Tx) error {
			for i := range store.MaxEffectOps {
				key[0], key[1] = byte(i>>8), byte(i)
				if err := tx.Set(key, nil, time.Hour+time.Duration(round)*time.Minute); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.uses(store.Usage{Keys: store.MaxEffectOps, Bytes: store.MaxEffectOps * size})
	b.must(func(tx *store.Tx) error {
		for i := range store.MaxEffectOps {
			key[0], key[1] = byte(i>>8), byte(i)
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	b.uses(store.Usage{})
}

func testLargestValue(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	value := make([]byte, store.MaxValue)
	for i := range value {
		value[i] = byte(i * 7 >> 3)
	}
	for _, size := range []int{store.MaxValue, store.MaxValue - 1, 10, store.MaxValue - 2, store.MaxValue - 9, store.MaxValue - 10} {
		for _, ttl := range []time.Duration{0, time.Hour} {
			b.must(func(tx *store.Tx) error { return tx.Set([]byte("k"), value[:size], ttl) })
			b.holds("k", string(value[:size]))
			b.lists(b.begin(), store.Query{}, "k="+string(value[:size]))
			b.uses(store.Usage{Keys: 1, Bytes: 1 + int64(size)})
		}
	}
	b.set("k", string(value))
	b.reopen()
	b.holds("k", string(value))
	b.delete("k")
	b.holds("k", absent)
	b.uses(store.Usage{})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
