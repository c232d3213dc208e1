package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// memory is a snapshot of a sorted list of keys, and opens itself.
type memory struct {
	keys     []string
	opened   int
	released int
	err      error
}

func newMemory(keys ...string) *memory {
	sort.Strings(keys)
	return &memory{keys: keys}
}

func (m *memory) Snapshot() (Snapshot, error) {
	if m.err != nil {
		return nil, m.err
	}
	m.opened++
	return m, nil
}

func (m *memory) Revision() Revision   { return 7 }
func (m *memory) Since(Space) Revision { return 0 }
func (m *memory) Durable() error       { return nil }
func (m *memory) Release()             { m.released++ }

func (m *memory) Get(_ Space, key []byte) (Value, bool, error) {
	_, ok := slices.BinarySearch(m.keys, string(key))
	return Value{Data: []byte("stored")}, ok, m.err
}

func (m *memory) Scan(_ Space, from, to []byte, reverse bool, yield func([]byte, Value) bool) error {
	keys := slices.Clone(m.keys)
	if reverse {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		if (Range{from, to}).Contains([]byte(k)) && !yield([]byte(k), Value{Data: []byte("stored")}) {
			break
		}
	}
	return m.err
}

func beginOn(keys ...string) *Tx {
	return Begin(newMemory(keys...), 3, Quota{Keys: 9}, time.Unix(5, 0))
}

