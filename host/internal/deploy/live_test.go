package deploy

import (
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// anyone is a client that a number stands for.
type anyone uint64

func (c anyone) Hash(plugin.ClientKey) uint64 { return uint64(c) }

func TestPick(t *testing.T) {
	alone := &live{serving: shares{{}}}
	if alone.pick(anyone(1)) != alone.serving.main() {
		t.Error("the only one is not picked")
	}
	r := &plugin.Rollout{Plan: plugin.Plan{{Weight: 10_00}}, Started: time.Unix(1, 2)}
	l, picked := &live{plugin: plugin.Plugin{Rollout: r}, serving: shares{{}, {}}}, map[*share]int{}
	const clients = 10_000
	for i := range anyone(clients) {
		first := l.pick(i)
		if l.pick(i) != first {
			t.Fatalf("client %d changes sides", i)
		}
		picked[first]++
	}
	if n := picked[&l.serving[1]]; n < clients*8/100 || n > clients*12/100 {
		t.Errorf("%d of %d clients have the new version at 10%%", n, clients)
	}
	if l.pick(nil) != l.serving.main() {
		t.Error("a way in that knows no client has the new version")
	}
	var c Client = anyone(7)
	if n := testing.AllocsPerRun(100, func() { alone.pick(c); l.pick(c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
