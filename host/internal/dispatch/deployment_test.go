package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// guest is a program whose handler is a Go function.
type guest func(ctx context.Context, inv *invoke.Invocation) error

func (g guest) Instance(context.Context) (engine.Instance, error)        { return g, nil }
func (g guest) Handle(ctx context.Context, inv *invoke.Invocation) error { return g(ctx, inv) }
func (g guest) Try(ctx context.Context, inv *invoke.Invocation) error    { return g(ctx, inv) }
func (guest) Close(context.Context) error                                { return nil }
func (guest) Reset() bool                                                { return false }
func (guest) Trim()                                                      {}
func (guest) Fresh() string                                              { return "" }
func (guest) Cold() string                                               { return "" }

func reply(inv *invoke.Invocation, status uint32) {
	inv.Reply.SetHead(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status}))
}

const space = store.Space(7)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := badger.Open(badger.Config{Dir: t.TempDir(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// newPools returns pools that are looked at when the test says so.
func newPools(t testing.TB, clock func() time.Time, sleepAfter time.Duration) *dispatch.Pools {
	t.Helper()
	pools := dispatch.NewPools(clock, sleepAfter)
	pools.Close()
	return pools
}

func service(t *testing.T, st store.Store, g guest) *dispatch.Deployment {
	limits := limit.Default()
	limits.Concurrency = 2
	return dispatch.NewDeployment(dispatch.Config{
		Plugin:  dispatch.NewPlugin("p", limits.Concurrency, nil, nil),
		Env:     &invoke.Env{Plugin: "p", Version: 1, Limits: limits, KV: true, Space: space},
		Program: g, Store: st, Clock: time.Now, Pools: newPools(t, time.Now, 0),
	})
}

func do(t *testing.T, s *dispatch.Deployment, change func(*invoke.Invocation, *limit.Limits)) (*invoke.Invocation, dispatch.Result, error) {
	t.Helper()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET", Path: "/"}}}
	limits := s.Env().Limits
	if change != nil {
		change(inv, &limits)
	}
	res, err := s.Do(t.Context(), inv, limits)
	return inv, res, err
}

// stored returns the value of key, "" when it is absent.
func stored(t *testing.T, st store.Store, key string) string {
	t.Helper()
	snap, err := st.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	v, _, err := snap.Get(space, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Data)
}

func TestOutcomes(t *testing.T) {
	broken := errors.New("broken")
	write := func(inv *invoke.Invocation) error { return inv.Tx.Set([]byte("k"), []byte("v"), 0) }
	tests := []struct {
		name    string
		guest   guest
		drop    bool
		outcome trace.Outcome
		code    fault.Code
	}{
		{"status 200 commits", func(_ context.Context, inv *invoke.Invocation) error { reply(inv, 200); return write(inv) }, false, trace.Committed, ""},
		{"no head commits as 200", func(_ context.Context, inv *invoke.Invocation) error { return write(inv) }, false, trace.Committed, ""},
		{"status 404 commits", func(_ context.Context, inv *invoke.Invocation) error { reply(inv, 404); return write(inv) }, false, trace.Committed, ""},
		{"status 500 aborts", func(_ context.Context, inv *invoke.Invocation) error { reply(inv, 500); return write(inv) }, false, trace.Aborted, ""},
		{"status 500 with commit commits", func(_ context.Context, inv *invoke.Invocation) error {
			reply(inv, 500)
			inv.Outcome = abi.OutcomeCommit
			return write(inv)
		}, false, trace.Committed, ""},
		{"status 200 with abort aborts", func(_ context.Context, inv *invoke.Invocation) error {
			inv.Outcome = abi.OutcomeAbort
			return write(inv)
		}, false, trace.Aborted, ""},
		{"HEAD drops effects", func(_ context.Context, inv *invoke.Invocation) error { return write(inv) }, true, trace.Aborted, ""},
		{"a trap aborts", func(_ context.Context, inv *invoke.Invocation) error {
			return errors.Join(write(inv), fault.Wrap(fault.Trap, "", "", broken))
		}, false, trace.Aborted, fault.Trap},
		{"a bad status aborts", func(_ context.Context, inv *invoke.Invocation) error { reply(inv, 999); return write(inv) }, false, trace.Aborted, fault.BadReply},
		{"a good head after a bad one commits", func(_ context.Context, inv *invoke.Invocation) error {
			reply(inv, 999)
			reply(inv, 201)
			return write(inv)
		}, false, trace.Committed, ""},
		{"a body over its limit aborts", func(_ context.Context, inv *invoke.Invocation) error {
			inv.Reply.Write(make([]byte, 10), 9)
			return write(inv)
		}, false, trace.Aborted, fault.BadReply},
		{"a read commits nothing", func(_ context.Context, inv *invoke.Invocation) error {
			_, _, err := inv.Tx.Get([]byte("k"))
			return err
		}, false, trace.None, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			st := open(t)
			_, res, err := do(t, service(t, st, tc.guest), func(inv *invoke.Invocation, _ *limit.Limits) { inv.Request.DropEffects = tc.drop })
			if res.Outcome != tc.outcome || fault.CodeOf(err) != tc.code || res.Attempts != 1 {
				t.Errorf("got %+v and %v, want outcome %s, code %q after 1 attempt", res, err, tc.outcome, tc.code)
			}
			if got, want := stored(t, st, "k") == "v", tc.outcome == trace.Committed; got != want {
				t.Errorf("the write is stored: %v, want %v", got, want)
			}
		})
	}
}

// TestAFailureNamesTheRefusedField: a guest gets a status without a text, and ends.
func TestAFailureNamesTheRefusedField(t *testing.T) {
	_, _, err := do(t, service(t, open(t), func(_ context.Context, inv *invoke.Invocation) error {
		inv.Reply.SetHead(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: 200, Headers: []abi.Pair{{Name: "Transfer-Encoding", Value: "gzip"}}}))
		return fault.New(fault.Trap, "handle", "the handler reported failure 1")
	}), nil)
	if text := fmt.Sprint(err); fault.CodeOf(err) != fault.Trap || !strings.Contains(strings.ToLower(text), "transfer-encoding") || !strings.Contains(text, "failure 1") {
		t.Errorf("got %v, want the field and the failure", err)
	}
}

