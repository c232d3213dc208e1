package dispatch_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// keyed makes an invocation one that runs once.
func keyed(key string, digest byte) func(*invoke.Invocation, *limit.Limits) {
	return func(inv *invoke.Invocation, _ *limit.Limits) {
		inv.Request.Once = &invoke.Once{Key: key, Digest: [32]byte{digest}, Keep: time.Hour}
	}
}

// counting is a guest that counts its committed runs and answers with a status
// and a body.
func counting(runs *atomic.Int64, status uint32, body string) guest {
	return func(_ context.Context, inv *invoke.Invocation) error {
		runs.Add(1)
		inv.Reply.SetHead(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status, Headers: []abi.Pair{{Name: "X-Run", Value: "1"}}}))
		inv.Reply.Write([]byte(body), 1<<30)
		return inv.Tx.Add([]byte("n"), 1)
	}
}

func TestOnceReplays(t *testing.T) {
	large := string(make([]byte, limit.Replay))
	tests := []struct {
		name        string
		status      uint32
		body        string
		key         string
		digest      byte
		code        fault.Code
		replayed    bool
		runs, count int64
	}{
		{"the same request", 201, "made", "k", 1, "", true, 1, 1},
		{"a refusal is an answer", 404, "", "k", 1, "", true, 1, 1},
		{"another request with the key", 201, "made", "k", 2, fault.Mismatch, false, 1, 1},
		{"another key", 201, "made", "l", 1, "", false, 2, 2},
		{"a failure is not kept", 500, "made", "k", 1, "", false, 2, 0},
		{"a large answer", 200, large, "k", 1, fault.Done, false, 1, 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			st := open(t)
			var runs atomic.Int64
			s := service(t, st, counting(&runs, tc.status, tc.body))
			if _, _, err := do(t, s, keyed("k", 1)); err != nil {
				t.Fatal(err)
			}
			inv, res, err := do(t, s, keyed(tc.key, tc.digest))
			if fault.CodeOf(err) != tc.code || res.Replayed != tc.replayed {
				t.Fatalf("the repeat got %+v, %v; want replayed = %t, code %q", res, err, tc.replayed, tc.code)
			}
			if err == nil && (inv.Reply.Status != int(tc.status) || string(inv.Reply.Body) != tc.body || inv.Reply.Headers[0].Value != "1") {
				t.Errorf("the repeat answers %d %q %v", inv.Reply.Status, inv.Reply.Body, inv.Reply.Headers)
			}
			if runs.Load() != tc.runs {
				t.Errorf("the handler ran %d times, want %d", runs.Load(), tc.runs)
			}
			if n, _ := store.CounterOf([]byte(stored(t, st, "n"))); n != tc.count {
				t.Errorf("counted %d, want %d", n, tc.count)
			}
		})
	}
}

// TestOnceOfASuccess: a refusal is not kept where only a success is to be, and commits.
func TestOnceOfASuccess(t *testing.T) {
	st := open(t)
	var runs atomic.Int64
	for i, c := range []struct {
		status   uint32
		replayed bool
		count    int64
	}{{409, false, 1}, {422, false, 2}, {200, false, 3}, {200, true, 3}} {
		s := service(t, st, counting(&runs, c.status, "answer"))
		inv, res, err := do(t, s, func(inv *invoke.Invocation, l *limit.Limits) {
			keyed("k", 1)(inv, l)
			inv.Request.Once.Success = true
		})
		if err != nil || res.Replayed != c.replayed || inv.Reply.Status != int(c.status) {
			t.Errorf("request %d: %d, %+v, %v", i, inv.Reply.Status, res, err)
		}
		if n, _ := store.CounterOf([]byte(stored(t, st, "n"))); n != c.count {
			t.Errorf("request %d: counted %d, want %d", i, n, c.count)
		}
	}
}

// A handler that writes nothing has an answer to keep all the same.
func TestOnceWithoutWrites(t *testing.T) {
	st := open(t)
	runs := 0
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		runs++
		inv.Reply.Write([]byte{byte(runs)}, 1)
		return nil
	})
	for range 2 {
		inv, _, err := do(t, s, keyed("k", 1))
		if err != nil || string(inv.Reply.Body) != "\x01" {
			t.Errorf("got %q, %v; want the answer of the first run", inv.Reply.Body, err)
		}
	}
}

