package machine

import (
	"fmt"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Offer lists what a module may import. It is not changed once it is in use.
type Offer struct {
	functions map[[2]string]wasmbin.FuncType
	unknown   func(module, name string) error
}

// NewOffer returns an offer of funcs. unknown says of another import what its
// author can do.
func NewOffer(funcs []capability.Func, unknown func(module, name string) error) Offer {
	o := Offer{functions: make(map[[2]string]wasmbin.FuncType, len(funcs)), unknown: unknown}
	for _, f := range funcs {
		o.Add(f.Module, f.Name, f.Params, f.Results)
	}
	return o
}

// Add adds a function.
func (o Offer) Add(module, name string, params, results []abi.Type) {
	o.functions[[2]string{module, name}] = wasmbin.FuncType{Params: params, Results: results}
}

// Read reads a module without running or compiling anything of it, and refuses
// one that could not be linked or given its memory. Errors by fault code:
// Invalid, TooLarge.
func (o Offer) Read(module []byte, opts engine.Options) (*wasmbin.Module, error) {
	memory, err := linear.Limit(opts.Memory)
	if err != nil {
		return nil, err
	}
	m, err := wasmbin.Read(module)
	if err != nil {
		return nil, err
	}
	if h := m.Heaviest; opts.Function > 0 && int64(h.Counted) > opts.Function {
		return nil, Invalid("%s counts as %d KiB of code: it has %s; that is over the limit of %s for a function; split it, or raise max_function of the host",
			m.FunctionName(module, h.Function), (h.Counted+1<<10-1)>>10, h.Text, limit.FormatSize(opts.Function))
	}
	for _, i := range m.Imports {
		if err := o.check(i); err != nil {
			return nil, err
		}
	}
	if len(m.Memories) > 0 && int(m.Memories[0].Min) > memory/linear.PageSize {
		return nil, fault.New(fault.TooLarge, "prepare", fmt.Sprintf(
			"the module starts with %d KiB of memory, over the limit of %d KiB; raise limits.memory of the plugin",
			m.Memories[0].Min*64, memory>>10))
	}
	return m, nil
}

func (o Offer) check(i wasmbin.Import) error {
	if i.Kind != wasmbin.Function {
		return Invalid("the module imports the %s %.64q.%.64q; a guest has its own memory, tables and globals: %s",
			i.Kind, i.Module, i.Name, adviceOf(parts, i.Module, i.Name))
	}
	have, ok := o.functions[[2]string{i.Module, i.Name}]
	switch {
	case !ok:
		return o.unknown(i.Module, i.Name)
	case !i.Type.Is(have.Params, have.Results) && i.Module == javaScript:
		return Invalid("the module imports %.64q.%.64q as %.200s; it is %s", i.Module, i.Name, i.Type, Foreign(i.Module, i.Name))
	case !i.Type.Is(have.Params, have.Results):
		return Invalid("the module imports %.64q.%.64q as %.200s, but it is %s", i.Module, i.Name, i.Type, have)
	}
	return nil
}

// Invalid returns the error of a module that breaks a rule.
func Invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "prepare", fmt.Sprintf(format, args...))
}
