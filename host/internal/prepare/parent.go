package prepare

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// usage counts what a child used.
type usage struct {
	cpu  time.Duration
	peak int64 // bytes of memory; 0 = unknown
}

// maxStderr is how much is kept of what a child writes to its standard error:
// a process of Go that ends says why first.
const maxStderr = 16 << 10

// child is a build under way in another process.
type child struct {
	cmd     *exec.Cmd
	allowed allowance
	stdout  bounded // the answer; more than that ends the child
	stderr  bounded
	input   io.WriteCloser
	kill    context.CancelCauseFunc
	ended   chan error // what Start or Wait returned
	kills   int64      // memoryKills before it was started
}

// Why a child was killed.
var (
	errIdle   = errors.New("it waited too long")
	errOutput = errors.New("it wrote too much")
)

// runChild builds in a process of its own. What that answers, leaves behind or
// ends with is not believed.
func (p *Pipeline) runChild(ctx context.Context, w *work, j *job, allowed allowance) (usage, error) {
	if allowed.Memory < leastMemory {
		return usage{}, allowed.outOfMemory()
	}
	r := request{Allowed: allowed, Options: j.input, Module: len(j.code)}
	if !p.self {
		r.Identity = p.identity
	}
	within, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	c, err := p.newChild(within, w, allowed, kill)
	if err != nil {
		return usage{}, err
	}
	err = c.run(within, r, j.code)
	use, err := c.judge(ctx, context.Cause(within), err)
	if err != nil && c.stderr.kept.Len() > 0 {
		p.cfg.Log.Warn("a process that builds a module wrote to its standard error", slog.String("text", text(c.stderr.kept.String(), maxStderr)))
	}
	return use, err
}

// newChild readies a process whose working directory is to become the artefact,
// and which sees nothing of this one's environment.
func (p *Pipeline) newChild(ctx context.Context, w *work, allowed allowance, kill context.CancelCauseFunc) (*child, error) {
	command := p.cfg.Command
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	if p.self {
		cmd.Path, cmd.Err = executable(), nil
	}
	c := &child{cmd: cmd, allowed: allowed, kill: kill, ended: make(chan error, 1), kills: memoryKills()}
	c.stdout = bounded{max: maxAnswer, over: func() { kill(errOutput) }}
	c.stderr = bounded{max: maxStderr, over: func() {}}
	cmd.Dir, cmd.Env = w.artefact, environment(w.tmp)
	cmd.Stdout, cmd.Stderr = &c.stdout, &c.stderr
	cmd.Cancel = func() error { killGroup(cmd.Process); return nil }
	cmd.WaitDelay = time.Second // for what the child may have started, and what holds its output
	isolate(cmd)
	var err error
	if c.input, err = cmd.StdinPipe(); err != nil {
		return nil, broken("start the process that builds", err)
	}
	return c, nil
}

// maxThreads is how many threads of a build compute at a time: each takes memory
// of its own, and requests want processors too.
const maxThreads = 4

// environment is all of the child's. One arena keeps the C library from
// reserving address space for each thread.
func environment(tmp string) []string {
	env := []string{
		"TMPDIR=" + tmp, "MALLOC_ARENA_MAX=1", "GOTRACEBACK=single",
		fmt.Sprintf("GOMAXPROCS=%d", min(maxThreads, runtime.GOMAXPROCS(0))),
	}
	if runtime.GOOS == "windows" {
		env = append(env, "TMP="+tmp, "TEMP="+tmp)
	}
	return env
}

// run starts the child, hands it the request and waits for its end. Its input
// stays open as long as this process waits for it.
func (c *child) run(ctx context.Context, r request, module []byte) error {
	started := make(chan error, 1)
	go c.supervise(started)
	if err := <-started; err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var rest sync.WaitGroup
	rest.Go(func() { c.watch(ctx) })
	rest.Go(func() { _ = writeRequest(c.input, r, module) }) // a child that reads no more has ended, or answers
	err := <-c.ended
	end()
	rest.Wait() // Wait of the process has closed the input
	return err
}

