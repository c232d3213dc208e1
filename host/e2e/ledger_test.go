package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// fate is what clients know of a transfer.
type fate int

const (
	unanswered fate = iota // it is there whole, or not at all
	done                   // acknowledged, or found after a restart
	dropped                // refused without effects, or missing after a restart
)

// ledger is a plugin of enginetest.Ledger and what its clients know of it. Its
// methods are safe for concurrent use.
type ledger struct {
	plugin string
	ids    atomic.Int64

	mu    sync.Mutex
	fates map[string]fate
}

func newLedger(plugin string) *ledger {
	return &ledger{plugin: plugin, fates: map[string]fate{}}
}

// transferNew makes a transfer that was never made before, between two of the
// accounts.
func (l *ledger) transferNew(ctx context.Context, s *server, rng *rand.Rand, accounts string) (answer, error) {
	from := rng.IntN(len(accounts))
	to := (from + 1 + rng.IntN(len(accounts)-1)) % len(accounts)
	body := fmt.Sprintf("%c>%c:%d", accounts[from], accounts[to], l.ids.Add(1))
	l.know(body, unanswered)
	a, err := s.try(ctx, "POST", "/"+l.plugin+"/", body)
	switch {
	case err != nil:
	case a.status == http.StatusOK:
		l.know(body, done)
	case effects(a) == "none":
		l.know(body, dropped)
	}
	return a, err
}

func (l *ledger) know(body string, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fates[body] = f
}

// effects returns what a problem says became of the request's writes.
func effects(a answer) string {
	var problem struct{ Effects string }
	_ = json.Unmarshal([]byte(a.body), &problem) // a body that is none has none
	return problem.Effects
}

// check compares the store with what clients know. Nobody writes meanwhile;
// afterwards the fate of every transfer is known.
func (l *ledger) check(s *server) {
	s.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]bool{}
	for _, key := range s.keys(l.plugin) {
		if len(key) > 1 { // the others are accounts and the count
			found[key] = true
		}
	}
	for body, f := range l.fates {
		switch {
		case f == done && !found[body]:
			s.t.Errorf("transfer %q was acknowledged and is lost", body)
		case f == dropped && found[body]:
			s.t.Errorf("transfer %q was refused, or was absent before, and is there", body)
		case found[body]:
			l.fates[body] = done
		default:
			l.fates[body] = dropped
		}
	}
	l.checkWhole(s, found)
}

// checkWhole computes from the transfers what every other key must hold.
func (l *ledger) checkWhole(s *server, found map[string]bool) {
	s.t.Helper()
	balances := map[string]int64{}
	for body := range found {
		if _, sent := l.fates[body]; !sent {
			s.t.Errorf("transfer %q is there and nobody made it", body)
		}
		balances[body[:1]]--
		balances[body[2:3]]++
		balances["#"]++
	}
	for key, want := range balances {
		if got := s.number(l.plugin, key); got != want {
			s.t.Errorf("key %q of %s holds %d, and %d transfers that are there make %d: a part of one is missing",
				key, l.plugin, got, len(found), want)
		}
	}
}

// keys lists every key of a plugin.
func (s *server) keys(plugin string) []string {
	s.t.Helper()
	var keys []string
	for after := ""; ; {
		var page struct {
			Entries []struct{ Key string }
			More    bool
		}
		s.api(&page, "GET", "/v1/plugins/"+plugin+"/kv?after="+url.QueryEscape(after))
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		if !page.More {
			return keys
		}
		after = keys[len(keys)-1]
	}
}

// number reads a counter of a plugin.
func (s *server) number(plugin, key string) int64 {
	s.t.Helper()
	a, err := s.tryAdmin(context.Background(), "GET", "/v1/plugins/"+plugin+"/kv/value?key="+url.QueryEscape(key), nil)
	n, ok := store.CounterOf([]byte(a.body))
	if err != nil || a.status != http.StatusOK || !ok {
		s.t.Fatalf("key %q of %s: got %v, %v", key, plugin, a, err)
	}
	return n
}
