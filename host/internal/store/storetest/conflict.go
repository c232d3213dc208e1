package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func testLostUpdate(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("k", "0")
	one, two := b.begin(), b.begin()
	for _, tx := range []*store.Tx{one, two} {
		if err := tx.Set([]byte("k"), []byte(b.get(tx, "k")+"+1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	b.want("first", b.commit(one), "")
	b.want("second", b.commit(two), fault.Conflict)
	b.holds("k", "0+1")
}

func testWriteSkew(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("alice", "on", "bob", "on")
	one, two := b.begin(), b.begin()
	for _, tx := range []*store.Tx{one, two} {
		if b.get(tx, "alice") != "on" || b.get(tx, "bob") != "on" {
			t.Fatal("both are on duty")
		}
	}
	b.want("set", one.Set([]byte("alice"), []byte("off"), 0), "")
	b.want("set", two.Set([]byte("bob"), []byte("off"), 0), "")
	b.want("first", b.commit(one), "")
	b.want("second", b.commit(two), fault.Conflict)
	b.holds("bob", "on")
}

// testConflictIsNamed: the error of a commit says what it collided with.
func testConflictIsNamed(t *testing.T, open Opener) {
	b := newBench(t, open, Options{Window: 16})
	tests := []struct {
		name  string
		read  func(tx *store.Tx) error
		write func(tx *store.Tx) error
		space store.Space
		key   string
	}{
		{
			"a key that was read",
			func(tx *store.Tx) error { _, _, err := tx.Get([]byte("k")); return err },
			func(tx *store.Tx) error { return tx.Set([]byte("k"), nil, 0) }, b.space, "k",
		},
		{
			"a key within a list",
			func(tx *store.Tx) error {
				return tx.List(store.Query{Prefix: []byte("l")}, func(_, _ []byte) bool { return true })
			},
			func(tx *store.Tx) error { return tx.Set([]byte("list"), nil, 0) }, b.space, "list",
		},
		{
			"a record",
			func(tx *store.Tx) error { return setRecord(tx, "r", "") },
			func(tx *store.Tx) error { return setRecord(tx, "r", "") }, b.space.In(store.AreaRecords), "r",
		},
	}
	for _, test := range tests {
		tx := b.begin()
		b.want("read", test.read(tx), "")
		b.want("set", tx.Set([]byte("x"), nil, 0), "")
		b.must(test.write)
		err := b.commit(tx)
		b.want(test.name, err, fault.Conflict)
		c, ok := errors.AsType[*store.Conflict](err)
		if !ok || c.Space != test.space || string(c.Key) != test.key || c.Revision == 0 {
			t.Errorf("%s: %+v, want key %q of space %d", test.name, c, test.key, test.space)
		}
		if text := fault.MessageOf(err); strings.Contains(text, "list") {
			t.Errorf("%s: the message shows the key: %q", test.name, text)
		}
	}
	tx := b.begin()
	b.get(tx, "k")
	b.want("set", tx.Set([]byte("x"), nil, 0), "")
	for i := range 64 {
		b.set(fmt.Sprintf("other%d", i), "x")
		b.now = b.now.Add(time.Duration(i/32) * time.Minute)
	}
	err := b.commit(tx)
	if c, ok := errors.AsType[*store.Conflict](err); !ok || c.Key != nil || c.Space != b.space {
		t.Errorf("a snapshot that is too old: %v, %+v", err, c)
	}
}

func testAbsenceIsRead(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	one, two := b.begin(), b.begin()
	for i, tx := range []*store.Tx{one, two} {
		if got := b.get(tx, "name"); got != absent {
			t.Fatalf("got %q", got)
		}
		b.want("set", tx.Set([]byte("name"), fmt.Append(nil, i), 0), "")
	}
	b.want("first", b.commit(one), "")
	b.want("second", b.commit(two), fault.Conflict)
	b.holds("name", "0")
}

// testPhantom lists, lets another transaction write one key, and commits: a
// conflict exactly if the key lies in the interval that was walked.
func testPhantom(t *testing.T, open Opener) {
	type write struct {
		key  string
		kind store.OpKind
		want fault.Code
	}
	set := func(key string, want fault.Code) write { return write{key, store.OpSet, want} }
	const hit, miss = fault.Conflict, fault.Code("")
	tests := []struct {
		name   string
		query  store.Query
		stopAt string // yield returns false here
		writes []write
	}{
		{"prefix", store.Query{Prefix: []byte("b")}, "", []write{
			set("b", hit), set("b1", hit), set("b15", hit), set("b\x00", hit), set("b\xff\xff", hit),
			{"b2", store.OpDelete, hit},
			{"b9", store.OpDelete, miss},
			{"b7", store.OpAdd, hit},
			set("a\xff\xff", miss), set("c", miss),
			{"a1", store.OpDelete, miss},
			set("a", miss),
		}},
		{"all", store.Query{}, "", []write{set("\x00", hit), set("\xff\xff", hit), set("m", hit)}},
		{"nothing there", store.Query{Prefix: []byte("x")}, "", []write{set("x", hit), set("x1", hit), set("w", miss), set("y", miss)}},
		{"prefix of 0xff", store.Query{Prefix: []byte("\xff")}, "", []write{set("\xff", hit), set("\xff\xff", hit), set("\xfe", miss)}},
		{"limit", store.Query{Prefix: []byte("b"), Limit: 2}, "", []write{
			set("b0", hit), set("b15", hit), set("b2", hit),
			{"b1", store.OpDelete, hit},
			set("b2\x00", miss), set("b3", miss),
			{"b3", store.OpDelete, miss},
			set("a", miss),
		}},
		{"limit over what is there", store.Query{Prefix: []byte("b"), Limit: 9}, "", []write{set("b9", hit), set("c", miss)}},
		{"reverse", store.Query{Prefix: []byte("b"), Reverse: true}, "", []write{set("b0", hit), set("b9", hit), set("c", miss), set("a9", miss)}},
		{"reverse limit", store.Query{Prefix: []byte("b"), Reverse: true, Limit: 2}, "", []write{
			set("b9", hit), set("b25", hit), set("b2", hit),
			{"b3", store.OpDelete, hit},
			set("b1\xff", miss), set("b1", miss),
			{"b1", store.OpDelete, miss},
			set("c", miss),
		}},
		{"after", store.Query{Prefix: []byte("b"), After: []byte("b1")}, "", []write{
			set("b1\x00", hit), set("b2", hit), set("b1", miss), {"b1", store.OpDelete, miss}, set("b0", miss),
		}},
		{"reverse after", store.Query{Prefix: []byte("b"), After: []byte("b3"), Reverse: true}, "", []write{
			set("b2\xff", hit), set("b0", hit), set("b3", miss), set("b4", miss), set("a", miss),
		}},
		{"after behind the prefix", store.Query{Prefix: []byte("b"), After: []byte("c")}, "", []write{set("b", miss), set("c5", miss)}},
		{"stopped", store.Query{Prefix: []byte("b")}, "b2", []write{set("b15", hit), set("b2", hit), set("b25", miss)}},
		{"reverse stopped", store.Query{Prefix: []byte("b"), Reverse: true}, "b2", []write{set("b25", hit), set("b2", hit), set("b15", miss)}},
	}
	b := newBench(t, open, Options{})
	for _, test := range tests {
		for _, w := range test.writes {
			b.space++
			b.set("a1", "x", "b1", "x", "b2", "x", "b3", "x", "c1", "x")
			tx := b.begin()
			err := tx.List(test.query, func(key, _ []byte) bool { return string(key) != test.stopAt })
			b.want("list", err, "")
			b.want("set", tx.Set([]byte("result"), nil, 0), "")
			b.must(func(other *store.Tx) error {
				switch w.kind {
				case store.OpDelete:
					return other.Delete([]byte(w.key))
				case store.OpAdd:
					return other.Add([]byte(w.key), 1)
				}
				return other.Set([]byte(w.key), []byte("phantom"), 0)
			})
			b.want(fmt.Sprintf("%s, then write %q (%d)", test.name, w.key, w.kind), b.commit(tx), w.want)
		}
	}
}

// testManyReads reads more than is remembered one by one, in two places.
func testManyReads(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	for _, test := range []struct {
		key  string
		want fault.Code
	}{{"m", ""}, {"a/", ""}, {"a/99999", ""}, {"a/00000", fault.Conflict}, {"a/11999", fault.Conflict}, {"z/07000", fault.Conflict}} {
		tx := b.begin()
		for i := range 12_000 {
			b.get(tx, fmt.Sprintf("a/%05d", i))
			b.get(tx, fmt.Sprintf("z/%05d", i))
		}
		b.want("set", tx.Set([]byte("result"), nil, 0), "")
		b.set(test.key, "changed")
		b.want("read 24,000 keys, then write "+test.key, b.commit(tx), test.want)
	}
}

func testBlindWrites(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	one, two := b.begin(), b.begin()
	b.want("set", one.Set([]byte("k"), []byte("1"), 0), "")
	b.want("set", two.Set([]byte("k"), []byte("2"), 0), "")
	// What one wrote itself it has not read from the store.
	if got := b.get(two, "k"); got != "2" {
		t.Fatalf("own write = %q", got)
	}
	b.want("first", b.commit(one), "")
	b.want("second", b.commit(two), "")
	b.holds("k", "2")
}

func testReadOnly(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.set("k", "1")
	tx := b.begin()
	b.get(tx, "k")
	b.set("k", "2")
	if got := b.get(tx, "k"); got != "1" {
		t.Fatalf("the snapshot moved: %q", got)
	}
	if !tx.ReadOnly() {
		t.Fatal("ReadOnly = false without a write")
	}
	b.want("commit", b.commit(tx), "")
}

func testOldSnapshot(t *testing.T, open Opener) {
	b := newBench(t, open, Options{Window: 16})
	b.set("k", "1")
	reader, adder, lister, young := b.begin(), b.begin(), b.begin(), b.begin()
	b.get(young, "k")
	b.lists(young, store.Query{Prefix: []byte("none")})
	b.want("set", young.Set([]byte("young"), nil, 0), "")
	b.get(reader, "k")
	b.want("set", reader.Set([]byte("out"), nil, 0), "")
	b.want("add", adder.Add([]byte("n"), 1), "")
	b.lists(lister, store.Query{Prefix: []byte("none")})
	b.want("set", lister.Set([]byte("out"), nil, 0), "")
	for i := range 64 {
		b.set(fmt.Sprintf("other%d", i), "x")
	}
	b.want("more was written than is remembered one by one, but elsewhere", b.commit(young), "")
	b.now = b.now.Add(time.Minute)
	for i := range 64 {
		b.set(fmt.Sprintf("another%d", i), "x")
	}
	b.want("point read older than the window", b.commit(reader), fault.Conflict)
	b.want("list older than the window", b.commit(lister), fault.Conflict)
	b.want("an add has read nothing", b.commit(adder), "")
	b.holds("n", counter(1))

	tx := b.begin()
	b.get(tx, "k")
	b.want("set", tx.Set([]byte("out"), nil, 0), "")
	b.want("within the window", b.commit(tx), "")
}

func testClosed(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	b.want("Health", b.Health(), "")
	tx := b.begin()
	b.want("set", tx.Set([]byte("k"), nil, 0), "")
	tx.Close()
	b.want("Close", b.Close(), "")
	_, err := b.Commit(context.Background(), tx.Effects())
	b.want("Commit", err, fault.Unavailable)
	_, err = b.Snapshot()
	b.want("Snapshot", err, fault.Unavailable)
	b.want("Health", b.Health(), fault.Unavailable)
	b.want("Close again", b.Close(), "")
}
