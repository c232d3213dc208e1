package kv_test

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Where the tests keep arguments in guest memory.
const (
	keyAt = 0
	valAt = 4096
	bufAt = 2 << 20
	size  = 4 << 20
)

type guest struct {
	*capability.Guest
	t *testing.T
}

func with(t *testing.T, s store.Snapshot) guest {
	inv := enginetest.Invocation("", nil, nil)
	if s != nil {
		inv.Env.KV, inv.Tx = true, store.Begin(s, 1, store.Quota{}, inv.Start)
	}
	return guest{&capability.Guest{Inv: inv, Mem: make(capability.Memory, size)}, t}
}

func (g guest) call(name string, args ...uint64) int64 {
	g.t.Helper()
	return enginetest.Call(g.t, kv.Unit().Native, g.Guest, name, args...)
}

func (g guest) put(at uint64, s string) (ptr, n uint64) {
	copy(g.Mem[at:], s)
	return at, uint64(len(s))
}

func (g guest) get(key string, room uint64) (int64, string) {
	g.t.Helper()
	ptr, n := g.put(keyAt, key)
	clear(g.Mem[bufAt : bufAt+64])
	got := g.call(abi.FnKVGet, ptr, n, bufAt, room)
	if got < 0 || uint64(got) > room {
		return got, strings.TrimRight(string(g.Mem[bufAt:bufAt+64]), "\x00")
	}
	return got, string(g.Mem[bufAt : bufAt+got])
}

func (g guest) set(key, value string, ttl int64) abi.Status {
	g.t.Helper()
	kp, kn := g.put(keyAt, key)
	vp, vn := g.put(valAt, value)
	return abi.Status(g.call(abi.FnKVSet, kp, kn, vp, vn, uint64(ttl)))
}

func (g guest) add(key string, delta int64) abi.Status {
	g.t.Helper()
	ptr, n := g.put(keyAt, key)
	return abi.Status(g.call(abi.FnKVAdd, ptr, n, uint64(delta)))
}

func TestGet(t *testing.T) {
	g := with(t, enginetest.Snapshot{"key": "value", "empty": ""})
	for _, test := range []struct {
		name, key string
		room      uint64
		want      int64
		data      string
	}{
		{"value", "key", 16, 5, "value"},
		{"value that just fits", "key", 5, 5, "value"},
		{"value that does not fit", "key", 4, 5, ""},
		{"size only", "key", 0, 5, ""},
		{"empty value", "empty", 16, 0, ""},
		{"absent", "other", 16, int64(abi.NotFound), ""},
		{"empty key", "", 16, int64(abi.Invalid), ""},
		{"longest key", strings.Repeat("k", store.MaxKey), 16, int64(abi.NotFound), ""},
		{"key too long", strings.Repeat("k", store.MaxKey+1), 16, int64(abi.Limit), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, data := g.get(test.key, test.room); got != test.want || data != test.data {
				t.Errorf("got %d, %q, want %d, %q", got, data, test.want, test.data)
			}
		})
	}
}

func TestSetAndDelete(t *testing.T) {
	long := strings.Repeat("v", store.MaxValue)
	for _, test := range []struct {
		name, key, value string
		ttl              int64
		want             abi.Status
	}{
		{"value", "k", "v", 0, abi.OK},
		{"empty value", "k", "", 0, abi.OK},
		{"time to live", "k", "v", 1000, abi.OK},
		{"longest time to live", "k", "v", math.MaxInt64, abi.OK},
		{"largest value", "k", long, 0, abi.OK},
		{"value too large", "k", long + "v", 0, abi.Limit},
		{"key too long", strings.Repeat("k", store.MaxKey+1), "v", 0, abi.Limit},
		{"empty key", "", "v", 0, abi.Invalid},
		{"negative time to live", "k", "v", -1, abi.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := with(t, enginetest.Snapshot{})
			if got := g.set(test.key, test.value, test.ttl); got != test.want {
				t.Fatalf("kv_set: got %v, want %v", got, test.want)
			}
			if g.Inv.Tx.ReadOnly() != (test.want != abi.OK) {
				t.Errorf("status %v, and something was written: %v", test.want, !g.Inv.Tx.ReadOnly())
			}
			if test.want != abi.OK {
				return
			}
			op := g.Inv.Tx.Effects().Parts[0].Ops[0]
			if string(op.Value.Data) != test.value {
				t.Errorf("value: got %.20q, want %.20q", op.Value.Data, test.value)
			}
			if got := time.UnixMilli(op.Value.Expires).After(g.Inv.Start); got != (test.ttl > 0) {
				t.Errorf("ttl %d expires at %d", test.ttl, op.Value.Expires)
			}
			ptr, n := g.put(keyAt, test.key)
			if got := g.call(abi.FnKVDelete, ptr, n); got != 0 {
				t.Errorf("kv_delete: got %d", got)
			}
			if got, _ := g.get(test.key, 16); abi.Status(got) != abi.NotFound {
				t.Errorf("after kv_delete: got %d", got)
			}
		})
	}
}