func TestCommitToAPurgedKeySpace(t *testing.T) {
	st := open(t)
	_, res, err := do(t, service(t, st, func(ctx context.Context, inv *invoke.Invocation) error {
		if err := st.Drop(ctx, space); err != nil {
			return err
		}
		return inv.Tx.Set([]byte("k"), []byte("v"), 0)
	}), nil)
	if res.Outcome != trace.Aborted || fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %+v and %v, want %s with the code %s", res, err, trace.Aborted, fault.Unavailable)
	}
}

func TestConflictsAreRerunOnANewSnapshot(t *testing.T) {
	st := open(t)
	var attempts []uint32
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		attempts = append(attempts, inv.Request.Head.Attempt)
		data, _, err := inv.Tx.Get([]byte("k"))
		if err != nil {
			return err
		}
		if len(attempts) < 3 {
			put(t, st, "k", string(data)+"x") // someone else, between the read and the commit
		}
		return inv.Tx.Set([]byte("k"), append([]byte("seen:"), data...), 0)
	})
	_, res, err := do(t, s, nil)
	if err != nil || res.Attempts != 3 || res.Outcome != trace.Committed {
		t.Fatalf("got %+v and %v, want a commit at the third attempt", res, err)
	}
	if got := stored(t, st, "k"); got != "seen:xx" {
		t.Errorf("stored %q, want the value of the last snapshot, seen:xx", got)
	}
	if want := []uint32{1, 2, 3}; len(attempts) != 3 || attempts[0] != want[0] || attempts[2] != want[2] {
		t.Errorf("the guest saw attempts %v, want %v", attempts, want)
	}
}

// TestAttributesAreBounded: a guest gets no more attributes than SPEC.md says, from
// whatever way in.
func TestAttributesAreBounded(t *testing.T) {
	ran := 0
	s := service(t, open(t), func(context.Context, *invoke.Invocation) error { ran++; return nil })
	for n, want := range map[int]fault.Code{limit.Attributes: "", limit.Attributes + 1: fault.Internal} {
		_, res, err := do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) {
			inv.Request.Head.Attributes = make([]abi.Pair, n)
		})
		if fault.CodeOf(err) != want || res.Outcome != trace.None {
			t.Errorf("%d attributes: %+v, %v", n, res, err)
		}
	}
	if ran != 1 {
		t.Errorf("the handler ran %d times", ran)
	}
}

// TestARerunReadsTheBodyAgain: the body of a large request lies in a file, and
// every attempt finds all of it.
func TestARerunReadsTheBodyAgain(t *testing.T) {
	const body = "all of the body"
	st := open(t)
	var bodies []string
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		var b strings.Builder
		if _, err := inv.Request.Body.WriteTo(&b); err != nil {
			return err
		}
		bodies = append(bodies, b.String())
		if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
			return err
		}
		if len(bodies) < 3 {
			put(t, st, "k", fmt.Sprint(len(bodies)))
		}
		return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
	})
	inv := &invoke.Invocation{Request: &invoke.Request{Body: invoke.BodyIn(strings.NewReader(body), int64(len(body)))}}
	res, err := s.Do(context.Background(), inv, limit.Default())
	if err != nil || res.Attempts != 3 {
		t.Fatalf("got %+v and %v, want a commit at the third attempt", res, err)
	}
	if !slices.Equal(bodies, []string{body, body, body}) {
		t.Errorf("the attempts read %q", bodies)
	}
}

