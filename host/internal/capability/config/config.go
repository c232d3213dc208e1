// Package config is the capability to read the deployment's vars. Package
// capabilities imports it.
package config

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Unit returns the capability.
func Unit() capability.Unit {
	return capability.Unit{
		Name: "config", Native: functions(),
		Extism: []capability.Func{{
			Module: capability.ExtismEnv, Name: "config_get",
			Params: []abi.Type{abi.I64}, Results: []abi.Type{abi.I64}, Call: getBlock,
		}},
	}
}

// functions returns the host function of configuration.
func functions() []capability.Func {
	return capability.OfPlugin(capability.Native(map[string]capability.Handler{abi.FnConfigGet: get}))
}

func get(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	name, okName := mem.Range(args[0], args[1])
	buf, okBuf := mem.Range(args[2], args[3])
	if !okName || !okBuf {
		return int64(abi.BadPointer)
	}
	value, ok := inv.Env.Config[string(name)]
	if !ok {
		missing(inv, string(name))
		return int64(abi.NotFound)
	}
	return capability.Fill(buf, value)
}

// missing tells the log of a var that nobody can set.
func missing(inv *invoke.Invocation, name string) {
	if _, declared := slices.BinarySearch(inv.Env.Vars, name); !declared {
		inv.Notice(invoke.NoVar, fmt.Sprintf("the guest asked for the config %.100q, which the manifest does not declare; add it under [config] in wasmoor.toml, as %.100s = {}", name, name))
	}
}

// getBlock returns a block with the value of an entry; 0 when there is none.
func getBlock(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	if err := g.Serving(); err != nil {
		return 0, err
	}
	name := g.Text(args[0])
	value, ok := g.Inv.Env.Config[name]
	if !ok {
		missing(g.Inv, name)
		return 0, nil
	}
	return g.PutBlock([]byte(value))
}