func TestAdd(t *testing.T) {
	g := with(t, enginetest.Snapshot{
		"text": "not a counter", "n": string(store.AppendCounter(nil, 40)),
	})
	for _, step := range []struct {
		key   string
		delta int64
		want  abi.Status
	}{
		{"n", 2, abi.OK},
		{"new", -1, abi.OK},
		{"new", math.MinInt64, abi.WrongType}, // overflow, seen by the attempt's own writes
		{"", 1, abi.Invalid},
		{strings.Repeat("k", store.MaxKey+1), 1, abi.Limit},
		{"text", 1, abi.OK}, // found out at the commit
	} {
		if got := g.add(step.key, step.delta); got != step.want {
			t.Errorf("kv_add(%.10q, %d): got %v, want %v", step.key, step.delta, got, step.want)
		}
	}
	if n, data := g.get("n", 8); n != 8 || data != string(store.AppendCounter(nil, 42)) {
		t.Errorf("counter: got %d, %q", n, data)
	}
	if n, _ := g.get("text", 8); abi.Status(n) != abi.WrongType {
		t.Errorf("reading an add to text: got %v, want %v", abi.Status(n), abi.WrongType)
	}
	if s := g.set("own", "text", 0); s != abi.OK {
		t.Fatalf("kv_set: %v", s)
	}
	if s := g.add("own", 1); s != abi.WrongType {
		t.Errorf("adding to own text: got %v, want %v", s, abi.WrongType)
	}
}

type listed struct {
	Keys []string
	More bool
}

func (g guest) list(prefix, after string, limit, flags uint32, room uint64) (int64, listed) {
	g.t.Helper()
	pp, pn := g.put(keyAt, prefix)
	ap, an := g.put(valAt, after)
	n := g.call(abi.FnKVList, pp, pn, ap, an, uint64(limit), uint64(flags), bufAt, room)
	if n < 0 || uint64(n) > room {
		return n, listed{}
	}
	keysOnly := flags&abi.ListKeysOnly != 0
	entries, more, ok := abi.DecodePage(string(g.Mem[bufAt:bufAt+n]), keysOnly)
	if !ok {
		g.t.Fatalf("the page does not decode: %q", g.Mem[bufAt:bufAt+n])
	}
	got := listed{More: more}
	for _, e := range entries {
		s := string(e.Key)
		if !keysOnly {
			s += "=" + string(e.Value)
		}
		got.Keys = append(got.Keys, s)
	}
	return n, got
}

