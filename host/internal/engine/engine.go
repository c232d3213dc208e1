// Package engine is the seam between dispatch and what runs a module. An engine
// builds a module and loads what was built as a program, which makes instances;
// sub-packages implement it, and their third-party types stay with them.
package engine

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Options are the settings that a program is prepared with.
type Options struct {
	Memory int64 // most bytes of linear memory of one instance
	// Start is the longest that initialising may take: the shortest deadline of
	// the plugin's requests. 0 = no bound but that of ctx.
	Start time.Duration

	Name   string           // of the plugin in its manifest: what the guest is told it was started as
	ABI    string           // chooses the engine; "" = abi.Module
	Routes []manifest.Route // what each route calls, for an ABI whose routes name exports

	Warmups []manifest.Warmup // requests that Build lets the guest handle

	// Frozen are the sources, manifest.FrozenClock or FrozenRandom, on which what
	// all requests start from may depend.
	Frozen []string

	// ResponseBody is what a response may have, in bytes; 0 = the most that any
	// plugin may ask for. Only Probe uses it.
	ResponseBody int64

	// Function is what a function of the module may count as, in bytes (see
	// wasmbin.Heaviest); 0 = no bound.
	Function int64 `json:"-"`

	// Owner is the plugin that the module is prepared for, so that no plugin's
	// builds keep others' waiting. Awaited says that requests wait for it.
	Owner   string `json:"-"`
	Awaited bool   `json:"-"`

	// Note is told how a program came to be, for the person who waits for it;
	// nil = nobody waits.
	Note func(string) `json:"-"`
}

// Tell tells o.Note, if there is one.
func (o Options) Tell(text string) {
	if o.Note != nil {
		o.Note(text)
	}
}

// OfBuild returns those options that what Build leaves may rest on. Build may be given
// them alone, whatever Load gets of the rest.
func (o Options) OfBuild() Options {
	o.ResponseBody, o.Routes = 0, callsOf(o.Routes)
	return o
}

// callsOf returns what routes call, without the rest that a manifest says of them. Those
// of the native ABI name nothing.
func callsOf(routes []manifest.Route) (calls []manifest.Route) {
	for _, r := range routes {
		if r.Export+r.Handler != "" {
			calls = append(calls, manifest.Route{Pattern: r.Pattern, Export: r.Export, Handler: r.Handler, ContentType: r.ContentType})
		}
	}
	return calls
}

// OptionsOf returns the options that a manifest asks for.
func OptionsOf(m *manifest.Manifest) Options {
	return Options{
		Memory: m.Limits().Memory, Start: m.MinDeadline(), Name: m.Name, ABI: m.ABI, Routes: m.Routes,
		Frozen: m.Frozen, Warmups: m.Warmups,
		ResponseBody: m.Limits().ResponseBody,
	}
}

// Engine makes programs of modules of one ABI, in two halves: one that may run in a
// process that can be lost, and one that serves. Safe for concurrent use.
type Engine interface {
	// Check reads a module without running or compiling anything of it. Errors
	// by fault code: Invalid names the import, export or offset that is wrong,
	// TooLarge is a memory over o.Memory.
	Check(module []byte, o Options) error
	// Build does everything that compiles or runs a module before it serves,
	// and leaves what Load needs in dir, an empty directory of its own. It takes
	// time and memory that the module decides: ctx bounds the time, and whoever
	// runs the process bounds the memory. Errors are those of Check and of
	// Program.Instance, and by fault code: Deadline is the end of ctx, Internal a
	// failure of the compiler.
	Build(ctx context.Context, module []byte, o Options, dir string) error
	// Load makes a program of what Build left in dir, with Options whose OfBuild is
	// the same, and of a module whose wasmbin.Code is. It
	// trusts dir, which holds machine code; dir may be removed afterwards.
	// Errors by fault code: Invalid says that dir is not what this engine
	// builds, so that it is to be built again.
	Load(ctx context.Context, dir string, o Options) (Program, error)
	// Close releases the engine. Programs must have been closed.
	Close(ctx context.Context) error
}

// Prepare has an engine check and build a module, unless it was built before, and
// load it. Errors are those of Engine.
type Prepare func(ctx context.Context, module []byte, o Options) (Program, error)

// Program is a prepared module, shared by all its instances. Safe for
// concurrent use.
type Program interface {
	// Instance makes an instance and initialises it within ctx. Errors by fault
	// code: Trap and Deadline are the guest's, Internal a host function's. Their
	// cause, for the operator, has what the guest wrote last.
	Instance(ctx context.Context) (Instance, error)
	// Fresh says for a person why instances cannot be reset, so that each
	// invocation gets a new one; "" = they can.
	Fresh() string
	// Cold says for a person why instances do not start where the warm-up
	// requests left one; "" = they do, or there are none.
	Cold() string
	// Close releases the program. Instances must have been closed.
	Close(ctx context.Context) error
}

// Instance has its own memory and serves one invocation at a time.
type Instance interface {
	// Handle runs the guest's handler for inv and stops it when ctx ends. The
	// reply and the effects are in inv, which the instance does not keep. Errors
	// by fault code: Trap (with the guest's reason), BadReply, Deadline, Internal
	// (a host function failed).
	Handle(ctx context.Context, inv *invoke.Invocation) error
	// Try runs the guest's handler for inv, a request of which it learns nothing:
	// where it asks the host for anything but to take its answer or its words, it
	// is ended, and Try returns nil. So an error, one of Handle or BadReply for
	// the reply in inv, is that of every request, unless it comes of chance.
	Try(ctx context.Context, inv *invoke.Invocation) error
	// Reset puts the instance back into the state it was made in, after any
	// outcome of Handle or Try, and reports whether it may handle another invocation.
	// If not, it is of no further use.
	Reset() bool
	// Trim gives memory back that an instance which handles nothing can do
	// without. Its next invocation takes somewhat longer and sees no difference.
	Trim()
	// Close releases the instance's memory.
	Close(ctx context.Context) error
}
