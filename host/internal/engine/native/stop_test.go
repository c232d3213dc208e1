package native

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// endlessGuests never return, each in its way.
func endlessGuests() map[string][]byte {
	code := func() *enginetest.Code { return new(enginetest.Code) }
	guest := func(add func(b *enginetest.Builder) *enginetest.Code) []byte {
		b := enginetest.NewBuilder(1)
		return b.Handle(add(b).I32(0)).Bytes()
	}
	loop := func(body func(c *enginetest.Code)) func(*enginetest.Builder) *enginetest.Code {
		return func(*enginetest.Builder) *enginetest.Code {
			return code().Loop(func(c *enginetest.Code) { body(c); c.Br(0) })
		}
	}
	return map[string][]byte{
		"loop": enginetest.Loop(),
		"loop through br_table": guest(func(*enginetest.Builder) *enginetest.Code {
			return code().Loop(func(c *enginetest.Code) { c.I32(0).Op(0x0e, 2, 0, 0, 0) })
		}),
		"loop with a long body": guest(loop(func(c *enginetest.Code) {
			for range 50000 {
				c.Get(0).I64(1).Op(0x7c).Set(0)
			}
		})),
		"loop of memory.fill": guest(loop(func(c *enginetest.Code) {
			c.I32(0).I32(1).I32(65536).Op(0xfc, 11, 0)
		})),
		"loop of memory.grow": guest(loop(func(c *enginetest.Code) { c.I32(1).Op(0x40, 0).Drop() })),
		"loop of host calls": guest(func(b *enginetest.Builder) *enginetest.Code {
			now := b.Native(abi.FnClockNow)
			return code().Loop(func(c *enginetest.Code) { c.Call(now).Drop().Br(0) })
		}),
		"exponential recursion": guest(func(b *enginetest.Builder) *enginetest.Code {
			const depth = 60
			for i := range uint32(depth) {
				c := code()
				if i > 0 {
					c.Call(i - 1).Call(i - 1)
				}
				b.Func("", nil, nil, 0, c)
			}
			return code().Call(depth - 1)
		}),
		"sleep": enginetest.Sleep(""),
	}
}

// TestStopped: a guest that does not return is ended, nobody waits for it
// meanwhile, and its instance serves on.
func TestStopped(t *testing.T) {
	for name, module := range endlessGuests() {
		t.Run(name, func(t *testing.T) { stopped(t, instanceOf(t, prepare(t, module))) })
	}
}

// patience is ten times what the soak allows a guest beyond its deadline.
const patience = 500 * time.Millisecond

func stopped(t *testing.T, in engine.Instance) {
	t.Helper()
	for range 2 {
		const deadline = 30 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		collected := make(chan time.Duration, 1)
		go func() {
			start := time.Now()
			runtime.GC()
			collected <- time.Since(start)
		}()
		start := time.Now()
		err := in.Handle(ctx, enginetest.Invocation("60000", nil, nil))
		took := time.Since(start)
		cancel()
		if fault.CodeOf(err) != fault.Deadline || took > deadline+patience {
			t.Errorf("after %v: %v", took, err)
		}
		if gc := <-collected; gc > patience {
			t.Errorf("the collector took %v beside it", gc)
		}
		if !in.Reset() {
			t.Fatal("the instance cannot be reset")
		}
	}
}

// TestStoppedOnOneProcessor runs TestStopped in a process whose guests have the
// only processor, so that no timer runs beside them.
func TestStoppedOnOneProcessor(t *testing.T) {
	test := exec.Command(os.Args[0], "-test.run=^TestStopped$")
	test.Env = append(os.Environ(), "GOMAXPROCS=1")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInitialisationIsStopped, whether it is in a start function or not, and
// also where the interpreter cannot tell.
func TestInitialisationIsStopped(t *testing.T) {
	loop := func() *enginetest.Code {
		return new(enginetest.Code).Loop(func(c *enginetest.Code) { c.Br(0) })
	}
	start, initialize := enginetest.NewBuilder(1), enginetest.NewBuilder(1)
	start.Start(start.Func("", nil, nil, 0, loop()))
	initialize.Func(abi.ExportInitialize, nil, nil, 0, loop())
	for name, b := range map[string]*enginetest.Builder{"start": start, "initialize": initialize} {
		t.Run(name, func(t *testing.T) {
			err := open(t).Build(t.Context(), b.Handle(new(enginetest.Code).I32(0)).Bytes(), engine.Options{
				Memory: enginetest.Memory, Start: 30 * time.Millisecond,
			}, t.TempDir())
			if fault.CodeOf(err) != fault.Deadline {
				t.Errorf("got %v", err)
			}
		})
	}
}