func TestEffects(t *testing.T) {
	tx := beginOn("a", "b", "c")
	for _, key := range []string{"b", "x", "b"} {
		if _, _, err := tx.Get([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if !tx.ReadOnly() {
		t.Error("ReadOnly = false before a write")
	}
	key := []byte("z")
	value := []byte("v")
	err := errors.Join(tx.Set(key, value, time.Minute), tx.Delete([]byte("a")), tx.Add([]byte("n"), 3), tx.Add([]byte("n"), -5))
	if err != nil {
		t.Fatal(err)
	}
	key[0], value[0] = 'X', 'X' // what was passed in is copied
	err = errors.Join(tx.SetRecord([]byte("s"), []byte("1"), time.Second), tx.SetRecord([]byte("r"), nil, 0),
		tx.SetRecord([]byte("q"), []byte("2"), 0), tx.DeleteRecord([]byte("r")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.Get([]byte("z")); err != nil {
		t.Fatal(err)
	}
	want := &Effects{
		Read: 7, Now: time.Unix(5, 0),
		Parts: []Part{{
			Space: 3, Quota: Quota{Keys: 9},
			Keys: [][]byte{[]byte("b"), []byte("x")},
			Ops: []Op{
				{Kind: OpDelete, Key: []byte("a")},
				{Kind: OpAdd, Key: []byte("n"), Delta: -2},
				{Kind: OpSet, Key: []byte("z"), Value: Value{Data: []byte("v"), Expires: 65000}},
			},
			Records: []Op{
				{Kind: OpSet, Key: []byte("q"), Value: Value{Data: []byte("2")}},
				{Kind: OpDelete, Key: []byte("r")},
				{Kind: OpSet, Key: []byte("s"), Value: Value{Data: []byte("1"), Expires: 6000}},
			},
		}},
	}
	if diff := cmp.Diff(want, tx.Effects()); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if tx.ReadOnly() {
		t.Error("ReadOnly = true after a write")
	}
}

// TestTTLIsNeverCutShort starts between two milliseconds: a value lives for its
// whole ttl, and not a millisecond longer.
func TestTTLIsNeverCutShort(t *testing.T) {
	whole := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name  string
		start time.Time
		ttl   time.Duration
		want  int64 // milliseconds after whole
	}{
		{"whole start and ttl", whole, time.Second, 1000},
		{"start just past a millisecond", whole.Add(1), time.Second, 1001},
		{"start just before a millisecond", whole.Add(time.Millisecond - 1), time.Second, 1001},
		{"ttl of a nanosecond", whole, 1, 1},
		{"fractions of both that add up", whole.Add(400 * time.Microsecond), 600 * time.Microsecond, 1},
		{"fractions of both", whole.Add(999 * time.Microsecond), 2 * time.Microsecond, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			tx := Begin(newMemory(), 1, Quota{}, test.start)
			if err := tx.Set([]byte("k"), nil, test.ttl); err != nil {
				t.Fatal(err)
			}
			v := tx.Effects().Parts[0].Ops[0].Value
			if got := v.Expires - whole.UnixMilli(); got != test.want {
				t.Errorf("expires %d ms after, want %d", got, test.want)
			}
			if v.ExpiredAt(test.start.Add(test.ttl - 1)) {
				t.Error("it expires before its ttl has passed")
			}
			if !v.ExpiredAt(test.start.Add(test.ttl + time.Millisecond)) {
				t.Error("it is there a millisecond after its ttl")
			}
		})
	}
}

// TestListRecordsWhatItWalked checks the interval each list leaves behind.
func TestListRecordsWhatItWalked(t *testing.T) {
	own := func(tx *Tx) error { return errors.Join(tx.Set([]byte("b5"), nil, 0), tx.Delete([]byte("b2"))) }
	r := func(from, to string) []Range { return []Range{{From: []byte(from), To: []byte(to)}} }
	tests := []struct {
		name  string
		query Query
		stop  int // yield returns false at this key; 0 = never
		want  []Range
	}{
		{"all", Query{}, 0, []Range{{From: []byte{}}}},
		{"prefix", Query{Prefix: []byte("b")}, 0, r("b", "c")},
		{"prefix ff", Query{Prefix: []byte("a\xff")}, 0, r("a\xff", "b")},
		{"limit", Query{Prefix: []byte("b"), Limit: 1}, 0, r("b", "b1\x00")},
		{"limit at an own write", Query{Prefix: []byte("b"), Limit: 3}, 0, r("b", "b5\x00")},
		{"limit passes an own delete", Query{Prefix: []byte("b"), Limit: 2}, 0, r("b", "b3\x00")},
		{"limit not reached", Query{Prefix: []byte("b"), Limit: 4}, 0, r("b", "c")},
		{"stop", Query{Prefix: []byte("b")}, 2, r("b", "b3\x00")},
		{"reverse", Query{Prefix: []byte("b"), Reverse: true}, 0, r("b", "c")},
		{"reverse limit", Query{Prefix: []byte("b"), Reverse: true, Limit: 2}, 0, r("b3", "c")},
		{"reverse stop", Query{Prefix: []byte("b"), Reverse: true}, 1, r("b5", "c")},
		{"after", Query{Prefix: []byte("b"), After: []byte("b1")}, 0, r("b1\x00", "c")},
		{"after before the prefix", Query{Prefix: []byte("b"), After: []byte("a")}, 0, r("b", "c")},
		{"after behind the prefix", Query{Prefix: []byte("b"), After: []byte("c")}, 0, nil},
		{"reverse after", Query{Prefix: []byte("b"), After: []byte("b3"), Reverse: true}, 0, r("b", "b3")},
		{"reverse after behind", Query{Prefix: []byte("b"), After: []byte("z"), Reverse: true}, 0, r("b", "c")},
		{"reverse after at the prefix", Query{Prefix: []byte("b"), After: []byte("b"), Reverse: true}, 0, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tx := beginOn("a1", "b1", "b2", "b3", "c1")
			if err := own(tx); err != nil {
				t.Fatal(err)
			}
			n := 0
			if err := tx.List(test.query, func(_, _ []byte) bool { n++; return n != test.stop }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, tx.Effects().Parts[0].Ranges); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsOfTheSnapshot(t *testing.T) {
	m := newMemory("a")
	m.err = fault.New(fault.Conflict, "get", "too old")
	tx := Begin(m, 1, Quota{}, time.Unix(0, 0))
	if _, _, err := tx.Get([]byte("a")); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("Get: %v", err)
	}
	if err := tx.List(Query{}, func(_, _ []byte) bool { return true }); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("List: %v", err)
	}
}

func TestCloseAndReset(t *testing.T) {
	first, second := newMemory("a"), newMemory("b")
	tx := Begin(first, 1, Quota{}, time.Unix(0, 0))
	_, _, err := tx.Get([]byte("a"))
	if err = errors.Join(err, tx.Set([]byte("k"), nil, 0)); err != nil {
		t.Fatal(err)
	}
	tx.Reset(second, 2, Quota{}, time.Unix(1, 0))
	if first.released != 1 || second.released != 0 {
		t.Errorf("released %d and %d times", first.released, second.released)
	}
	want := &Effects{Now: time.Unix(1, 0), Parts: []Part{{Space: 2}}}
	if diff := cmp.Diff(want, tx.Effects(), cmp.Comparer(func(a, b []Range) bool { return slices.EqualFunc(a, b, sameRange) })); diff != "" {
		t.Errorf("something is left (-want +got):\n%s", diff)
	}
	if _, ok, err := tx.Get([]byte("b")); !ok || err != nil {
		t.Errorf("after Reset: %v, %v", ok, err)
	}
	tx.Close()
	tx.Close()
	if second.released != 1 {
		t.Errorf("released %d times", second.released)
	}
	for name, err := range map[string]error{
		"set": tx.Set([]byte("k"), nil, 0), "list": tx.List(Query{}, nil), "add": tx.Add([]byte("k"), 1),
	} {
		if fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// A transaction opens a snapshot once, when it reads or makes a record depend on one.
func TestSnapshotOpensAtTheFirstRead(t *testing.T) {
	for name, test := range map[string]struct {
		act  func(tx *Tx) error
		want Revision
	}{
		"nothing": {func(*Tx) error { return nil }, 0},
		"blind writes": {func(tx *Tx) error {
			return errors.Join(tx.Set([]byte("a"), nil, 0), tx.Delete([]byte("b")), tx.Add([]byte("c"), 1))
		}, 0},
		"own write": {func(tx *Tx) error {
			_, _, err := tx.Get([]byte("a"))
			return errors.Join(tx.Set([]byte("a"), nil, 0), err)
		}, 7},
		"get":           {func(tx *Tx) error { _, _, err := tx.Get([]byte("a")); return err }, 7},
		"list":          {func(tx *Tx) error { return tx.List(Query{}, func(_, _ []byte) bool { return true }) }, 7},
		"record":        {func(tx *Tx) error { _, err := tx.Record([]byte("a")); return err }, 7},
		"set record":    {func(tx *Tx) error { return tx.SetRecord([]byte("a"), nil, 0) }, 7},
		"delete record": {func(tx *Tx) error { return tx.DeleteRecord([]byte("a")) }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			m, tx := newMemory("a"), new(Tx)
			tx.Reset(m, 1, Quota{}, time.Unix(0, 0))
			if m.opened != 0 {
				t.Fatal("it was opened before")
			}
			for range 2 {
				if err := test.act(tx); err != nil {
					t.Fatal(err)
				}
			}
			if got := tx.Effects().Read; got != test.want || m.opened != min(int(test.want), 1) {
				t.Errorf("read revision %d, opened %d times, want %d", got, m.opened, test.want)
			}
			tx.Close()
			if m.released != m.opened {
				t.Errorf("opened %d times, released %d times", m.opened, m.released)
			}
		})
	}
}

func TestNoSnapshot(t *testing.T) {
	m, tx := newMemory("a"), new(Tx)
	m.err = fault.New(fault.Unavailable, "snapshot", "the store is closed")
	tx.Reset(m, 1, Quota{}, time.Unix(0, 0))
	_, _, err := tx.Get([]byte("a"))
	if fault.CodeOf(err) != fault.Unavailable || !errors.Is(tx.Failure(), err) {
		t.Errorf("Get: %v, failure %v", err, tx.Failure())
	}
	tx.Close()
}

func sameRange(a, b Range) bool {
	return bytes.Equal(a.From, b.From) && bytes.Equal(a.To, b.To) && (a.To == nil) == (b.To == nil)
}

// TestReadSetCovers adds random keys and intervals: everything added stays
// covered, nothing else is before the bounds are reached, and the intervals
// are sorted and apart.
func TestReadSetCovers(t *testing.T) {
	key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		var set readSet
		var ranges []Range
		points := map[string]bool{}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			from := key.Draw(t, "from")
			if rapid.Bool().Draw(t, "point") {
				set.addKey(from, State{})
				points[string(from)] = true
				continue
			}
			to := key.Draw(t, "to")
			if rapid.IntRange(0, 9).Draw(t, "open") == 0 {
				to = nil
			}
			set.addRange(bytes.Clone(from), to)
			ranges = append(ranges, Range{from, to})
		}
		for range 50 {
			k := key.Draw(t, "probe")
			want := points[string(k)] || slices.ContainsFunc(ranges, func(r Range) bool { return r.Contains(k) })
			point := set.has(k)
			if got := point || set.covers(k); got != want {
				t.Fatalf("%q covered: %v, want %v; %q from %q", k, got, want, set.ranges, ranges)
			}
		}
		for i := 1; i < len(set.ranges); i++ {
			if before := set.ranges[i-1].To; before == nil || bytes.Compare(before, set.ranges[i].From) >= 0 {
				t.Fatalf("intervals touch: %q", set.ranges)
			}
		}
	})
}

func TestReadSetIsBounded(t *testing.T) {
	number := func(i int) []byte { return fmt.Appendf(nil, "%06d", i) }
	t.Run("keys", func(t *testing.T) {
		tx := beginOn()
		for i := range 3*maxReadKeys + 5 {
			if _, _, err := tx.Get(number(i)); err != nil {
				t.Fatal(err)
			}
		}
		e := tx.Effects().Parts[0]
		if len(e.Keys) > maxReadKeys || len(e.Ranges) > maxReadRanges || len(e.Ranges) == 0 {
			t.Fatalf("%d keys and %d ranges", len(e.Keys), len(e.Ranges))
		}
		for i := range 3*maxReadKeys + 5 {
			if !tx.reads.has(number(i)) && !tx.reads.covers(number(i)) {
				t.Fatalf("read %d is forgotten", i)
			}
		}
	})
	t.Run("bytes", func(t *testing.T) {
		tx := beginOn()
		for i := range 2 * maxReadKeyBytes / MaxKey {
			if _, _, err := tx.Get(append(number(i), make([]byte, MaxKey-6)...)); err != nil {
				t.Fatal(err)
			}
		}
		if tx.reads.bytes > maxReadKeyBytes || len(tx.reads.ranges) == 0 || len(tx.reads.ranges) > maxReadRanges {
			t.Errorf("%d bytes of keys, %d ranges", tx.reads.bytes, len(tx.reads.ranges))
		}
	})
	t.Run("ranges", func(t *testing.T) {
		tx := beginOn()
		for i := range 3 * maxReadRanges {
			if err := tx.List(Query{Prefix: number(2 * i)}, func(_, _ []byte) bool { return true }); err != nil {
				t.Fatal(err)
			}
			if !tx.reads.covers(number(2 * i)) {
				t.Fatalf("list %d is forgotten", i)
			}
		}
		if n := len(tx.reads.ranges); n > maxReadRanges {
			t.Errorf("%d ranges", n)
		}
		if !tx.reads.covers(number(0)) {
			t.Error("the first list is forgotten")
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string][]byte{
		"": nil, "a": []byte("b"), "a\xff": []byte("b"), "\xff": nil, "\xff\xff": nil, "a\xffb\xff\xff": []byte("a\xffc"), "\x00": {1},
	} {
		if got := prefixEnd([]byte(prefix)); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("prefixEnd(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func TestCounter(t *testing.T) {
	const most, least = 1<<63 - 1, -1 << 63
	tests := []struct {
		a, b, sum int64
		ok        bool
	}{
		{1, 2, 3, true},
		{0, 0, 0, true},
		{most, 0, most, true},
		{most, 1, 0, false},
		{least, -1, 0, false},
		{least, most, -1, true},
		{least, least, 0, false},
		{most, most, 0, false},
		{most, least, -1, true},
		{0, least, least, true},
	}
	for _, test := range tests {
		if sum, ok := AddCounter(test.a, test.b); ok != test.ok || ok && sum != test.sum {
			t.Errorf("%d + %d = %d, %v", test.a, test.b, sum, ok)
		}
	}
	if n, ok := CounterOf(AppendCounter(nil, -2)); n != -2 || !ok {
		t.Errorf("-2 comes back as %d, %v", n, ok)
	}
	if _, ok := CounterOf(make([]byte, 7)); ok {
		t.Error("7 bytes are a counter")
	}
}

func BenchmarkTx(b *testing.B) {
	m := newMemory("a", "b", "c")
	tx := new(Tx)
	key, value := []byte("b"), make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		tx.Reset(m, 1, Quota{}, time.Unix(0, 0))
		if _, _, err := tx.Get(key); err != nil {
			b.Fatal(err)
		}
		if err := tx.Set(key, value, 0); err != nil {
			b.Fatal(err)
		}
		if len(tx.Effects().Parts[0].Ops) != 1 {
			b.Fatal("no effect")
		}
	}
}
