package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// crowd returns a deployment that lets many requests run.
func crowd(t *testing.T, st store.Store, g guest, change func(*dispatch.Config)) *dispatch.Deployment {
	t.Helper()
	limits := limit.Default()
	limits.Concurrency = 256
	limits.Deadline = 30 * time.Second
	cfg := dispatch.Config{
		Plugin:  dispatch.NewPlugin("p", limits.Concurrency, nil, nil),
		Env:     &invoke.Env{Plugin: "p", Version: 1, Limits: limits, KV: true, Space: space},
		Program: g, Store: st, Clock: time.Now, Pools: newPools(t, time.Now, 0),
	}
	if change != nil {
		change(&cfg)
	}
	return dispatch.NewDeployment(cfg)
}

// post sends a request of a method of its own, so that its route is told apart.
func post(t *testing.T, s *dispatch.Deployment, method string) (*invoke.Invocation, dispatch.Result, error) {
	t.Helper()
	return do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) { inv.Request.Head.Method = method })
}

// visit counts and answers with the count: the handler of the tutorial.
func visit(inv *invoke.Invocation) error {
	if err := inv.Tx.Add([]byte("n"), 1); err != nil {
		return err
	}
	data, _, err := inv.Tx.Get([]byte("n"))
	inv.Reply.Write(data, 100)
	return err
}

func answered(inv *invoke.Invocation) int64 {
	n, _ := store.CounterOf(inv.Reply.Body)
	return n
}

// TestEveryVisitCounts has many clients read and write one key: each is served,
// and each is answered with a number of its own.
func TestEveryVisitCounts(t *testing.T) {
	for _, stateful := range []bool{false, true} {
		t.Run(fmt.Sprintf("stateful %v", stateful), func(t *testing.T) {
			st := open(t)
			s := crowd(t, st, func(_ context.Context, inv *invoke.Invocation) error { return visit(inv) },
				func(c *dispatch.Config) { c.Stateful = stateful })
			const clients, each = 64, 20
			var seen [clients*each + 1]atomic.Bool
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range each {
						inv, res, err := post(t, s, http.MethodPost)
						if err != nil || res.Outcome != trace.Committed {
							t.Errorf("%+v, %v", res, err)
							return
						}
						if n := answered(inv); n < 1 || n > clients*each || seen[n].Swap(true) {
							t.Errorf("answered %d, which is not the next", n)
						}
					}
				})
			}
			wg.Wait()
			if got := stored(t, st, "n"); got != string(store.AppendCounter(nil, clients*each)) {
				t.Errorf("n = %q", got)
			}
		})
	}
}

