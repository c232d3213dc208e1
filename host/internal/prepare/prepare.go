// Package prepare turns modules into programs without letting them near the
// process that serves: a module is checked here, built in a process of its own
// that has little and can be lost, and what it leaves, the artefact, is sealed,
// kept for the next time and loaded. Package host imports it.
package prepare

import (
	"bytes"
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
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Config is the configuration of a Pipeline.
type Config struct {
	// Dir holds the artefacts; it is made if need be, mode 0700. What lies there
	// is machine code: whoever writes to it runs code as this process.
	Dir string
	// Secret is the file of the key that artefacts are sealed with, outside Dir.
	// It is made if need be, mode 0600.
	Secret string
	// Command starts the process that builds: one that calls Serve. Empty
	// builds in this process, where Limits do not hold: for trusted modules only.
	Command []string
	// Limits are those of all builds.
	Limits Limits
	// Log gets a record of each build, and of each artefact that is refused.
	Log *slog.Logger
}

// Pipeline prepares modules of every ABI that it has an engine of: what is not in
// the cache is built, and what is there is loaded. Safe for concurrent use.
type Pipeline struct {
	cfg      Config
	engines  Engines
	cache    *cache
	identity string
	self     bool // Command runs the program that this process is
	machine  string
	builds   *queue
	counts   counts
}

// New returns a pipeline and removes what killed ones left in cfg.Dir. Closing it
// closes the engines. Errors are Internal: a directory or file that cannot be used.
func New(cfg Config, engines Engines) (*Pipeline, error) {
	identity, err := identify()
	if err != nil {
		return nil, err
	}
	cache, err := openCache(cfg)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{cfg: cfg, engines: engines, cache: cache, identity: identity, machine: machine(), builds: &queue{limits: cfg.Limits}}
	if len(cfg.Command) > 0 {
		p.self = isSelf(cfg.Command[0])
	}
	return p, cache.sweepLeftovers()
}

// Limit gives the builds that come other limits. The size of one artefact stays.
func (p *Pipeline) Limit(limits Limits) { p.builds.limit(limits) }

// Sweep removes the artefacts of modules that keep does not name.
func (p *Pipeline) Sweep(keep func(plugin.Digest) bool) error { return p.cache.sweep(keep) }

// Close closes the engines. Programs must have been closed.
func (p *Pipeline) Close(ctx context.Context) error { return p.engines.Close(ctx) }

// Prepare is an engine.Prepare. One build runs for all that want the same, and it
// waits as long as ctx until it fits among the others. Errors are also TooLarge
// and Deadline for what a build may use, Unavailable for one that was killed, and
// Invalid for an ABI without an engine.
func (p *Pipeline) Prepare(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
	j, err := p.job(module, o)
	if err != nil {
		return nil, err
	}
	unlock, err := p.cache.lock(ctx, j.key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if program, err := p.cached(ctx, j); program != nil || err != nil {
		return program, err
	}
	took, err := p.build(ctx, j)
	if err != nil {
		return nil, err
	}
	program, err := p.load(ctx, j)
	if err != nil {
		return nil, err
	}
	o.Tell(fmt.Sprintf("built in %d ms", took.Milliseconds()))
	p.cache.trim(j.key, p.builds.now().Disk)
	return program, nil
}

// job is a module that is to be prepared, checked already.
type job struct {
	engine  engine.Engine
	options engine.Options
	digest  plugin.Digest // of the module
	// The artefact is built of these alone, and key is theirs. So modules that differ in
	// their manifests or in what they carry share one, and those that differ in code
	// cannot.
	code  []byte
	input engine.Options
	key   string
}

func (p *Pipeline) job(module []byte, o engine.Options) (*job, error) {
	e, err := p.engines.of(o)
	if err != nil {
		return nil, err
	}
	o.Function = p.builds.now().Function
	if err := e.Check(module, o); err != nil {
		return nil, err
	}
	code, err := wasmbin.Code(module)
	if err != nil {
		return nil, err
	}
	j := &job{engine: e, options: o, digest: plugin.DigestOf(module), code: code, input: o.OfBuild()}
	if !bytes.Contains(code, []byte(wasiArguments)) {
		j.input.Name = "" // plugins that have the module share what is built
	}
	j.key, err = p.key(plugin.DigestOf(code), j.input)
	return j, err
}

// wasiArguments is the function that tells a guest the name of its plugin.
const wasiArguments = "args_get"

// load makes a program of the artefact that is there. The caller holds the key.
func (p *Pipeline) load(ctx context.Context, j *job) (engine.Program, error) {
	return j.engine.Load(ctx, p.cache.path(j.key), j.options)
}

// FromCache is what Options.Note is told of a program whose artefact was there.
const FromCache = "from cache"

// cached returns the program of an artefact that is there and sound, or nil. One
// that is not is removed. The caller holds the key.
func (p *Pipeline) cached(ctx context.Context, j *job) (engine.Program, error) {
	ok, err := p.cache.check(j.key, j.digest)
	if !ok || err != nil {
		return nil, err
	}
	program, err := p.load(ctx, j)
	switch fault.CodeOf(err) {
	case "":
		p.counts.cached.Add(1)
		j.options.Tell(FromCache)
		return program, nil
	case fault.Invalid:
		return nil, p.cache.refuse(j.key, err)
	}
	return nil, err
}

// build leaves a sealed artefact under the key. The caller holds the key.
func (p *Pipeline) build(ctx context.Context, j *job) (took time.Duration, err error) {
	allowed := p.builds.now().allow(len(j.code), j.options.Memory, j.options.Awaited)
	leave, err := p.builds.enter(ctx, j.options.Owner, j.options.Awaited, allowed.Memory)
	if err != nil {
		return 0, gaveUp(ctx, "other modules are still being built; try again when they have ended")
	}
	defer leave()
	start := time.Now()
	work, err := p.cache.begin()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, work.close()) }()
	use, err := p.produce(ctx, work, j, allowed)
	took = time.Since(start)
	p.counts.build(took, err)
	if err != nil {
		p.cfg.Log.Info("a module was not built", "digest", j.digest, "ms", took.Milliseconds(), "cpu_ms", use.cpu.Milliseconds(), "error", err)
		return took, err
	}
	p.cfg.Log.Info("module built", "digest", j.digest, "bytes", len(j.code), "ms", took.Milliseconds(), "cpu_ms", use.cpu.Milliseconds(), "peak_bytes", use.peak)
	if err := p.cache.put(work, j.key, j.digest); errors.Is(err, errTooLarge) {
		return took, allowed.outOfSize()
	} else if err != nil {
		return took, err
	}
	return took, nil
}

// produce builds in a child, or here if there is no command for one.
func (p *Pipeline) produce(ctx context.Context, w *work, j *job, allowed allowance) (usage, error) {
	if len(p.cfg.Command) > 0 {
		return p.runChild(ctx, w, j, allowed)
	}
	return usage{}, j.engine.Build(ctx, j.code, j.input, w.artefact)
}

// key names the artefact of code and options. Everything that decides what a build
// leaves is in it: these two, the program that builds, with all its dependencies, and
// the machine.
func (p *Pipeline) key(code plugin.Digest, o engine.Options) (string, error) {
	options, err := json.Marshal(o)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "prepare", "name the artefact", err)
	}
	sum := sha256.New()
	for _, part := range []string{"wasmoor artefact 1", string(code), string(options), p.identity, p.machine} {
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
