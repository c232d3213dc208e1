package extism

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// caller calls host functions as a guest does.
type caller struct {
	t *testing.T
	s *state
	g *capability.Guest
}

func newCaller(t *testing.T, snapshot enginetest.Snapshot) caller {
	s := &state{arena: arena{limit: 4 << 20, budget: linear.NewBudget(0)}}
	g := &capability.Guest{Inv: enginetest.Invocation("", nil, nil), Blocks: &s.arena, State: s}
	if snapshot != nil {
		g.Inv.Env.KV, g.Inv.Tx = true, enginetest.Begin(snapshot)
	}
	return caller{t, s, g}
}

func (c caller) call(name string, args ...uint64) int64 {
	c.t.Helper()
	for _, f := range Functions(capabilities.All(capabilities.Config{}).Extism()) {
		if f.Name == name {
			result, err := f.Call(context.Background(), c.g, args)
			if err != nil {
				c.t.Fatalf("%s: %v", name, err)
			}
			return int64(result)
		}
	}
	c.t.Fatalf("no function %s", name)
	return 0
}

// block makes a block of text.
func (c caller) block(text string) uint64 { return c.s.arena.Put([]byte(text)) }

func (c caller) get(key string) (string, int64) {
	c.t.Helper()
	offset := c.call("kv_get", c.block(key))
	return c.s.text(uint64(offset)), offset
}

func TestKV(t *testing.T) {
	c := newCaller(t, enginetest.Snapshot{"a": "one", "empty": "", "n": string(store.AppendCounter(nil, 41))})
	if got, _ := c.get("a"); got != "one" {
		t.Errorf("a: got %q", got)
	}
	if got, offset := c.get("empty"); got != "" || offset <= 0 {
		t.Errorf("a value without bytes: got %q, %d", got, offset)
	}
	if _, offset := c.get("absent"); offset != 0 {
		t.Errorf("an absent key: got %d", offset)
	}
	for _, step := range []struct {
		name string
		got  int64
		want abi.Status
	}{
		{"set", c.call("kv_set", c.block("b"), c.block("two"), 0), abi.OK},
		{"set of nothing", c.call("kv_set", c.block("c"), 0, 0), abi.OK},
		{"set of no block", c.call("kv_set", c.block("c"), 7, 0), abi.BadPointer},
		{"set with a far offset", c.call("kv_set", 1<<40, c.block("v"), 0), abi.BadPointer},
		{"time to live", c.call("kv_set", c.block("d"), c.block("four"), 1000), abi.OK},
		{"negative time to live", c.call("kv_set", c.block("d"), c.block("four"), 1<<63), abi.Invalid},
		{"empty key", c.call("kv_set", 0, c.block("v"), 0), abi.Invalid},
		{"long key", c.call("kv_set", c.block(strings.Repeat("k", store.MaxKey+1)), 0, 0), abi.Limit},
		{"versionstamp", c.call("kv_set_versionstamped", c.block("log/12345678"), 0, 4, 1<<64-1, 0), abi.OK},
		{"versionstamp beyond the key", c.call("kv_set_versionstamped", c.block("log/12345678"), 0, 5, 1<<64-1, 0), abi.Invalid},
		{"versionstamp in a value", c.call("kv_set_versionstamped", c.block("v"), c.block("12345678"), 1<<64-1, 0, 0), abi.OK},
		{"add", c.call("kv_add", c.block("n"), 1), abi.OK},
		{"add to text", c.call("kv_add", c.block("b"), 1), abi.WrongType},
		{"delete", c.call("kv_delete", c.block("a")), abi.OK},
	} {
		if abi.Status(step.got) != step.want {
			t.Errorf("%s: got %v, want %v", step.name, abi.Status(step.got), step.want)
		}
	}
	if got, _ := c.get("n"); got != string(store.AppendCounter(nil, 42)) {
		t.Errorf("counter: got % x", got)
	}
	if _, offset := c.get("a"); offset != 0 {
		t.Errorf("a deleted key: got %d", offset)
	}
	if got := c.s.text(uint64(c.call("kv_get_snapshot", c.block("b")))); got != "two" {
		t.Errorf("snapshot read: got %q", got)
	}
}

