package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// instanceOf returns an instance that can be reset, and closes it with the test.
func instanceOf(tb testing.TB, p engine.Program) instance {
	tb.Helper()
	if why := p.Fresh(); why != "" {
		tb.Fatalf("instances cannot be reset: %s", why)
	}
	in, err := p.Instance(context.Background())
	if err != nil {
		tb.Fatalf("Instance: %v", err)
	}
	tb.Cleanup(func() { _ = in.Close(context.Background()) })
	return in.(instance)
}

// handle runs a request and returns the body of its answer.
func handle(tb testing.TB, in engine.Instance, inv *invoke.Invocation) []byte {
	tb.Helper()
	inv.Begin(1, inv.Env.Limits, nil)
	if err := in.Handle(context.Background(), inv); err != nil {
		tb.Fatalf("Handle: %v", err)
	}
	if inv.Reply.Status >= 500 || inv.Reply.Fault() != "" {
		tb.Fatalf("status %d, fault %q: %s", inv.Reply.Status, inv.Reply.Fault(), inv.Reply.Body)
	}
	return inv.Reply.Body
}

// TestMemoryIsTheImageAgain compares all of an instance's memory after each of
// 2,000 requests, of which some grow it.
func TestMemoryIsTheImageAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		program engine.Program
		bodies  []string
	}{
		{"echo", prepare(t, enginetest.Echo()), []string{"", "a body", strings.Repeat("b", 10000)}},
		{"Go", prepareGoGuest(t, bare), []string{""}},
		{"Go with the SDK", prepareGoGuest(t, hello), []string{""}},
		{"Go with JSON", prepareGoGuest(t, jsons), []string{jsonBody, `"` + strings.Repeat("x", 50000) + `"`, "{", "[1]"}},
		{"Go with routes", prepareGoGuest(t, links), []string{"", "{}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := instanceOf(t, c.program)
			image := bytes.Clone(in.Memory())
			requests := make([]*invoke.Invocation, len(c.bodies))
			for i, body := range c.bodies {
				requests[i] = enginetest.Invocation(body, nil, nil)
			}
			first := make([]string, len(c.bodies))
			for i := range 2000 {
				n := i % len(requests)
				got := string(handle(t, in, requests[n]))
				if first[n] == "" {
					first[n] = got
				}
				if got != first[n] {
					t.Fatalf("request %d: answer %.200q, the first one was %.200q", i, got, first[n])
				}
				if !in.Reset() {
					t.Fatal("the instance cannot be reset")
				}
				if !bytes.Equal(in.Memory(), image) {
					t.Fatalf("request %d: %d bytes of memory, not equal to the image's %d", i, len(in.Memory()), len(image))
				}
			}
		})
	}
}

// numbers asks the JSON guest for random ones.
func numbers(tb testing.TB, in engine.Instance, count int) (list [3]uint64) {
	tb.Helper()
	inv := enginetest.Invocation("", nil, nil)
	inv.Request.Head.Query = "random=1"
	var answer struct {
		Count  int
		Random [3]uint64
	}
	if err := json.Unmarshal(handle(tb, in, inv), &answer); err != nil {
		tb.Fatal(err)
	}
	if answer.Count != count {
		tb.Fatalf("the guest believes to have served %d requests, want %d", answer.Count, count)
	}
	return answer.Random
}

// TestRandomNumbersDiffer: math/rand, math/rand/v2 and crypto/rand repeat
// themselves neither from one request to the next nor between instances, whether
// they are new, reset or trimmed.
func TestRandomNumbersDiffer(t *testing.T) {
	for _, c := range []struct {
		name  string
		count int
		warm  []manifest.Warmup
	}{{"cold", 1, nil}, {"warm", 2, []manifest.Warmup{warmup}}} {
		t.Run(c.name, func(t *testing.T) {
			p := prepareGoGuest(t, jsons, c.warm...)
			seen := map[string]bool{}
			note := func(list [3]uint64) {
				for i, n := range list {
					if key := fmt.Sprint(i, n); n == 0 || seen[key] {
						t.Fatalf("generator %d repeats %d after %d requests", i, n, len(seen)/3)
					} else {
						seen[key] = true
					}
				}
			}
			for range 10 {
				in := instanceOf(t, p)
				for i := range 20 {
					note(numbers(t, in, c.count))
					if !in.Reset() {
						t.Fatal("the instance cannot be reset")
					}
					if i == 10 {
						in.Trim()
					}
				}
			}
		})
	}
}