// TestBlindWritersDoNotStarveReaders has clients overwrite a key without reading it,
// which never conflicts, while others read and write it.
func TestBlindWritersDoNotStarveReaders(t *testing.T) {
	st := open(t)
	s := crowd(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		if inv.Request.Head.Method == http.MethodPut {
			return inv.Tx.Set([]byte("n"), store.AppendCounter(nil, 1), 0)
		}
		return visit(inv)
	}, nil)
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for range 32 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := post(t, s, http.MethodPut); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 8 {
		readers.Go(func() {
			for range 50 {
				if _, res, err := post(t, s, http.MethodPost); err != nil {
					t.Errorf("after %d runs: %v", res.Attempts, err)
					return
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
}

// disk is one that a test holds, and breaks.
type disk struct {
	hold, broken atomic.Bool
	writing      chan struct{}
	pass         chan struct{}
}

func newDisk() *disk { return &disk{writing: make(chan struct{}, 1000), pass: make(chan struct{})} }

func (d *disk) open(t *testing.T) store.Store {
	t.Helper()
	st, err := badger.Open(badger.Config{Dir: t.TempDir(), Reserve: -1, Persist: func(_ store.Revision, write func() error) error {
		if d.hold.Load() {
			d.writing <- struct{}{}
			<-d.pass
		}
		if d.broken.Load() {
			return errors.New("input/output error")
		}
		return write()
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// heat makes POST a hot route.
func heat(t *testing.T, s *dispatch.Deployment) {
	t.Helper()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, _, err := post(t, s, http.MethodPost); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestNothingLeavesBeforeItIsDurable holds the disk while requests run on top of
// what is sealed: no answer is given and no service is called. Then the disk works,
// or it fails.
func TestNothingLeavesBeforeItIsDurable(t *testing.T) {
	for _, broken := range []bool{false, true} {
		t.Run(fmt.Sprintf("broken %v", broken), func(t *testing.T) {
			disk := newDisk()
			st := disk.open(t)
			var called atomic.Int64
			s := crowd(t, st, func(_ context.Context, inv *invoke.Invocation) error {
				if inv.Request.Head.Path == "/" {
					return visit(inv)
				}
				if _, _, err := inv.Tx.Get([]byte("n")); err != nil {
					return err
				}
				switch inv.Request.Head.Path {
				case "/aborts":
					reply(inv, 500)
				case "/traps":
					return fault.New(fault.Trap, "", "unreachable")
				case "/calls":
					if err := inv.Depart(); err != nil {
						return err
					}
					called.Add(1)
				}
				return nil
			}, nil)
			heat(t, s)
			disk.hold.Store(true)
			type outcome struct {
				path string
				res  dispatch.Result
				err  error
			}
			outcomes := make(chan outcome, 10)
			// In the lane each begins once the one before is sealed, or over.
			start := func(path string) {
				go func() {
					_, res, err := do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) {
						inv.Request.Head.Method, inv.Request.Head.Path = http.MethodPost, path
					})
					outcomes <- outcome{path, res, err}
				}()
			}
			start("/")
			<-disk.writing
			for _, path := range []string{"/", "/reads", "/aborts", "/traps", "/calls"} {
				start(path)
			}
			select {
			case o := <-outcomes:
				t.Fatalf("%s left before anything was durable: %+v, %v", o.path, o.res, o.err)
			case <-time.After(100 * time.Millisecond):
			}
			if called.Load() > 0 {
				t.Error("a service was called before what was read is durable")
			}
			disk.broken.Store(broken)
			disk.hold.Store(false)
			close(disk.pass)
			codes := map[string][]fault.Code{}
			for range 6 {
				o := <-outcomes
				codes[o.path] = append(codes[o.path], fault.CodeOf(o.err))
			}
			check := func(path string, durable, lost fault.Code) {
				want := durable
				if broken {
					want = lost
				}
				if got := codes[path]; len(got) != 1 || got[0] != want {
					t.Errorf("%s ended with %q, want %q", path, got, want)
				}
			}
			check("/reads", "", fault.Unavailable)
			check("/aborts", "", fault.Unavailable)
			check("/traps", fault.Trap, fault.Unavailable)
			check("/calls", "", fault.Unavailable)
			unknown, nothing := 0, 0
			for _, code := range codes["/"] {
				switch code {
				case fault.Unknown:
					unknown++
				case fault.Unavailable:
					nothing++
				}
			}
			if broken != (unknown == 1 && nothing == 1) {
				t.Errorf("the writers ended with %q", codes["/"])
			}
			if broken && called.Load() > 0 {
				t.Error("a service was called, told of what was lost")
			}
		})
	}
}

// TestWhoCallsOutKeepsNobodyWaiting has a request in the lane wait for a service
// while another passes.
func TestWhoCallsOutKeepsNobodyWaiting(t *testing.T) {
	st := open(t)
	calling, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := crowd(t, st, func(_ context.Context, inv *invoke.Invocation) (err error) {
		if inv.Request.Head.Path == "/calls" && inv.Request.Head.Attempt == 1 {
			once.Do(func() {
				err = inv.Depart()
				close(calling)
				<-answer
			})
		}
		return errors.Join(err, visit(inv))
	}, nil)
	heat(t, s)
	done := make(chan error, 1)
	go func() {
		_, _, err := do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) {
			inv.Request.Head.Method, inv.Request.Head.Path = http.MethodPost, "/calls"
		})
		done <- err
	}()
	<-calling
	if _, _, err := post(t, s, http.MethodPost); err != nil {
		t.Error(err)
	}
	close(answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTheLaneCountsInTheDeadline has a request wait for one that computes.
func TestTheLaneCountsInTheDeadline(t *testing.T) {
	st := open(t)
	computing, end := make(chan struct{}), make(chan struct{})
	s := crowd(t, st, func(_ context.Context, inv *invoke.Invocation) error {
		if inv.Request.Head.Path == "/slow" {
			close(computing)
			<-end
		}
		return visit(inv)
	}, nil)
	heat(t, s)
	done := make(chan error, 1)
	go func() {
		_, _, err := do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) {
			inv.Request.Head.Method, inv.Request.Head.Path = http.MethodPost, "/slow"
		})
		done <- err
	}()
	<-computing
	_, res, err := do(t, s, func(inv *invoke.Invocation, limits *limit.Limits) {
		inv.Request.Head.Method = http.MethodPost
		limits.Deadline = 20 * time.Millisecond
	})
	if fault.CodeOf(err) != fault.Unavailable || res.Outcome != trace.None {
		t.Errorf("%+v, %v", res, err)
	}
	if _, res, err := do(t, s, func(inv *invoke.Invocation, _ *limit.Limits) {
		inv.Request.DropEffects = true
		inv.Request.Head.Method = http.MethodHead
	}); err != nil || res.Attempts != 1 {
		t.Errorf("a request that writes nothing waits: %+v, %v", res, err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, _, err := post(t, s, http.MethodPost); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
