package trace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func TestParse(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for text, want := range map[string]string{
		parent:                                 parent,
		parent[:53] + "00":                     parent[:53] + "00",
		parent[:53] + "fe":                     parent[:53] + "00",
		parent[:53] + "03":                     parent,
		"cc" + parent[2:]:                      parent,
		"cc" + parent[2:] + "-more":            parent,
		"":                                     "",
		parent + "-more":                       "",
		"cc" + parent[2:] + "more":             "",
		"ff" + parent[2:]:                      "",
		strings.ToUpper(parent):                "",
		parent[:54]:                            "",
		strings.Repeat("x", 55):                "",
		" " + parent:                           "",
		parent + " ":                           "",
		strings.Replace(parent, "-b", "0b", 1): "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": "",
		"cc" + parent[2:] + "-" + strings.Repeat("a", 30<<10):     "",
	} {
		c, ok := trace.Parse(text)
		if got := c.Parent(); ok != (want != "") || ok && got != want {
			t.Errorf("%.80q: %q, %v; want %q", text, got, ok, want)
		}
	}
	if c, _ := trace.Parse(parent); c.ID() != parent[3:35] || (trace.Context{}).ID() != "" {
		t.Errorf("ids %q and %q", c.ID(), trace.Context{}.ID())
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if n := testing.AllocsPerRun(100, func() { trace.Parse(parent) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A timeline is bounded, and a request that is not sampled fills none.
func TestTimeline(t *testing.T) {
	start := time.Unix(1, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	line := &trace.Timeline{Context: trace.Context{Sampled: true}}
	line.Step(trace.Admission, at(0), at(1), 0)
	line.Attempt(1)
	line.Step(trace.Wake, at(1), at(4), 2*time.Millisecond)
	line.Step(trace.Lane, at(4), at(4), 0) // it was free
	line.Call(trace.Call{URL: "http://a/secret", Start: at(4), End: at(5)})
	line.Step(trace.Run, at(4), at(6), time.Millisecond)
	line.Hide(func(s string) string { return strings.ReplaceAll(s, "secret", "x") })
	steps, calls, dropped := line.Steps()
	want := []trace.Step{
		{Kind: trace.Admission, Start: at(0), End: at(1)},
		{Kind: trace.Queue, Attempt: 1, Start: at(1), End: at(3)},
		{Kind: trace.Wake, Attempt: 1, Start: at(3), End: at(4)},
		{Kind: trace.Run, Attempt: 1, Start: at(4), End: at(6), Queued: time.Millisecond},
	}
	if len(steps) != len(want) || len(calls) != 1 || dropped != 0 {
		t.Fatalf("%+v %+v %d", steps, calls, dropped)
	}
	for i := range want {
		if steps[i] != want[i] {
			t.Errorf("step %d: %+v, want %+v", i, steps[i], want[i])
		}
	}
	if calls[0].URL != "http://a/x" || calls[0].Attempt != 1 {
		t.Errorf("call %+v", calls[0])
	}
	for range 1000 {
		line.Step(trace.Run, at(0), at(1), 0)
		line.Call(trace.Call{})
	}
	if steps, calls, dropped = line.Steps(); len(steps) > 64 || len(calls) > 256 || dropped != 2000-(64-4)-255 {
		t.Errorf("%d steps, %d calls, %d dropped", len(steps), len(calls), dropped)
	}
	for _, off := range []*trace.Timeline{nil, {}} {
		off.Attempt(1)
		off.Step(trace.Run, at(0), at(1), 0)
		off.Call(trace.Call{})
		off.Hide(strings.ToUpper)
		if steps, calls, dropped := off.Steps(); len(steps)+len(calls)+dropped > 0 || off.TraceID() != "" {
			t.Errorf("%v kept %v %v", off, steps, calls)
		}
	}
}