func TestList(t *testing.T) {
	s := enginetest.Snapshot{"a": "0", "p/1": "one", "p/2": "two", "p/3": "three", "q": "9"}
	const whole = 64 << 10
	for _, test := range []struct {
		name, prefix, after string
		limit, flags        uint32
		room                uint64
		size                int64
		want                listed
	}{
		{"all", "", "", 0, abi.ListKeysOnly, whole, 5 + 5 + 7*3 + 5, listed{[]string{"a", "p/1", "p/2", "p/3", "q"}, false}},
		{"prefix", "p/", "", 0, 0, whole, 5 + 8*3 + 9 + 11, listed{[]string{"p/1=one", "p/2=two", "p/3=three"}, false}},
		{"limit", "p/", "", 2, abi.ListKeysOnly, whole, 19, listed{[]string{"p/1", "p/2"}, true}},
		{"limit that is the number", "p/", "", 3, abi.ListKeysOnly, whole, 26, listed{[]string{"p/1", "p/2", "p/3"}, false}},
		{"largest limit", "p/", "", math.MaxUint32, abi.ListKeysOnly, whole, 26, listed{[]string{"p/1", "p/2", "p/3"}, false}},
		{"after", "p/", "p/1", 0, abi.ListKeysOnly, whole, 19, listed{[]string{"p/2", "p/3"}, false}},
		{"after a key that is not there", "p/", "p/1x", 0, abi.ListKeysOnly, whole, 19, listed{[]string{"p/2", "p/3"}, false}},
		{"reverse", "p/", "", 0, abi.ListKeysOnly | abi.ListReverse, whole, 26, listed{[]string{"p/3", "p/2", "p/1"}, false}},
		{"reverse after", "p/", "p/3", 1, abi.ListKeysOnly | abi.ListReverse, whole, 12, listed{[]string{"p/2"}, true}},
		{"nothing", "x", "", 0, 0, whole, 5, listed{}},
		{"nothing in no room", "x", "", 0, 0, 4, 5, listed{}},
		{"room for one", "p/", "", 0, abi.ListKeysOnly, 12, 12, listed{[]string{"p/1"}, true}},
		{"room for one and a half", "p/", "", 0, abi.ListKeysOnly, 18, 12, listed{[]string{"p/1"}, true}},
		{"room for less than one", "p/", "", 0, abi.ListKeysOnly, 11, 12, listed{}},
		{"no room", "p/", "", 0, 0, 0, 19, listed{}},
		{"unknown flag", "p/", "", 0, 8, whole, int64(abi.Invalid), listed{}},
		{"prefix too long", strings.Repeat("p", store.MaxKey+1), "", 0, 0, whole, int64(abi.Limit), listed{}},
		{"cursor too long", "", strings.Repeat("p", store.MaxKey+1), 0, 0, whole, int64(abi.Limit), listed{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := with(t, s)
			n, got := g.list(test.prefix, test.after, test.limit, test.flags, test.room)
			if n != test.size {
				t.Errorf("size: got %d, want %d", n, test.size)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
			if (n < 0 || uint64(n) > test.room) && slices.Max(g.Mem[bufAt:bufAt+64]) != 0 {
				t.Error("something was written")
			}
		})
	}
}

// TestListPages reads all keys page by page, in buffers of every size.
func TestListPages(t *testing.T) {
	s := enginetest.Snapshot{}
	var want []string
	for c := 'a'; c <= 'z'; c++ {
		s[strings.Repeat(string(c), int(c-'a')+1)] = "v"
		want = append(want, strings.Repeat(string(c), int(c-'a')+1)+"=v")
	}
	for room := uint64(5 + 4 + 26 + 5); room < 400; room += 7 {
		g := with(t, s)
		var got []string
		after := ""
		for {
			n, page := g.list("", after, 0, 0, room)
			if uint64(n) > room || len(page.Keys) == 0 {
				t.Fatalf("room %d, after %q: got %d, %v", room, after, n, page)
			}
			got = append(got, page.Keys...)
			if !page.More {
				break
			}
			after, _, _ = strings.Cut(page.Keys[len(page.Keys)-1], "=")
		}
		if !slices.Equal(got, want) {
			t.Errorf("room %d: got %v", room, got)
		}
	}
}

// TestListOverlap lists into the memory that holds prefix and cursor.
func TestListOverlap(t *testing.T) {
	g := with(t, enginetest.Snapshot{"p1": "one", "p2": "two", "p3": "three", "q": "x"})
	copy(g.Mem, "pp1")
	n := g.call(abi.FnKVList, 0, 1, 1, 2, 0, 0, 0, 1024)
	entries, more, ok := abi.DecodePage(string(g.Mem[:n]), false)
	if !ok || more || len(entries) != 2 || string(entries[1].Value) != "three" {
		t.Errorf("got %v, %v, %v", entries, more, ok)
	}
}

func TestDenied(t *testing.T) {
	g := with(t, nil)
	for _, f := range kv.Unit().Native {
		var log strings.Builder
		g.Inv.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
		g.Inv.Begin(1, g.Inv.Limits, nil)
		args := make([]uint64, len(f.Params))
		args[1] = 1 // a key of one byte
		if got := abi.Status(g.call(f.Name, args...)); got != abi.Denied {
			t.Errorf("%s: got %v, want %v", f.Name, got, abi.Denied)
		}
		if !strings.Contains(log.String(), "add the line [kv] to wasmoor.toml") {
			t.Errorf("%s: the log says %q", f.Name, &log)
		}
	}
}

// TestLimitsAreNamed: the guest has a number, and its log which limit it is.
func TestLimitsAreNamed(t *testing.T) {
	for _, test := range []struct {
		name, says string
		call       func(guest)
	}{
		{"key", "the key has 1025 bytes, over the limit of 1024", func(g guest) { g.get(strings.Repeat("k", store.MaxKey+1), 1) }},
		{"value", "the value has 1048577 bytes, over the limit of 1048576", func(g guest) { g.set("k", strings.Repeat("v", store.MaxValue+1), 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := with(t, enginetest.Snapshot{})
			var log strings.Builder
			g.Inv.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
			test.call(g)
			test.call(g)
			if !strings.Contains(log.String(), test.says) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("the log says %q, want %q once", &log, test.says)
			}
		})
	}
}

// brokenStore fails to read.
type brokenStore struct{ enginetest.Snapshot }

func (brokenStore) Get(store.Space, []byte) (store.Value, bool, error) {
	return store.Value{}, false, fault.Wrap(fault.Internal, "get", "read failed", errors.New("disk on fire"))
}

func (brokenStore) Scan(_ store.Space, _, _ []byte, _ bool, yield func([]byte, store.Value) bool) error {
	yield([]byte("k"), store.Value{Data: []byte("v")})
	return errors.New("disk on fire")
}

func TestStoreFails(t *testing.T) {
	g := with(t, brokenStore{})
	if got, data := g.get("k", 16); abi.Status(got) != abi.Internal || data != "" {
		t.Errorf("kv_get: got %v, %q", abi.Status(got), data)
	}
	n, _ := g.list("", "", 0, 0, 1024)
	if abi.Status(n) != abi.Internal || slices.Max(g.Mem[bufAt:bufAt+64]) != 0 {
		t.Errorf("kv_list: got %v, and wrote %q", abi.Status(n), g.Mem[bufAt:bufAt+16])
	}
}

// TestWhatWritesTake: what counts of the handlers' memory is what the transaction
// has to write, however often its guest writes it and whatever is refused.
func TestWhatWritesTake(t *testing.T) {
	budget := limit.NewBudget(4 << 20)
	begin := func(t *testing.T) guest {
		g := with(t, enginetest.Snapshot{})
		g.Inv.Env.Memory = budget
		t.Cleanup(func() {
			if g.Inv.End(); budget.Left() != budget.Size() {
				t.Errorf("%d of %d bytes are left", budget.Left(), budget.Size())
			}
		})
		return g
	}
	value := strings.Repeat("v", 256<<10)
	for name, write := range map[string]func(guest, int) abi.Status{
		"the same key":     func(g guest, i int) abi.Status { return g.set("k", value[:len(value)*(i%2)], 0) },
		"the same counter": func(g guest, _ int) abi.Status { return g.add("n", 1) },
		"what is refused":  func(g guest, _ int) abi.Status { g.set("k", value+value+value+value+"v", 0); return abi.OK },
		"the same stamped": func(g guest, _ int) abi.Status { return g.setStamped("12345678", value) },
	} {
		t.Run(name, func(t *testing.T) {
			g := begin(t)
			for i := range 16_000 {
				if i == 20 && name != "the same counter" { // the others take their time
					break
				}
				if got := write(g, i); got != abi.OK || g.Inv.Starved() != nil {
					t.Fatalf("write %d: %v, %v", i, got, g.Inv.Starved())
				}
			}
		})
	}
	t.Run("stamped keys", func(t *testing.T) {
		g := begin(t)
		for i := range 6 {
			g.setStamped(strings.Repeat("k", i)+"12345678", value)
		}
		if taken := budget.Size() - budget.Left(); taken < 2*6*256<<10-64<<10 {
			t.Errorf("6 writes of 256 KiB take %d bytes", taken)
		}
	})
}

func (g guest) setStamped(key, value string) abi.Status {
	g.t.Helper()
	kp, kn := g.put(keyAt, key)
	vp, vn := g.put(valAt, value)
	none := int64(abi.NoVersionstamp)
	return abi.Status(g.call(abi.FnKVSetStamped, kp, kn, vp, vn, 0, uint64(none), 0))
}
