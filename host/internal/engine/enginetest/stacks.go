package enginetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// testStacks has a guest fail in a function that its handler calls: whoever asks is told
// which, by the names that the module has, whatever they are.
func testStacks(t *testing.T, e Direct) {
	for name, c := range map[string]struct {
		fails func(*Code) *Code
		code  fault.Code
		says  string
	}{
		"unreachable":    {(*Code).Unreachable, fault.Trap, "unreachable"},
		"out of bounds":  {func(c *Code) *Code { return c.I32(1 << 31).Load8().Drop() }, fault.Trap, "out of bounds memory access"},
		"divide by zero": {func(c *Code) *Code { return c.I32(1).I32(0).Op(0x6e).Drop() }, fault.Trap, "integer divide by zero"},
		"no such entry":  {func(c *Code) *Code { return c.I32(1).I32(7).Op(0x11, 0, 0).Unreachable() }, fault.Trap, "invalid table access"},
		"a loop":         {func(c *Code) *Code { return endless(c).Unreachable() }, fault.Deadline, "ran out of time"},
		"exit":           {func(c *Code) *Code { return c.I32(4).Call(0) }, fault.Trap, "exited with code 4"},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(1).Table(2)
			b.Import(wasiModule, "proc_exit", []abi.Type{abi.I32}, nil)
			ask := b.ask() // an imported function, of index 1
			fails := b.Func("", nil, nil, 0, c.fails(new(Code)))
			plain := b.Func("", nil, nil, 0, new(Code).Call(fails))
			named := b.Handle(ask.Call(plain).I32(0)).Bytes()
			names := Names(map[uint32]string{fails: "fails\x1b[2J\nhere", plain + 1: "handles", 99: "nobody"})
			module, err := wasmbin.WithCustomSection(named, "name", names)
			if err != nil {
				t.Fatal(err)
			}
			err = failing(t, Prepare(t, e, module), c.code == fault.Deadline)
			wantFault(t, err, c.code, c.says)
			calls, _ := errors.AsType[*callstack.Calls](err)
			want := []string{"fails\ufffd[2J here", "function 3", "handles"}
			if calls == nil || !cmp.Equal(want, calls.Stack) {
				t.Errorf("got %+v, want the calls %q", calls, want)
			}
		})
	}
}

// failing has a guest fail, if need be by its deadline: one that is not over before it
// has begun, on however slow a machine.
func failing(t *testing.T, p engine.Program, late bool) (err error) {
	for deadline := 30 * time.Millisecond; deadline < time.Minute; deadline *= 4 {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if late {
			ctx, cancel = context.WithTimeout(ctx, deadline)
		}
		err = Handle(ctx, p, Invocation("", nil, nil))
		cancel()
		if calls, ok := errors.AsType[*callstack.Calls](err); !late || ok && len(calls.Stack) > 0 {
			break
		}
	}
	return err
}

// Names returns a name section that names functions by their index.
func Names(of map[uint32]string) []byte {
	list := uleb(nil, uint64(len(of)))
	for _, index := range slices.Sorted(maps.Keys(of)) {
		list = str(uleb(list, uint64(index)), of[index])
	}
	return str([]byte{1}, string(list))
}
