package e2e

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestStopped: requests whose guests do not return are answered in time,
// whatever they do, in a soak with one processor too, and no request of a neighbour
// fails meanwhile. With one processor the engines' tests of this name run anywhere.
func TestStopped(t *testing.T) {
	origin := service(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, procs := range []int{runtime.NumCPU(), 1}[:often(1, 2)] {
		t.Run(fmt.Sprint("GOMAXPROCS=", procs), func(t *testing.T) {
			t.Setenv("GOMAXPROCS", fmt.Sprint(procs))
			s := serve(t, t.TempDir(), "--log-level", "error", "--outbound-allow-networks", "127.0.0.1/32")
			s.deploy("neighbour", pack(t, enginetest.Tiny(), "neighbour"))
			for i, shape := range enginetest.Shapes() {
				for j, abi := range []string{"wasmoor_v1", enginetest.ExtismABI} {
					name := fmt.Sprintf("shape-%d-%d", i, j)
					s.deploy(name, pack(t, shape.Module(abi, origin), name, shapeManifest(abi, origin)...))
					t.Run(shape.Name+"/"+abi, func(t *testing.T) { stopped(t, s, name, shape.Ends) })
				}
			}
		})
	}
}

// stoppedAfter is the deadline of the shapes.
const stoppedAfter = 100 * time.Millisecond

func shapeManifest(abi, origin string) []string {
	lines := []string{`abi = "` + abi + `"`, "[limits]", `deadline = "` + stoppedAfter.String() + `"`, allowing(origin)}
	if abi == enginetest.ExtismABI {
		lines = append(lines, "[[route]]", `pattern = "POST /"`, `export = "`+enginetest.ExtismExport+`"`, `content_type = "text/plain"`)
	}
	return lines
}

// stopped has a shape run several times, each time with an answer behind it.
func stopped(t *testing.T, s *server, name string, ends func(fault.Code) bool) {
	allowance := enginetest.Patience
	if *soak {
		allowance = enginetest.Late
	}
	asked, failed := beside(t, s)
	var late []time.Duration
	for range often(1, 20) {
		begun := time.Now()
		a := s.do("POST", "/"+name, "go")
		late = append(late, max(0, time.Since(begun)-stoppedAfter))
		if code := fault.Code(problemOf(a).Code); !ends(code) || (a.status == http.StatusBadGateway) != (code == fault.Trap) {
			t.Errorf("got %v", a)
		}
		if a := s.do("POST", "/"+name, ""); a.status != http.StatusOK {
			t.Errorf("afterwards it answers %v", a)
		}
	}
	slices.Sort(late)
	median, worst := late[len(late)/2], late[len(late)-1]
	t.Logf("over by %v, at worst %v; of the neighbour's %d requests %d failed", median, worst, asked.Load(), failed.Load())
	if worst > allowance {
		t.Errorf("answered %v after its deadline, want at most %v", worst, allowance)
	}
	if failed.Load() > 0 || asked.Load() == 0 {
		t.Errorf("of %d requests of a neighbour %d failed", asked.Load(), failed.Load())
	}
}

// beside sends requests to the neighbour until the test ends, and counts them.
func beside(t *testing.T, s *server) (asked, failed *atomic.Int64) {
	asked, failed = new(atomic.Int64), new(atomic.Int64)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			a, err := s.try(context.WithoutCancel(ctx), "GET", "/neighbour", "")
			if asked.Add(1); err != nil || a.status != http.StatusOK {
				failed.Add(1)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	return asked, failed
}
