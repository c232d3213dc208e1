package enginetest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Bounds of how long a guest runs beyond its deadline, and the collector beside
// it: Late in a soak, on a machine that does nothing else, and ten times that
// anywhere.
const (
	Late     = 50 * time.Millisecond
	Patience = 10 * Late
)

// deadline is what the guests of RunStopped get.
const deadline = 50 * time.Millisecond

// RunStopped checks that guests of every shape are ended in time with one
// processor, so that no timer runs beside them; that the collector does not wait
// for them; and that their instances are put back and answer. A soak does it often,
// with all processors too, tells what it took, and is strict.
func RunStopped(t *testing.T, abi string, e Direct, soak bool) {
	s := &stopping{abi: abi, engine: e, processors: []int{1}, runs: 1, late: Patience}
	if soak {
		s.processors, s.runs, s.late = []int{runtime.NumCPU(), 1}, 20, Late
	}
	s.serveNothing(t)
	for _, shape := range Shapes() {
		in := resettableOf(t, s.prepare(t, shape.Module(abi, s.url), 0))
		s.everywhere(t, shape.Name, func(t *testing.T) time.Duration { return s.stop(t, in, shape.Ends) })
	}
	for name, where := range starts() {
		looping := where(endless(new(Code)))
		s.everywhere(t, name+" at build", func(t *testing.T) time.Duration { return s.stopBuild(t, looping) })
		p := s.prepare(t, where(busy(new(Code))), 0)
		if p.Fresh() == "" {
			t.Fatal("instances of a guest that is to be made new can be put back")
		}
		s.everywhere(t, name+" of a new instance", func(t *testing.T) time.Duration { return s.stopStart(t, p) })
	}
}

// stopping is one run of RunStopped.
type stopping struct {
	abi        string
	engine     Direct
	processors []int
	runs       int
	late       time.Duration
	url        string // of a server that never answers
	outbound   egress.Config

	collected time.Duration // the longest time of the collector
}

func (s *stopping) serveNothing(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	origin, err := plugin.ParseOrigin(silent.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.url = silent.URL
	s.outbound = egress.Config{
		Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Origins: []plugin.Origin{origin}, Limits: egress.DefaultLimits(),
	}
}

func (s *stopping) options(start time.Duration) engine.Options {
	return engine.Options{
		Memory: limit.Default().Memory, Start: start,
		Routes: []manifest.Route{{Pattern: "/", Export: ExtismExport}},
	}
}

func (s *stopping) prepare(t *testing.T, module []byte, start time.Duration) engine.Program {
	t.Helper()
	p, err := s.engine.Prepare(t.Context(), module, s.options(start))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// everywhere runs stop with each number of processors, and says what it took.
func (s *stopping) everywhere(t *testing.T, name string, stop func(*testing.T) time.Duration) {
	for _, procs := range s.processors {
		t.Run(fmt.Sprintf("%s/GOMAXPROCS=%d", name, procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			var took []time.Duration
			s.collected = 0
			for range s.runs {
				took = append(took, stop(t))
			}
			slices.Sort(took)
			worst, gc := took[len(took)-1], s.collected
			t.Logf("over by %v, at worst %v; the collector took %v", took[len(took)/2], worst, gc)
			if worst > s.late || gc > s.late {
				t.Errorf("it ran for %v beyond its deadline, and the collector for %v beside it, want at most %v", worst, gc, s.late)
			}
		})
	}
}

// collect runs the collector in the middle of a guest's time.
func collect() time.Duration {
	time.Sleep(deadline / 2)
	start := time.Now()
	runtime.GC()
	return time.Since(start)
}

// stopRequest is overrun with the collector beside it.
func (s *stopping) stopRequest(t *testing.T, ends func(fault.Code) bool, f func(context.Context) error) time.Duration {
	t.Helper()
	gc := make(chan time.Duration)
	go func() { gc <- collect() }()
	late := overrun(t, ends, f)
	s.collected = max(s.collected, <-gc)
	return late
}

// overrun calls f with the deadline and returns how long it took beyond it. An
// end that comes before it, as that of endless recursion, is on time.
func overrun(t *testing.T, ends func(fault.Code) bool, f func(context.Context) error) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	start := time.Now()
	err := f(ctx)
	took := time.Since(start)
	if !ends(fault.CodeOf(err)) {
		t.Errorf("after %v it ended with %v", took, err)
	}
	return max(0, took-deadline)
}

// stop has an instance run until it is stopped, puts it back, and has it answer.
func (s *stopping) stop(t *testing.T, in engine.Instance, ends func(fault.Code) bool) time.Duration {
	inv := s.invocation(t, "go")
	late := s.stopRequest(t, ends, func(ctx context.Context) error { return in.Handle(ctx, inv) })
	inv.End()
	if !in.Reset() {
		t.Fatal("the instance cannot be put back")
	}
	inv = s.invocation(t, "")
	defer inv.End()
	if err := in.Handle(t.Context(), inv); err != nil || inv.Reply.Status != http.StatusOK {
		t.Errorf("put back, it answers %d, %v", inv.Reply.Status, err)
	}
	if !in.Reset() {
		t.Fatal("the instance cannot be put back after an answer")
	}
	return late
}

// invocation has a client of its own: one that has failed often does not wait.
func (s *stopping) invocation(t *testing.T, body string) *invoke.Invocation {
	inv := Invocation(body, nil, nil)
	inv.Request.Head.Pattern = "/"
	inv.Env.States.Add(outbound.Name, egress.New(s.outbound))
	t.Cleanup(inv.Env.States.Close)
	return inv
}

// interpreting is how long a build tries the interpreter before machine code,
// which alone has the deadline of requests.
const interpreting = 500 * time.Millisecond

// stopBuild leaves the collector out: a build has a process to itself. A machine
// with much else to do compiles slowly: only a soak counts the time.
func (s *stopping) stopBuild(t *testing.T, module []byte) time.Duration {
	late := overrun(t, Shape{}.Ends, func(context.Context) error {
		_, err := s.engine.Prepare(t.Context(), module, s.options(deadline))
		return err
	})
	if s.late == Patience {
		return 0
	}
	return max(0, late-interpreting)
}

func (s *stopping) stopStart(t *testing.T, p engine.Program) time.Duration {
	return s.stopRequest(t, Shape{}.Ends, func(ctx context.Context) error {
		in, err := p.Instance(ctx)
		if err == nil {
			_ = in.Close(context.Background())
		}
		return err
	})
}

func resettableOf(t *testing.T, p engine.Program) engine.Instance {
	t.Helper()
	if why := p.Fresh(); why != "" {
		t.Fatalf("instances cannot be put back: %s", why)
	}
	in, err := p.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(context.Background()) })
	return in
}
