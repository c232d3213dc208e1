package extism_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// starting is a guest that initialises itself with code, which may leave an i64
// in its memory, and answers what is there.
func starting(export string, initialise func(b builder) *enginetest.Code) []byte {
	b := newBuilder()
	alloc, store, output := b.env("alloc", 1, i64), b.env("store_u64", 2), b.env("output_set", 2)
	b.Func(export, nil, nil, 0, initialise(b))
	c := code().I64(8).Call(alloc).Set(0)
	c.Get(0).I32(ownAt).Load64().Call(store)
	return b.run(c.Get(0).I64(8).Call(output).I32(0))
}

// result leaves what a host function answers to zeros.
func result(module, name string, params int) func(builder) *enginetest.Code {
	return func(b builder) *enginetest.Code {
		called := b.imported(module, name, params, i64)
		c := code().I32(ownAt)
		for range params {
			c.I64(0)
		}
		return c.Call(called).Store64()
	}
}

func TestStart(t *testing.T) {
	unavailable := int64(abi.Unavailable)
	for _, c := range []struct {
		name       string
		export     string
		initialise func(builder) *enginetest.Code
		want       int64
	}{
		{"reactor", "_initialize", func(builder) *enginetest.Code { return code().I32(ownAt).I64(7).Store64() }, 7},
		{"constructors", "__wasm_call_ctors", func(builder) *enginetest.Code { return code().I32(ownAt).I64(8).Store64() }, 8},
		{"store", "_initialize", result(capability.ExtismUser, "kv_delete", 1), unavailable},
		{"list", "_initialize", result(capability.ExtismUser, "kv_list", 4), unavailable},
		{"log", "_initialize", func(b builder) *enginetest.Code {
			return code().I64(0).Call(b.env("log_info", 1)).I32(ownAt).I64(9).Store64()
		}, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := prepare(t, starting(c.export, c.initialise), "run")
			inv := invocation("", nil)
			if err := enginetest.Handle(context.Background(), p, inv); err != nil {
				t.Fatal(err)
			}
			if got := int64(binary.LittleEndian.Uint64(inv.Reply.Body)); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// TestStartFails: a guest that cannot start is found out when it is built.
func TestStartFails(t *testing.T) {
	for name, initialise := range map[string]func(builder) *enginetest.Code{
		"unreachable": func(builder) *enginetest.Code { return code().Unreachable() },
		"exited with code 3": func(b builder) *enginetest.Code {
			exit := b.Import("wasi_snapshot_preview1", "proc_exit", []abi.Type{i32}, nil)
			return code().I32(3).Call(exit)
		},
		"config_get: it is not available": func(b builder) *enginetest.Code {
			return code().I64(0).Call(b.env("config_get", 1, i64)).Drop()
		},
		"http_request: it is not available": func(b builder) *enginetest.Code {
			// {} is no request that anybody makes
			alloc, store := b.env("alloc", 1, i64), b.Import(capability.ExtismEnv, "store_u8", []abi.Type{i64, i32}, nil)
			request := b.env("http_request", 2, i64)
			return code().I64(2).Call(alloc).I32('{').Call(store).I64(17).I32('}').Call(store).
				I64(16).I64(0).Call(request).Drop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := enginetest.InProcess(extism.New(capabilities.All(capabilities.Config{}).Extism(), linear.NewBudget(0))).Prepare(context.Background(), starting("_initialize", initialise),
				engine.Options{Memory: memoryLimit, Routes: []manifest.Route{{Pattern: "/", Export: "run"}}})
			wantFault(t, err, fault.Trap, name)
		})
	}
}