// supervise starts the child and waits for it, on a thread that makes it what it
// is and whose end would end it.
func (c *child) supervise(started chan<- error) {
	prepareThread()
	err := c.cmd.Start()
	if err == nil {
		limitProcess(c.cmd.Process, c.allowed)
	}
	started <- err
	if err != nil {
		return
	}
	err = c.cmd.Wait()
	killGroup(c.cmd.Process) // what it started; mostly nothing
	c.ended <- err
}

// judge makes an error for a person of the way a child ended, nil when it built.
// The kernel limits the processor time by another count than it tells at the
// end: by its ticks, which on a busy machine run well ahead.
func (c *child) judge(ctx context.Context, cause error, err error) (use usage, _ error) {
	state := c.cmd.ProcessState
	if state != nil {
		use = usageOf(state)
	}
	switch {
	case ctx.Err() != nil:
		return use, gaveUp(ctx, "the build was given up")
	case state == nil:
		return use, fault.Wrap(fault.Internal, "prepare", "start the process that builds", err)
	case errors.Is(cause, errOutput):
		return use, fault.New(fault.Internal, "prepare", "the process that builds wrote more than an answer, and was ended")
	case errors.Is(cause, errIdle):
		return use, c.allowed.outOfPatience()
	case err == nil:
		peak, err := outcome(c.stdout.kept.Bytes())
		use.peak = cmp.Or(peak, use.peak)
		return use, asFault(err)
	}
	return use, c.broken(use, err)
}

// broken is judge of a child that ended without an answer.
func (c *child) broken(use usage, err error) error {
	killed := wasKilled(c.cmd.ProcessState)
	switch {
	case c.endedByMemory():
		return c.allowed.outOfMemory()
	case killed && use.cpu >= c.allowed.CPU/4*3:
		return c.allowed.outOfTime()
	case killed && memoryKills() > c.kills:
		return fault.Wrap(fault.TooLarge, "prepare",
			"the memory of the machine or of the server's control group ended while the module was built; make the module smaller, give the server more memory, or lower max_build_memory of the host to what there is", err)
	case killed:
		return fault.Wrap(fault.Unavailable, "prepare",
			"the process that builds was killed from outside; try again", err)
	}
	return fault.Wrap(fault.Internal, "prepare", "the process that builds broke down on this module", err)
}

// asFault returns err, nil or one that a child answered, as a fault.
func asFault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Wrap(fault.Internal, "prepare", "the process that builds broke down on this module", err)
}

// memoryEnds are words of Go's runtime when it finds no memory, of which a thread, its
// stack and the books of the heap take some too (runtime/malloc.go, mem_linux.go,
// mheap.go, mpagealloc.go, stack.go; runtime/cgo). Under the race detector the heap's
// address space ends in words of its own.
var memoryEnds = []string{
	"out of memory", "cannot allocate", "failed to reserve page summary memory", "failed to allocate aligned heap memory",
	"cannot map pages in arena address space", "cannot remap pages in address space", "cannot disable permissions in address space",
	"failed to create new OS thread", "pthread_create failed", "address space collisions", "grew heap, but no adequate free space found",
}

// leastMemory is how much Go itself may need to build the smallest module. With less
// one build ends and the next one does not, so none is begun.
const leastMemory = 32 << 20

// endedByMemory reports whether a process that broke down did so for want of memory.
func (c *child) endedByMemory() bool {
	stderr := c.stderr.kept.String()
	return slices.ContainsFunc(memoryEnds, func(words string) bool { return strings.Contains(stderr, words) })
}

// bounded keeps the first bytes written to it and drops the rest.
type bounded struct {
	kept bytes.Buffer
	max  int
	over func() // called when there is more
}

// Write implements io.Writer, and never fails.
func (b *bounded) Write(data []byte) (int, error) {
	fits := min(len(data), b.max-b.kept.Len())
	_, _ = b.kept.Write(data[:fits]) // it never fails
	if fits < len(data) {
		b.over()
	}
	return len(data), nil
}
