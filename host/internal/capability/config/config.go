// Package config is the capability to read the deployment's vars. Engines
// import it.
package config

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Functions returns the host function of configuration.
func Functions() []capability.Func {
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
