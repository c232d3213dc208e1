// Package config is the capability to read the deployment's vars. Package
// capabilities imports it.
package config

import (
	"context"

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
		return int64(abi.NotFound)
	}
	return capability.Fill(buf, value)
}

// getBlock returns a block with the value of an entry; 0 when there is none.
func getBlock(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
	if err := g.Serving(); err != nil {
		return 0, err
	}
	value, ok := g.Inv.Env.Config[g.Text(args[0])]
	if !ok {
		return 0, nil
	}
	return g.PutBlock([]byte(value))
}
