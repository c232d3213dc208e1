package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
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
	for from := ""; ; {
		var page struct {
			Entries []struct{ Key string }
			More    bool
		}
		s.api(&page, "GET", "/v1/plugins/"+plugin+"/kv"+from)
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		if !page.More {
			return keys
		}
		from = "?after=" + url.QueryEscape(keys[len(keys)-1])
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

// findings is a test that notes its errors in place of failing.
type findings struct {
	testing.TB
	errors []string
}

func (f *findings) Helper() {}

func (f *findings) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

// TestLedgerCheck damages a ledger in the ways a crash might; check finds each.
func TestLedgerCheck(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	for name, damage := range map[string]struct {
		do   func(key string)
		says string
	}{
		"lost":    {func(key string) { s.api(nil, "DELETE", key+"A%3EB%3A1") }, "is lost"},
		"balance": {func(key string) { s.api(nil, "PUT", key+"B", store.AppendCounter(nil, 4)...) }, `"B" of balance holds 4`},
		"count":   {func(key string) { s.api(nil, "PUT", key+"%23", store.AppendCounter(nil, 6)...) }, `"#" of count holds 6`},
		"foreign": {func(key string) { s.api(nil, "PUT", key+"A%3EB%3A9", 'x') }, "nobody made it"},
		"refused": {func(key string) { s.api(nil, "PUT", key+"A%3EB%3A0", 'x') }, "was refused"},
	} {
		s.deploy(name, pack(t, enginetest.Ledger("moved"), name, "[kv]"))
		l := newLedger(name)
		l.know("A>B:0", dropped)
		for id := range 5 {
			body := fmt.Sprint("A>B:", id+1)
			s.do("POST", "/"+name+"/", body)
			l.know(body, done)
		}
		l.check(s)
		found := &findings{TB: t}
		damaged := *s
		damaged.t = found
		damage.do("/v1/plugins/" + name + "/kv/value?key=")
		if l.check(&damaged); !strings.Contains(strings.Join(found.errors, "\n"), damage.says) {
			t.Errorf("%s: got the findings %q, want one that says %q", name, found.errors, damage.says)
		}
	}
}
