package extism_test

import (
	"context"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// TestProbe: a plugin of which a route can serve no request is refused, and no
// other.
func TestProbe(t *testing.T) {
	exit := func(status uint32) []byte {
		b := newBuilder()
		exit := b.Import("wasi_snapshot_preview1", "proc_exit", []abi.Type{i32}, nil)
		return b.run(code().I32(status).Call(exit).I32(0))
	}
	length := func(c func(*enginetest.Code)) []byte {
		b := newBuilder()
		asks := code().Call(b.env("input_length", 0, i64)).Drop()
		c(asks)
		return b.run(asks.I32(0))
	}
	both := newBuilder()
	both.Func("fine", nil, nil, 0, code())
	second := both.run(code().Unreachable().I32(0))
	calls := newBuilder()
	fails := calls.Func("", nil, nil, 0, code().Unreachable())
	named, err := wasmbin.WithCustomSection(calls.run(code().Call(fails).I32(0)), "name", enginetest.Names(map[uint32]string{fails: "fails", fails + 1: "handles"}))
	if err != nil {
		t.Fatal(err)
	}
	as := func(export string) manifest.Route { return manifest.Route{Pattern: "POST /" + export, Export: export} }

	for _, c := range []struct {
		name   string
		module []byte
		routes []manifest.Route
		code   fault.Code // "" = it is not refused
		says   string
	}{
		{"trap", newBuilder().run(code().Unreachable().I32(0)), []manifest.Route{as("run")}, fault.Trap, `every request to "POST /run" would fail`},
		{"trap with names", named, []manifest.Route{as("run")}, fault.Trap, "unreachable, in fails < handles"},
		{"failure", newBuilder().run(code().I32(2)), []manifest.Route{as("run")}, fault.Trap, "reported failure 2"},
		{"exit", exit(3), []manifest.Route{as("run")}, fault.Trap, "exited with code 3"},
		{"loop", spin(), []manifest.Route{as("run")}, fault.Deadline, "asked the host for nothing"},
		{"no envelope", newBuilder().run(code().I32(0)), []manifest.Route{{Pattern: "/", Handler: "run"}}, fault.BadReply, ""},
		{"second route", second, []manifest.Route{as("fine"), as("run")}, fault.Trap, `"POST /run"`},
		{"route that is not there", second, []manifest.Route{as("fine")}, "", ""},
		{"nothing", newBuilder().run(code().I32(0)), []manifest.Route{as("run"), {Pattern: "GET /", Export: "run"}}, "", ""},
		{"command that ends well", exit(0), []manifest.Route{as("run")}, "", ""},
		{"trap of some request", length(func(c *enginetest.Code) { c.Unreachable() }), []manifest.Route{as("run")}, "", ""},
		{"no envelope for some request", length(func(*enginetest.Code) {}), []manifest.Route{{Pattern: "/", Handler: "run"}}, "", ""},
		{"vars", leak(), []manifest.Route{as("run")}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := prepareRoute(t, c.module, c.routes...)
			in, err := engine.Probe(t.Context(), p.Instance, engine.Options{Start: 50 * time.Millisecond, Routes: c.routes})
			if err == nil {
				err = in.Close(context.Background())
			}
			if c.code != "" {
				wantFault(t, err, c.code, c.says)
			} else if err != nil {
				t.Errorf("it is refused: %v", err)
			}
		})
	}
}