// TestWarmUp: what a warm-up request leaves is in the image, unless it drew
// random bytes.
func TestWarmUp(t *testing.T) {
	count := func(p engine.Program) string {
		in := instanceOf(t, p)
		return string(handle(t, in, enginetest.Invocation("", nil, nil)))
	}
	if got := count(prepareGoGuest(t, jsons, warmup, warmup)); !strings.Contains(got, `"Count":3`) {
		t.Errorf("after two: %s", got)
	}
	drawing := warmup
	drawing.Head.Query = "random=1"
	p := prepareWith(t, goGuest(t, jsons), engine.Options{Warmups: []manifest.Warmup{drawing}})
	if got := count(p); !strings.Contains(got, `"Count":1`) {
		t.Errorf("after one that draws: %s", got)
	}
	if !strings.Contains(p.Cold(), "random") {
		t.Errorf("cold: %q", p.Cold())
	}
}

// TestWarmUpFails: who deploys is told which request it was.
func TestWarmUpFails(t *testing.T) {
	e := enginetest.InProcess(New(Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	defer func() { _ = e.Close(context.Background()) }()
	_, err := e.Prepare(context.Background(), enginetest.Trap(), engine.Options{
		Memory: enginetest.Memory, Warmups: []manifest.Warmup{warmup},
	})
	if err == nil || !strings.Contains(err.Error(), `the warm-up request POST "/" failed: the guest trapped: unreachable`) {
		t.Errorf("got %v", err)
	}
}

// TestFreshProgram: a module that cannot be reset says why, and is stopped and
// clean all the same.
func TestFreshProgram(t *testing.T) {
	b := enginetest.NewBuilder(1)
	for range 1001 {
		b.Global(1)
	}
	p := prepare(t, b.Handle(new(enginetest.Code).I32(0)).Bytes())
	if p.Fresh() == "" {
		t.Fatal("it can be reset")
	}
	for range 3 {
		in, err := p.Instance(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		handle(t, in, enginetest.Invocation("", nil, nil))
		if in.Reset() {
			t.Error("it was reset")
		}
		if err := in.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestTrimChangesNothing: a trimmed instance answers as one that is not, whether
// it can be put back or not, before its first request and where its state is
// kept.
func TestTrimChangesNothing(t *testing.T) {
	fresh := enginetest.NewBuilder(1)
	for range 1001 {
		fresh.Global(1)
	}
	write := fresh.Native(abi.FnResponseWrite)
	const at = 1024
	answer := new(enginetest.Code).I32(at).I32(16).Call(write).Drop()
	answer.I32(at + 8).I32(at + 8).Load64().I64(1).Op(0x7c).Store64() // i64.add
	module := fresh.Data(at, "pristine").Handle(answer.I32(0)).Bytes()
	for name, module := range map[string][]byte{"put back": enginetest.Canary(), "new each time": module} {
		t.Run(name, func(t *testing.T) {
			p := prepare(t, module)
			if can := p.Fresh() == ""; can != (name == "put back") {
				t.Fatalf("it can be put back: %v", can)
			}
			var answers [2][2]string
			for i := range answers {
				in, err := p.Instance(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = in.Close(context.Background()) }()
				for n := range answers[i] {
					if i == 1 {
						in.Trim()
					}
					answers[i][n] = string(handle(t, in, enginetest.Invocation("", nil, nil)))
				}
			}
			if answers[0] != answers[1] || answers[0][0] == answers[0][1] || !strings.HasPrefix(answers[0][0], "pristine") {
				t.Errorf("untrimmed and trimmed: %q", answers)
			}
		})
	}
}

// TestNothingIsAllocated on the heap by a request and the reset after it.
func TestNothingIsAllocated(t *testing.T) {
	in := instanceOf(t, prepare(t, enginetest.Tiny()))
	inv := getRequest()
	ctx, cancel := context.WithTimeout(context.Background(), 1<<40)
	defer cancel()
	allocated := testing.AllocsPerRun(1000, func() {
		inv.Begin(1, inv.Env.Limits, nil)
		if in.Handle(ctx, inv) != nil || !in.Reset() {
			t.Fatal("it failed")
		}
	})
	if allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}
