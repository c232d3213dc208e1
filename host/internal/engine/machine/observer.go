package machine

import (
	"context"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
)

// observer sees a guest that is built read its sources, and who does. It
// implements wazero's FunctionListenerFactory.
type observer struct {
	functions
	by    map[source]string // who read a source first, as a person would say it
	world *world            // of the run
}

func newObserver(f functions) *observer { return &observer{functions: f, by: map[source]string{}} }

// NewFunctionListener implements experimental.FunctionListenerFactory.
func (o *observer) NewFunctionListener(def api.FunctionDefinition) experimental.FunctionListener {
	switch module, name := def.ModuleName(), o.name(def); {
	case module == wasi.Module && name == "clock_time_get":
		return experimental.FunctionListenerFunc(o.clock)
	case module == wasi.Module && name == "random_get":
		return experimental.FunctionListenerFunc(o.random)
	case drawsNumbers(name) && o.ofGo():
		return experimental.FunctionListenerFunc(o.number)
	}
	return nil
}

// drawsNumbers reports whether a function of Go's runtime gives a number of its
// generator to other packages (runtime/rand.go of Go 1.22 to 1.27).
func drawsNumbers(name string) bool {
	name, ok := strings.CutPrefix(name, "runtime.")
	if !ok {
		return false
	}
	switch strings.TrimPrefix(name, "legacy_") {
	case "rand", "rand32", "randn", "cheaprand", "cheaprandn", "cheaprand64", "fastrand", "fastrandn", "fastrand64":
		return true
	}
	return false
}

// seesNumber reports whether the program can see a number that a package draws
// with a function of the runtime. Code draws with runtime.rand also for each map
// that a function keeps to itself; so a package is believed to draw for no more,
// unless its name says otherwise or a function that draws may be inlined in it.
func (o *observer) seesNumber(path, function string) bool {
	if function == "runtime.rand" || function == "runtime.rand32" {
		return path == hashes || path == "os" || isRandom(path) || o.draws && !ofGo(path)
	}
	return path != "runtime" && path != "sync" && path != "unique" && !strings.HasPrefix(path, "internal/")
}

func (o *observer) clock(_ context.Context, _ api.Module, _ api.FunctionDefinition, params []uint64, stack experimental.StackIterator) {
	callers := o.callers(stack)
	o.world.reader = o.reader(callers)
	s := wallClock << min(params[0], 1)
	counts := o.world.reader == program || o.world.reader == goTime && (s == wallClock || o.world.readings > manyReadings)
	if counts && o.by[s] == "" {
		o.by[s] = o.who(callers)
	}
}

// reader returns who reads a clock. Go's runtime reads for itself past the
// functions that give a time to others.
func (o *observer) reader(callers []string) reader {
	if !o.ofGo() {
		return program
	}
	reads := false
	for _, name := range callers {
		switch name {
		case "runtime.clock_time_get", "runtime.walltime", "runtime.walltime1", "runtime.nanotime", "runtime.nanotime1", "time.now":
			reads = true
			continue
		}
		switch path := packageOf(name); {
		case !reads:
			return program
		case path == "runtime", !strings.Contains(name, "."): // what resumes a goroutine: who reads is not known
			return goRuntime
		case path == "time":
			return goTime
		}
		return program
	}
	return goRuntime
}

// ofGo reports whether the guest is a program in Go whose functions are known.
func (o *observer) ofGo() bool { return len(o.names) > 0 }

func (o *observer) random(_ context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64, stack experimental.StackIterator) {
	if callers := o.callers(stack); o.by[randomBytes] == "" && !o.seedsRuntime(callers) {
		o.by[randomBytes] = o.who(callers)
	}
}

// seedsRuntime reports whether Go's runtime draws its own seed.
func (o *observer) seedsRuntime(callers []string) bool {
	return o.ofGo() && len(callers) > 1 && packageOf(callers[1]) == "runtime"
}

// number sees a draw from the generator of Go's runtime. What resumes a goroutine
// is no caller: the call was seen before.
func (o *observer) number(_ context.Context, _ api.Module, def api.FunctionDefinition, _ []uint64, stack experimental.StackIterator) {
	callers := o.callers(stack)
	if len(callers) == 0 || !strings.Contains(callers[0], ".") {
		return
	}
	if o.by[randomNumbers] == "" && o.seesNumber(packageOf(callers[0]), o.name(def)) {
		o.by[randomNumbers] = o.who(callers)
	}
}

// maxCallers bounds how far a stack is looked at.
const maxCallers = 50

// callers returns the names of the functions that called the one on top.
func (o *observer) callers(stack experimental.StackIterator) (names []string) {
	for range maxCallers {
		if !stack.Next() {
			break
		}
		if name := o.name(stack.Function().Definition()); name != "" {
			names = append(names, name)
		}
	}
	return names[min(1, len(names)):]
}

// who names for a person who is to blame: in Go the function outside its own
// packages that is nearest, in other languages the nearest three.
func (o *observer) who(callers []string) string {
	if o.ofGo() {
		for _, name := range callers {
			if strings.Contains(name, ".") && !ofGo(packageOf(name)) {
				return readable(name)
			}
		}
	}
	return strings.Join(callers[:min(3, len(callers))], " < ")
}
