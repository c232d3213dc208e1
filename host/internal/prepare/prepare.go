// Package prepare turns modules into programs without letting them near the
// process that serves: a module is checked here, built in a process of its own
// that has little and can be lost, and what it leaves, the artefact, is sealed,
// kept for the next time and loaded. Package host imports it.
package prepare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Config is what a Pipeline works with.
type Config struct {
	// Dir holds the artefacts; it is made if need be, mode 0700. What lies there
	// is machine code: whoever writes to it runs code as this process.
	Dir string
	// Secret is the file of the key that artefacts are sealed with, outside Dir.
	// It is made if need be, mode 0600.
	Secret string
	// MaxSize is how many bytes all artefacts may take: those used longest ago
	// go first. 0 = no bound.
	MaxSize int64
	// Command starts the process that builds: one that calls Serve. Empty
	// builds in this process, where Limits do not hold: for trusted modules only.
	Command []string
	// Limits are those of one build.
	Limits Limits
	// Log gets a record of each build, and of each artefact that is refused.
	Log *slog.Logger
}

// Limits are what one build may use.
type Limits struct {
	Memory int64         // bytes of address space beyond what the process starts with
	CPU    time.Duration // of all its threads together, in whole seconds
	Wall   time.Duration // from start to end
	Size   int64         // bytes of the artefact
}

// Pipeline prepares modules. Safe for concurrent use.
type Pipeline struct {
	cfg      Config
	cache    *cache
	identity string
	self     bool // Command runs the program that this process is
	machine  string
	building chan struct{} // holds one token while a module is built: compilers are hungry
	builds   atomic.Int64
}

// New returns a pipeline and removes what killed ones left in cfg.Dir. It holds
// nothing that must be closed. Errors are Internal: a directory or file that
// cannot be used.
func New(cfg Config) (*Pipeline, error) {
	identity, err := identify()
	if err != nil {
		return nil, err
	}
	cache, err := openCache(cfg)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{cfg: cfg, cache: cache, identity: identity, machine: machine(), building: make(chan struct{}, 1)}
	if len(cfg.Command) > 0 {
		p.self = isSelf(cfg.Command[0])
	}
	return p, cache.sweepLeftovers()
}

// Engine returns an engine of programs that b checks, builds and loads. Closing
// it closes b.
func (p *Pipeline) Engine(b engine.Builder) engine.Engine { return &preparing{p, b} }

// Builds returns how many modules were built, and not taken from the cache.
func (p *Pipeline) Builds() int64 { return p.builds.Load() }

// Sweep removes the artefacts of modules that keep does not name.
func (p *Pipeline) Sweep(keep func(plugin.Digest) bool) error { return p.cache.sweep(keep) }

// preparing implements engine.Engine.
type preparing struct {
	*Pipeline
	builder engine.Builder
}

// Close implements engine.Engine.
func (e *preparing) Close(ctx context.Context) error { return e.builder.Close(ctx) }

// Prepare implements engine.Engine. One build runs at a time, and one for all
// that want the same; the others wait for it as long as their ctx. Errors are
// also TooLarge and Deadline for what a build may use, and Unavailable for one
// that was killed.
func (e *preparing) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	if err := e.builder.Check(module, o); err != nil {
		return nil, err
	}
	digest := plugin.DigestOf(module)
	key, err := e.key(digest, o)
	if err != nil {
		return nil, err
	}
	unlock, err := e.cache.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if program, err := e.cached(ctx, key, o); program != nil || err != nil {
		return program, err
	}
	took, err := e.build(ctx, key, digest, module, o)
	if err != nil {
		return nil, err
	}
	program, err := e.builder.Load(ctx, e.cache.path(key), o)
	if err != nil {
		return nil, err
	}
	o.Tell(fmt.Sprintf("built in %d ms", took.Milliseconds()))
	e.cache.trim(key)
	return program, nil
}

// FromCache is what Options.Note is told of a program whose artefact was there.
const FromCache = "from cache"

// cached returns the program of an artefact that is there and sound, or nil. One
// that is not is removed. The caller holds the key.
func (e *preparing) cached(ctx context.Context, key string, o engine.Options) (engine.Program, error) {
	ok, err := e.cache.check(key)
	if !ok || err != nil {
		return nil, err
	}
	program, err := e.builder.Load(ctx, e.cache.path(key), o)
	switch fault.CodeOf(err) {
	case "":
		o.Tell(FromCache)
		return program, nil
	case fault.Invalid:
		return nil, e.cache.refuse(key, err)
	}
	return nil, err
}

// build leaves a sealed artefact under key. The caller holds the key.
func (e *preparing) build(ctx context.Context, key string, digest plugin.Digest, module []byte, o engine.Options) (took time.Duration, err error) {
	select {
	case e.building <- struct{}{}:
	case <-ctx.Done():
		return 0, gaveUp(ctx, "another module is still being built; try again when it has ended")
	}
	defer func() { <-e.building }()
	start := time.Now()
	e.builds.Add(1)
	work, err := e.cache.begin()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, work.close()) }()
	use, err := e.produce(ctx, work, module, o)
	took = time.Since(start)
	if err != nil {
		e.cfg.Log.Warn("a module was not built", "digest", digest, "ms", took.Milliseconds(), "error", err)
		return took, err
	}
	e.cfg.Log.Info("module built", "digest", digest, "ms", took.Milliseconds(), "cpu_ms", use.cpu.Milliseconds(), "peak_bytes", use.peak)
	return took, e.cache.put(work, key, digest)
}

// produce builds in a child, or here if there is no command for one.
func (e *preparing) produce(ctx context.Context, w *work, module []byte, o engine.Options) (usage, error) {
	if len(e.cfg.Command) > 0 {
		return e.runChild(ctx, w, module, o)
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Limits.Wall)
	defer cancel()
	return usage{}, e.builder.Build(ctx, module, o, w.artefact)
}

// key names the artefact of a module. Everything that decides what a build
// leaves is in it: the module, the options, the program that builds, with all
// its dependencies, and the machine.
func (p *Pipeline) key(digest plugin.Digest, o engine.Options) (string, error) {
	options, err := json.Marshal(o)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "prepare", "name the artefact", err)
	}
	sum := sha256.New()
	for _, part := range []string{"wasmoor artefact 1", string(digest), string(options), p.identity, p.machine} {
		fmt.Fprintf(sum, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// identify returns the digest of the running program. A newer one builds
// everything anew: an artefact is only for the code that made it.
func identify() (string, error) {
	file, err := os.Open(executable())
	if err != nil {
		return "", fault.Wrap(fault.Internal, "prepare", "read the running program", err)
	}
	defer func() { _ = file.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fault.Wrap(fault.Internal, "prepare", "read the running program", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// procSelf is the running program on Linux, also when the file it was started
// from has been replaced, as an upgrade does.
const procSelf = "/proc/self/exe"

func executable() string {
	if _, err := os.Stat(procSelf); err == nil {
		return procSelf
	}
	path, err := os.Executable()
	if err != nil {
		return "" // opening it says why
	}
	return path
}

// isSelf reports whether a command is the running program.
func isSelf(command string) bool {
	if filepath.Base(command) == command {
		return false // looked up in PATH
	}
	own, err := os.Stat(executable())
	if err != nil {
		return false
	}
	other, err := os.Stat(command)
	return err == nil && os.SameFile(own, other)
}

func gaveUp(ctx context.Context, message string) error {
	code := fault.Unavailable
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = fault.Deadline
	}
	return fault.Wrap(code, "prepare", message, ctx.Err())
}