func TestKVList(t *testing.T) {
	long := strings.Repeat("v", store.MaxValue) // more than a page has room for at first
	c := newCaller(t, enginetest.Snapshot{"p/1": "one", "p/2": "two", "p/3": long, "q": "x"})
	for _, test := range []struct {
		name, prefix, after string
		limit, flags        uint64
		want                string
		more                bool
	}{
		{"all that fits", "p/", "", 0, 0, "p/1=one p/2=two", true},
		{"larger than a page", "p/", "p/2", 0, 0, "p/3=" + long, false},
		{"limit", "p/", "", 1, 0, "p/1=one", true},
		{"largest limit", "", "p/3", math.MaxUint64, 0, "q=x", false},
		{"reverse", "", "", 1, uint64(abi.ListReverse), "q=x", true},
		{"nothing", "z", "", 0, 0, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := c.s.text(uint64(c.call("kv_list", c.block(test.prefix), c.block(test.after), test.limit, test.flags)))
			entries, more, ok := abi.DecodePage(page, false)
			var got []string
			for _, e := range entries {
				got = append(got, string(e.Key)+"="+string(e.Value))
			}
			if all := strings.Join(got, " "); !ok || all != test.want || more != test.more {
				t.Errorf("got %.100q, %v, %v; want %.100q, %v", all, more, ok, test.want, test.more)
			}
		})
	}
	if got := abi.Status(c.call("kv_list", 0, 0, 0, 1<<40)); got != abi.Invalid {
		t.Errorf("unknown flags: got %v", got)
	}
}

func TestKVDenied(t *testing.T) {
	c := newCaller(t, nil)
	for name, got := range map[string]int64{
		"kv_get":                c.call("kv_get", c.block("k")),
		"kv_get_snapshot":       c.call("kv_get_snapshot", c.block("k")),
		"kv_set_versionstamped": c.call("kv_set_versionstamped", c.block("12345678"), 0, 0, 1<<64-1, 0),
		"kv_set":                c.call("kv_set", c.block("k"), c.block("v"), 0),
		"kv_delete":             c.call("kv_delete", c.block("k")),
		"kv_add":                c.call("kv_add", c.block("k"), 1),
		"kv_list":               c.call("kv_list", 0, 0, 0, 0),
	} {
		if abi.Status(got) != abi.Denied {
			t.Errorf("%s: got %v, want %v", name, abi.Status(got), abi.Denied)
		}
	}
}

func TestConfigAndVars(t *testing.T) {
	c := newCaller(t, nil)
	config := func(name string) (string, int64) {
		offset := c.call("config_get", c.block(name))
		return c.s.text(uint64(offset)), offset
	}
	if got, _ := config("greeting"); got != "hello" {
		t.Errorf("greeting: got %q", got)
	}
	if got, offset := config("empty"); got != "" || offset == 0 {
		t.Errorf("empty: got %q, %d", got, offset)
	}
	if _, offset := config("absent"); offset != 0 {
		t.Errorf("absent: got %d", offset)
	}
	half := strings.Repeat("v", maxVars/2)
	for range 10 { // a var that is replaced counts once
		c.call("var_set", c.block("a"), c.block(half))
	}
	if got := c.s.text(uint64(c.call("var_get", c.block("a")))); got != half {
		t.Errorf("var: got %d bytes", len(got))
	}
	c.call("var_set", c.block("a"), 0)
	if got := c.call("var_get", c.block("a")); got != 0 || c.s.varBytes != 0 {
		t.Errorf("a removed var: block %d, and %d bytes are counted", got, c.s.varBytes)
	}
}
