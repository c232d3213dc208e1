package extism

import (
	"context"

	sdk "github.com/extism/go-sdk"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/machine"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// starts are the exports that initialise a guest, as the SDK knows them: the
// first before the second. Haskell's comes after the first.
const (
	startReactor      = "_initialize"
	startConstructors = "__wasm_call_ctors"
	startHaskell      = "hs_init"
)

// startOf returns the exports that initialise a guest, in order. A command
// starts itself.
func startOf(m *wasmbin.Module, routes []manifest.Route) []string {
	has := func(name string) bool {
		e, ok := m.Export(name)
		return ok && canCall(e)
	}
	if e, ok := m.Export(startHaskell); ok && e.Type.Is([]abi.Type{abi.I32, abi.I32}, nil) {
		return []string{startReactor, startHaskell}
	}
	for _, r := range routes {
		if r.Export+r.Handler == "_start" {
			return nil
		}
	}
	for _, name := range []string{startReactor, startConstructors} {
		if has(name) {
			return []string{name}
		}
	}
	return nil
}

// accepted refuses what Extism's SDK would not run. It gets the module's bytes
// and nothing else: no file, URL, host or path. Nothing of the module runs, and
// what it imports is there with its signature only.
func accepted(ctx context.Context, module []byte, capabilities []capability.Func) error {
	plugin, err := machine.Compile(ctx, func(ctx context.Context) (*sdk.CompiledPlugin, error) {
		return sdk.NewCompiledPlugin(ctx,
			sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: module, Name: "main"}}},
			sdk.PluginConfig{RuntimeConfig: machine.Interpreting(), EnableWasi: true},
			platform(capabilities))
	})
	if err != nil {
		return err
	}
	return plugin.Close(ctx)
}

// platform is the functions of capability.ExtismUser, which the SDK has none of.
func platform(capabilities []capability.Func) []sdk.HostFunction {
	var list []sdk.HostFunction
	for _, f := range capabilities {
		if f.Module != capability.ExtismUser {
			continue
		}
		h := sdk.NewHostFunctionWithStack(f.Name, func(context.Context, *sdk.CurrentPlugin, []uint64) {}, valueTypes(f.Params), valueTypes(f.Results))
		h.SetNamespace(f.Module)
		list = append(list, h)
	}
	return list
}

func valueTypes(types []abi.Type) []sdk.ValueType {
	list := make([]sdk.ValueType, len(types))
	for i, t := range types {
		list[i] = sdk.ValueType(t) // both are the encodings of the binary format
	}
	return list
}