// TestAStaleSnapshotIsRerun lets the guest's snapshot grow too old while it
// runs: its read fails, the guest gives up, and the host runs it again.
func TestAStaleSnapshotIsRerun(t *testing.T) {
	var late atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	st, err := badger.Open(badger.Config{Dir: t.TempDir(), Reserve: -1, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
			return err
		}
		if inv.Request.Head.Attempt == 1 {
			late.Store(int64(time.Hour))
			put(t, st, "k", "v") // a commit ends snapshots that are too old
		}
		if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
			return fault.Wrap(fault.Trap, "", "the guest gives up", err)
		}
		return nil
	})
	if _, res, err := do(t, s, nil); err != nil || res.Attempts != 2 {
		t.Errorf("got %+v and %v, want success at the second attempt", res, err)
	}
}

// TestWhatIsReadLateIsNew has another request commit before the handler reads: a
// wait before the first read costs no re-run.
func TestWhatIsReadLateIsNew(t *testing.T) {
	st := open(t)
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		put(t, st, "k", "v")
		if data, _, err := inv.Tx.Get([]byte("k")); err != nil || string(data) != "v" {
			t.Errorf("got %q, %v", data, err)
		}
		return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
	})
	if _, res, err := do(t, s, nil); err != nil || res.Attempts != 1 {
		t.Errorf("got %+v and %v, want success at the first attempt", res, err)
	}
}

// damaged is a store whose data cannot be read.
type damaged struct{ store.Store }

func (d damaged) Snapshot() (store.Snapshot, error) {
	snap, err := d.Store.Snapshot()
	return unreadable{snap}, err
}

type unreadable struct{ store.Snapshot }

var errUnreadable = fault.New(fault.Internal, "read", "the data is damaged")

func (unreadable) Get(store.Space, []byte) (store.Value, bool, error) {
	return store.Value{}, false, errUnreadable
}

func (unreadable) Scan(store.Space, []byte, []byte, bool, func([]byte, store.Value) bool) error {
	return errUnreadable
}

// TestUnreadableDataFailsTheRequest, whatever the guest makes of the error: it
// may take it for an absent key, or give up.
func TestUnreadableDataFailsTheRequest(t *testing.T) {
	for name, g := range map[string]guest{
		"taken for absent": func(_ context.Context, inv *invoke.Invocation) error {
			_, _, _ = inv.Tx.Get([]byte("k")) // as a guest that looks at no status
			reply(inv, 404)
			return inv.Tx.Set([]byte("k"), []byte("v"), 0)
		},
		"a list that ends": func(_ context.Context, inv *invoke.Invocation) error {
			_ = inv.Tx.List(store.Query{Limit: 1}, func(key, value []byte) bool { return true })
			reply(inv, 200)
			return nil
		},
		"the guest gives up": func(_ context.Context, inv *invoke.Invocation) error {
			_, _, err := inv.Tx.Get([]byte("k"))
			return fault.Wrap(fault.Trap, "", "the guest gives up", err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			_, res, err := do(t, service(t, damaged{st}, g), nil)
			if fault.CodeOf(err) != fault.Internal || res.Outcome != trace.Aborted || res.Attempts != 1 {
				t.Errorf("got %+v and %v, want internal", res, err)
			}
			if got := stored(t, st, "k"); got != "" {
				t.Errorf("%q is stored", got)
			}
		})
	}
}

func TestConflictsAreRerunABoundedNumberOfTimes(t *testing.T) {
	st := open(t)
	runs := 0
	s := service(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		runs++
		if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
			return err
		}
		put(t, st, "k", time.Now().String())
		return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
	})
	_, res, err := do(t, s, nil)
	if fault.CodeOf(err) != fault.Conflict || res.Attempts != limit.Attempts || runs != limit.Attempts {
		t.Errorf("got %+v and %v after %d runs, want a conflict after %d", res, err, runs, limit.Attempts)
	}
	if got := stored(t, st, "k"); got == "mine" {
		t.Error("a conflicting write is stored")
	}
}

