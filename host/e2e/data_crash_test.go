package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestCrash kills the server over and over while clients write and an operator
// deploys, always on the same data. What was acknowledged must be there after
// each restart, what was not must be there whole or not at all.
//
// kill -9 leaves the operating system its page cache, so this says nothing of
// lost power; what the store does about a torn log is tested beside the store.
func TestCrash(t *testing.T) {
	t.Parallel()
	const life = 10 // rounds a plugin lives through
	c := &crash{t: t, dir: t.TempDir(), seed: seeded(t)}
	for born := 0; born < often(20, 500); born += life {
		c.begin(fmt.Sprint("ledger", born/life))
		for range life {
			c.round()
		}
		c.end()
	}
	t.Logf("%d kills, %d of them during a start; %d transfers acknowledged, %d dropped; %d deployments, vars and deletions",
		c.kills, c.earlyKills, c.done, c.dropped, c.steps)
}

// crash is a data directory that a server is killed on.
type crash struct {
	t        testing.TB
	dir      string
	seed     uint64
	rng      *rand.Rand
	ledger   *ledger
	operator *operator

	kills, earlyKills, done, dropped, steps int
}

// begin installs a plugin.
func (c *crash) begin(plugin string) {
	c.t.Helper()
	c.rng = rand.New(rand.NewPCG(c.seed, uint64(c.kills)))
	c.ledger = newLedger(plugin)
	c.operator = &operator{t: c.t, plugin: plugin, rng: rand.New(rand.NewPCG(c.seed, c.rng.Uint64()))}
	s := serve(c.t, c.dir)
	first := c.operator.deploy("first")
	if err := first.send(context.Background(), s); err != nil {
		c.t.Fatal(err)
	}
	c.operator.now = first.stages[len(first.stages)-1]
	s.kill()
}

// end removes the plugin, with its data.
func (c *crash) end() {
	c.t.Helper()
	s := c.restart()
	for _, f := range c.ledger.fates {
		switch f {
		case done:
			c.done++
		case dropped:
			c.dropped++
		}
	}
	c.steps += c.operator.steps
	for _, plugin := range []string{c.operator.plugin, extra} {
		if _, exists := s.status(plugin); exists {
			s.api(nil, "DELETE", "/v1/plugins/"+plugin+"?purge=true")
		}
	}
	s.kill()
}

// round starts the server, looks whether everything is there, and kills it
// under load.
func (c *crash) round() {
	c.t.Helper()
	if c.rng.IntN(3) == 0 {
		c.killAtStart()
	}
	s := c.restart()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var load sync.WaitGroup
	for range 4 {
		rng := rand.New(rand.NewPCG(c.seed, c.rng.Uint64()))
		load.Go(func() { c.write(ctx, s, rng) })
	}
	load.Go(func() {
		for c.operator.step(ctx, s) {
		}
	})
	<-time.After(time.Duration(5+c.rng.IntN(395)) * time.Millisecond)
	s.kill()
	c.kills++
	load.Wait()
}

// write makes transfers among few accounts, so that many conflict, until the
// server is gone.
func (c *crash) write(ctx context.Context, s *server, rng *rand.Rand) {
	for {
		if _, err := c.ledger.transferNew(ctx, s, rng, "ABCDEF"); err != nil {
			return
		}
	}
}

// killAtStart kills a server while it opens its data.
func (c *crash) killAtStart() {
	c.t.Helper()
	s, ready, err := launch(c.t, c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-ready:
	case <-s.exited:
		c.t.Errorf("the server ended at its start:\n%s", s.log)
	case <-time.After(time.Duration(c.rng.IntN(80)) * time.Millisecond):
	}
	s.kill()
	c.kills++
	c.earlyKills++
}

// restart starts the server and looks whether everything is there.
func (c *crash) restart() *server {
	c.t.Helper()
	s := serve(c.t, c.dir)
	answers := c.operator.check(s)
	c.ledger.check(s)
	if a, err := c.ledger.transferNew(context.Background(), s, c.rng, "AB"); err != nil || a.status != 200 || a.body != answers {
		c.t.Errorf("a transfer got %v, %v; the active version answers %q", a, err, answers)
	}
	if c.t.Failed() {
		c.t.Fatalf("after %d kills; the server says:\n%s", c.kills, s.log)
	}
	return s
}
