package public

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// A request that was refused before a guest ran had no effect, and says so.
func TestAccessRecordHasAnOutcome(t *testing.T) {
	attrs := (&exchange{match: Match{Target: serve.Target{Deployment: &guest{}}}}).answered()
	if !slices.ContainsFunc(attrs, slog.String("outcome", "none").Equal) {
		t.Errorf("got %v, want the outcome none", attrs)
	}
}

// lines is a log as text.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.out.String(), text)
}

// What each setting of the access log leaves of 600 requests: 200 that are answered,
// 200 that fail, 200 that the gate refuses.
func TestAccessLog(t *testing.T) {
	const each = 200
	type count struct{ served, failed, refused int }
	all, none := count{each, each, each}, count{}
	bounded := count{failed: logs.FailuresAtOnce}
	for name, tc := range map[string]struct {
		every        int
		apart        bool
		host, access count // apart: the host's log and the access log
	}{
		"all":            {every: 1, host: count{each, logs.FailuresAtOnce, each}},
		"off":            {every: 0, host: bounded},
		"apart":          {every: 1, apart: true, host: bounded, access: all},
		"apart, off":     {every: 0, apart: true, host: bounded, access: none},
		"sampled":        {every: 1000, host: bounded},
		"apart, sampled": {every: 1000, apart: true, host: bounded, access: count{failed: each}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var host, access lines
			cfg := Config{Log: slog.New(slog.NewTextHandler(&host, nil))}
			// A logger of its own even where it writes to the same place, as the server's.
			sample := new(wire.Sample)
			sample.Set(tc.every)
			cfg.Access = wire.AccessLog{Log: slog.New(slog.NewTextHandler(&host, nil)), Sample: sample, Apart: tc.apart}
			if tc.apart {
				cfg.Access.Log = slog.New(slog.NewTextHandler(&access, nil))
			}
			floods := logs.NewFloods(slog.New(slog.DiscardHandler), nil)
			defer floods.Close()
			g := &guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
				if inv.Request.Head.Path == "/fails" {
					return dispatch.Result{Outcome: trace.Aborted}, fault.New(fault.Trap, "handle", "boom")
				}
				return dispatch.Result{}, nil
			}}
			g.plugin.Lines = floods.Source("stub")
			cfg.Routes = mounted{g}
			addr := servertest.Listen(t, newPublic(cfg))
			for range each {
				servertest.RoundTrip(t, addr, servertest.Get("/works"))
				servertest.RoundTrip(t, addr, servertest.Get("/fails"))
				servertest.RoundTrip(t, addr, "GET / HTTP/1.1\r\n\r\n")
			}
			tolerance := 0
			if tc.every > 1 {
				tolerance = 20 // of 400: one in 1000 is expected
			}
			for of, want := range map[*lines]count{&host: tc.host, &access: tc.access} {
				for end := time.Now().Add(time.Minute); of.count("msg=refused") < want.refused && time.Now().Before(end); {
					time.Sleep(time.Millisecond) // the gate logs after it has answered
				}
				got := count{of.count("path=/works"), of.count("path=/fails"), of.count("msg=refused")}
				off := func(got, want int) bool { return got < want || got > want+tolerance }
				if off(got.served, want.served) || got.failed < want.failed || got.failed > want.failed+10*logs.Failures || off(got.refused, want.refused) {
					t.Errorf("apart=%v: got %+v, want %+v", of == &access, got, want)
				}
			}
		})
	}
}
