package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestSwap swaps two versions under load. No request fails, and each is
// answered by one version that was active between its start and its end.
func TestSwap(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	w := &swaps{server: s, ledger: newLedger("swapped"), seed: seeded(t), begun: time.Now()}
	w.activate(t, func() error { return s.tryDeploy(t.Context(), "swapped", w.module(t, "one")) })
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for i, accounts := range []string{"AB", "CD", "EF", "GH"} { // no two conflict
		load.Go(func() { w.requests[i] = w.send(t, ctx, uint64(i), accounts) })
	}
	w.activate(t, func() error { return s.tryDeploy(t.Context(), "swapped", w.module(t, "two")) })
	for i := range often(200, 5000) {
		w.settle()
		w.activate(t, func() error { return s.tryActivate(t.Context(), "swapped", 1+i%2) })
	}
	w.settle()
	stop()
	load.Wait()
	w.check(t)
}

// swaps is the record of a load and of the activations meanwhile. Times are
// those since begun.
type swaps struct {
	server *server
	ledger *ledger
	seed   uint64
	begun  time.Time

	activations []span
	requests    [4][]request
	answered    atomic.Int64
}

// span is the time between a call and its end.
type span struct{ start, end time.Duration }

// request is a request that got an answer.
type request struct {
	span
	answer string
}

func (w *swaps) module(t testing.TB, answers string) []byte {
	return pack(t, enginetest.Ledger(answers), "swapped", "[kv]")
}

// activate records the activation that do makes; the versions alternate.
func (w *swaps) activate(t testing.TB, do func() error) {
	t.Helper()
	start := time.Since(w.begun)
	if err := do(); err != nil {
		t.Fatalf("activation %d: %v\n%s", len(w.activations), err, w.server.log)
	}
	w.activations = append(w.activations, span{start, time.Since(w.begun)})
}

// settle waits until requests have begun and ended within the activation.
func (w *swaps) settle() {
	for enough := w.answered.Load() + 2*int64(len(w.requests)); w.answered.Load() < enough; {
		time.Sleep(100 * time.Microsecond)
	}
}

// send makes one request after the other until ctx ends.
func (w *swaps) send(t testing.TB, ctx context.Context, stream uint64, accounts string) (sent []request) {
	rng := rand.New(rand.NewPCG(w.seed, stream))
	for ctx.Err() == nil {
		start := time.Since(w.begun)
		a, err := w.ledger.transferNew(context.WithoutCancel(ctx), w.server, rng, accounts)
		if err != nil || a.status != 200 {
			t.Errorf("a request failed: %v, %v", a, err)
		}
		sent = append(sent, request{span{start, time.Since(w.begun)}, a.body})
		w.answered.Add(1)
	}
	return sent
}

// check looks for an order of activations and requests that explains every
// answer: each client sees the activations in their order.
func (w *swaps) check(t testing.TB) {
	t.Helper()
	total, certain := 0, 0
	for client, requests := range w.requests {
		total += len(requests)
		active := 0
		for i, r := range requests {
			next, ok := w.explain(r, active)
			if !ok {
				t.Fatalf("request %d of client %d ran from %v to %v and was answered %q; the activations then: %s",
					i, client, r.start, r.end, r.answer, w.around(active))
			}
			active = next
			if !w.overlaps(next+1, r) && !w.overlaps(next-1, r) {
				certain++ // only one answer was right
			}
		}
	}
	if swaps := len(w.activations) - 1; certain < swaps {
		t.Errorf("%d of %d requests fell between swaps, want %d at least", certain, total, swaps)
	}
	w.ledger.check(w.server)
	t.Logf("%d swaps during %d requests, %d of them between two swaps", len(w.activations)-1, total, certain)
}

// explain returns the first activation, from a given one on, that can have
// answered r.
func (w *swaps) explain(r request, from int) (int, bool) {
	for i := from; i < len(w.activations) && w.activations[i].start <= r.end; i++ {
		if w.overlaps(i, r) && w.name(i) == r.answer {
			return i, true
		}
	}
	return 0, false
}

// overlaps reports whether the i-th activation may have served while r ran: it
// was sent before r ended, and the one behind it was not acknowledged before r
// began.
func (w *swaps) overlaps(i int, r request) bool {
	if i < 0 || i >= len(w.activations) || w.activations[i].start > r.end {
		return false
	}
	return i+1 == len(w.activations) || w.activations[i+1].end >= r.start
}

// name returns what the version of the i-th activation answers.
func (w *swaps) name(i int) string { return [...]string{"one", "two"}[i%2] }

func (w *swaps) around(i int) (text string) {
	for j := max(0, i-1); j < min(i+4, len(w.activations)); j++ {
		text += fmt.Sprintf("\n%s from %v, acknowledged %v", w.name(j), w.activations[j].start, w.activations[j].end)
	}
	return text
}

// TestSwapsExplain checks what counts as an explanation of an answer.
func TestSwapsExplain(t *testing.T) {
	w := &swaps{activations: []span{{0, 10}, {100, 110}, {200, 210}}} // one, two, one
	for _, c := range []struct {
		name string
		r    request
		from int
		want int
		ok   bool
	}{
		{"while it served", request{span{20, 30}, "one"}, 0, 0, true},
		{"before the next was acknowledged", request{span{105, 120}, "one"}, 0, 0, true},
		{"after the next was sent", request{span{90, 100}, "two"}, 0, 1, true},
		{"across a swap, the old", request{span{90, 120}, "one"}, 0, 0, true},
		{"across a swap, the new", request{span{90, 120}, "two"}, 0, 1, true},
		{"too late", request{span{111, 120}, "one"}, 0, 0, false},
		{"too early", request{span{90, 99}, "two"}, 0, 0, false},
		{"back again", request{span{205, 220}, "one"}, 1, 2, true},
		{"gone back", request{span{90, 120}, "one"}, 1, 0, false},
		{"no version", request{span{20, 30}, ""}, 0, 0, false},
	} {
		if got, ok := w.explain(c.r, c.from); got != c.want || ok != c.ok {
			t.Errorf("%s: got %d, %v, want %d, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}
