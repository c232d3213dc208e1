package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// slow is a store that takes a minute to decide.
type slow struct {
	store.Store
	clock *clock
}

func (s slow) Seal(ctx context.Context, e *store.Effects) (store.Revision, *store.Settling, error) {
	s.clock.pass(time.Minute)
	return s.Store.Seal(ctx, e)
}

// TestAResultSaysWhereTheTimeWent, over two attempts, of which the first collides.
func TestAResultSaysWhereTheTimeWent(t *testing.T) {
	b := newBench(t, 0)
	st := open(t)
	m := &machine{t: t, handle: func(_ context.Context, _ *part, inv *invoke.Invocation) error {
		b.clock.pass(time.Second)
		if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
			return err
		}
		if inv.Request.Head.Attempt == 1 {
			put(t, st, "k", "theirs")
		}
		return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
	}}
	other := newHeld(b) // has the plugin's only slot
	other.running.Go(func() { b.request(other.Deployment) })
	<-other.entered
	d := b.serve(func(c *dispatch.Config) {
		c.Plugin = other.Plugin()
		c.Store, c.Env.KV, c.Env.Space = slow{st, b.clock}, true, space
		c.Load = func(context.Context) (engine.Program, error) {
			b.clock.pass(time.Hour)
			return m, nil
		}
	})
	type outcome struct {
		res dispatch.Result
		err error
	}
	done, start := make(chan outcome), b.clock.now()
	go func() {
		inv := &invoke.Invocation{Request: &invoke.Request{}}
		res, err := d.Do(context.Background(), inv, d.Env().Limits)
		done <- outcome{res, err}
	}()
	for d.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	b.clock.pass(24 * time.Hour)
	other.leave <- struct{}{}
	other.running.Wait()
	got := <-done
	want := dispatch.Result{
		Attempts: 2, Start: start, Outcome: trace.Committed,
		Wait: 24 * time.Hour, Wake: time.Hour, Run: 2 * time.Second, Commit: 2 * time.Minute,
		Conflict: &store.Conflict{Space: space, Key: []byte("k")},
	}
	if diff := cmp.Diff(want, got.res, cmpopts.IgnoreFields(store.Conflict{}, "Revision")); diff != "" || got.err != nil {
		t.Errorf("%v (-want +got)\n%s", got.err, diff)
	}
}