func TestOnceExpires(t *testing.T) {
	st := open(t)
	var runs atomic.Int64
	now := time.Now().Truncate(time.Millisecond) // expiry is rounded up to one
	g := counting(&runs, 200, "")
	s := dispatch.NewDeployment(dispatch.Config{
		Plugin:  dispatch.NewPlugin("p", limit.Default().Concurrency, nil, nil),
		Env:     &invoke.Env{Plugin: "p", Limits: limit.Default(), KV: true, Space: space},
		Program: g, Store: st, Clock: func() time.Time { return now }, Pools: newPools(t, time.Now, 0),
	})
	for i, after := range []time.Duration{0, time.Hour - time.Millisecond, time.Millisecond} {
		now = now.Add(after)
		_, res, err := do(t, s, keyed("k", 1))
		if want := i == 1; err != nil || res.Replayed != want {
			t.Errorf("request %d: %+v, %v; want replayed = %t", i, res, err, want)
		}
	}
}

// A repeat that arrives while the first runs waits for it, and does not take a
// slot from it.
func TestOnceWaits(t *testing.T) {
	st := open(t)
	started, finish := make(chan struct{}), make(chan struct{})
	var runs atomic.Int64
	count := counting(&runs, 200, "first")
	s := service(t, st, func(ctx context.Context, inv *invoke.Invocation) error {
		if runs.Load() == 0 {
			close(started)
			<-finish
		}
		return count(ctx, inv)
	})
	var all sync.WaitGroup
	var replays atomic.Int64
	ask := func() {
		inv, res, err := do(t, s, keyed("k", 1))
		if err != nil || string(inv.Reply.Body) != "first" {
			t.Errorf("got %q, %v", inv.Reply.Body, err)
		}
		if res.Replayed {
			replays.Add(1)
		}
	}
	all.Go(ask)
	<-started
	for range 8 {
		all.Go(ask)
	}
	_, _, err := do(t, s, func(inv *invoke.Invocation, l *limit.Limits) {
		keyed("k", 1)(inv, l)
		l.Deadline = time.Millisecond
	})
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a repeat out of patience: %v, want code unavailable", err)
	}
	close(finish)
	all.Wait()
	if runs.Load() != 1 || replays.Load() != 8 {
		t.Errorf("%d runs and %d replays, want 1 and 8", runs.Load(), replays.Load())
	}
}

// Two services of a plugin, as during a deployment, know nothing of each other:
// the commit keeps the second from counting, and its re-run finds the answer.
func TestOnceAcrossServices(t *testing.T) {
	st := open(t)
	var runs atomic.Int64
	count := counting(&runs, 200, "answer")
	old := service(t, st, count)
	young := service(t, st, func(ctx context.Context, inv *invoke.Invocation) error {
		if _, _, err := do(t, old, keyed("k", 1)); err != nil {
			t.Error(err)
		}
		return count(ctx, inv)
	})
	inv, res, err := do(t, young, keyed("k", 1))
	if err != nil || !res.Replayed || string(inv.Reply.Body) != "answer" {
		t.Errorf("got %q, %+v, %v; want the answer of the other", inv.Reply.Body, res, err)
	}
	if n, _ := store.CounterOf([]byte(stored(t, st, "n"))); n != 1 {
		t.Errorf("counted %d, want 1", n)
	}
}

func TestOnceDamaged(t *testing.T) {
	for name, record := range map[string]string{
		"empty": "", "short": "\x01abc", "form": "\x09" + string(make([]byte, 40)),
		"head": "\x01\x01" + string(make([]byte, 31)) + "\xff\xff\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			snap, err := st.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			tx := store.Begin(snap, space, store.Quota{}, time.Now())
			if err := tx.SetRecord([]byte("once/k"), []byte(record), time.Hour); err != nil {
				t.Fatal(err)
			}
			tx.Close()
			if _, err := st.Commit(t.Context(), tx.Effects()); err != nil {
				t.Fatal(err)
			}
			var runs atomic.Int64
			if _, _, err := do(t, service(t, st, counting(&runs, 200, "")), keyed("k", 1)); fault.CodeOf(err) != fault.Internal || runs.Load() != 0 {
				t.Errorf("got %v after %d runs, want code internal before any", err, runs.Load())
			}
		})
	}
}