// TestConflictsAfterACall: the re-run gets the answer of the first, or must not be one.
func TestConflictsAfterACall(t *testing.T) {
	var asked atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, asked.Add(1)) }))
	defer origin.Close()
	granted, err := plugin.ParseOrigin(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	const same, other, none, broken = "same", "other", "none", "broken"
	var inv invoke.Invocation
	for _, tc := range []struct {
		method     string
		rerun      string
		idempotent bool
		calls      int64
		code       fault.Code
		called     bool
	}{
		{"GET", same, false, 1, "", false},
		{"HEAD", same, false, 1, "", false},
		{"POST", same, false, 1, "", true},
		{"DELETE", same, false, 1, "", true},
		{"POST", same, true, 1, "", false},
		{"GET", other, false, 2, "", false},
		{"GET", none, false, 1, "", false},
		{"POST", other, false, 1, fault.Diverged, true},
		{"POST", none, false, 1, fault.Diverged, true},
		{"POST", other, true, 2, "", false},
		{"POST", none, true, 1, "", false},
		{"POST", broken, false, 1, fault.Trap, true},
	} {
		asked.Store(0)
		client := egress.New(egress.Config{
			Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			Origins: []plugin.Origin{granted}, Limits: egress.DefaultLimits(), Idempotent: tc.idempotent,
		})
		st, runs := open(t), 0
		var before outbound.Session
		call := func(ctx context.Context, inv *invoke.Invocation, url string) error {
			calls := outbound.Calls(inv)
			if before != nil {
				if calls == before {
					t.Error("an attempt has the session of the one before")
				}
				if _, status := before.Response(1); status != abi.NotFound {
					t.Errorf("a handle of the attempt before: %v, want not found", status)
				}
			}
			before = calls
			handle, _, why := calls.Open(&abi.HTTPRequest{Method: tc.method, URL: url})
			n, _, err := calls.Send(ctx, []uint32{handle})
			if n != 1 && err == nil {
				t.Errorf("%s: %s %s", tc.method, why, calls.Reason(handle))
			}
			return err
		}
		s := service(t, st, func(ctx context.Context, inv *invoke.Invocation) error {
			runs++
			if _, _, err := inv.Tx.Get([]byte("k")); err != nil {
				return err
			}
			rerun, url := tc.rerun, origin.URL
			switch {
			case runs == 1:
				defer put(t, st, "k", "theirs")
			case rerun == other:
				url += "/other"
			case rerun == broken:
				return fault.New(fault.Trap, "test", "broken")
			}
			if runs == 1 || rerun != none {
				if err := call(ctx, inv, url); err != nil {
					return err
				}
			}
			return inv.Tx.Set([]byte("k"), []byte("mine"), 0)
		})
		s.Env().States.Add(outbound.Name, client)
		// One invocation serves all requests, as the server keeps them: what one
		// called does not bind the next.
		inv.Request = &invoke.Request{Head: abi.RequestHead{Method: "POST", Path: "/"}}
		res, err := s.Do(t.Context(), &inv, s.Env().Limits)
		if res.Attempts != 2 || fault.CodeOf(err) != tc.code || res.Called != tc.called || asked.Load() != tc.calls {
			t.Errorf("%+v: %+v, %v after %d calls", tc, res, err, asked.Load())
		}
		if res.Conflict == nil {
			t.Errorf("%+v: the result does not name the conflict", tc)
		}
		if got := stored(t, st, "k"); (got == "mine") != (tc.code == "") {
			t.Errorf("%+v: stored %q", tc, got)
		}
		if _, status := before.Response(1); status != abi.NotFound || inv.Calls() != nil {
			t.Errorf("a handle after the invocation: %v, want not found", status)
		}
		client.Close()
	}
}

func put(t *testing.T, st store.Store, key, value string) {
	t.Helper()
	snap, err := st.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	tx := store.Begin(snap, space, store.Quota{}, time.Now())
	defer tx.Close()
	if err := tx.Set([]byte(key), []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), tx.Effects()); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrencyIsBoundedAndWaitsUntilTheDeadline(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	s := service(t, open(t), func(context.Context, *invoke.Invocation) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if _, _, err := do(t, s, nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	<-entered
	_, _, err := do(t, s, func(_ *invoke.Invocation, l *limit.Limits) { l.Deadline = 10 * time.Millisecond })
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a third invocation got %v, want unavailable", err)
	}
	close(leave)
	running.Wait()
}

func TestDrainWaitsForWhatRuns(t *testing.T) {
	s := service(t, open(t), nil)
	for range 2 {
		if !s.Acquire() {
			t.Fatal("a new service refuses work")
		}
	}
	drained := s.Drain()
	if s.Acquire() {
		t.Error("a draining service takes work")
	}
	if got := s.InFlight(); got != 2 {
		t.Errorf("InFlight is %d, want 2", got)
	}
	s.Release()
	select {
	case <-drained:
		t.Fatal("drained while one invocation runs")
	default:
	}
	s.Release()
	<-drained
}

func TestDrainOfAnIdleService(t *testing.T) {
	<-service(t, open(t), nil).Drain()
}

func TestAcquireAndDrainRace(t *testing.T) {
	for range 200 {
		s := service(t, nil, nil)
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 50 {
					if !s.Acquire() {
						return
					}
					s.Release()
				}
			})
		}
		<-s.Drain()
		users.Wait()
		if s.InFlight() != 0 {
			t.Fatalf("InFlight is %d after the drain", s.InFlight())
		}
	}
}
