// Package machine is what the engines share of wazero. It builds a module: adds
// interrupts, initialises it once, takes a snapshot and compiles that. And it
// runs what was built: instances that start where the snapshot was taken, are
// stopped when their time is up, and are put back after each call. Engines
// import it; they say which host functions there are and what to call.
package machine

import (
	"cmp"
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
)

// Config holds the parts of a machine.
type Config struct {
	// Functions are the host functions a module may import.
	Functions []capability.Func
	// Memory is what the linear memories of all instances may have together, of
	// other machines' too; nil = no bound.
	Memory linear.Budget
}

// Machine builds modules and makes programs of what was built. Safe for
// concurrent use.
type Machine struct {
	functions []capability.Func
	memory    linear.Budget
	loaded    codes
}

// New returns a machine. Close it.
func New(cfg Config) *Machine {
	return &Machine{functions: cfg.Functions, memory: cmp.Or(cfg.Memory, linear.NewBudget(0))}
}

// Close checks that every program has been closed; there is nothing else to
// release.
func (m *Machine) Close(context.Context) error { return m.loaded.left() }

// features are WebAssembly 2.0, with what rewrite makes sound of 3.0: tail calls and
// extended constants.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// compiling is how modules are compiled, which must be the same where they are
// built and where they run.
func compiling() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithDebugInfoEnabled(false).WithCoreFeatures(features)
}

// Interpreting is how modules run where compiling them takes longer.
func Interpreting() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigInterpreter().WithDebugInfoEnabled(false).WithCoreFeatures(features)
}

// anonymous lets any number of instances live in one runtime; start functions
// are ours to call.
var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions()
