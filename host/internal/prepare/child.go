package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Serve is the child's side of Config.Command: it reads one request, limits the
// process it runs in for good, builds in the working directory with one of the engines
// that open makes, and answers. The
// process does nothing else and ends afterwards; it is killed when input ends
// before that, for then nobody waits. The error says that there is no answer.
func Serve(ctx context.Context, input io.Reader, output io.Writer, open func() Engines) error {
	r, err := readRequest(input)
	if err != nil {
		return fault.Wrap(fault.Invalid, "build", "this command is started by a host that builds a module, which says what to do on standard input", err)
	}
	a := answerOf(serve(ctx, input, r, open))
	a.Peak = peakMemory()
	data, err := json.Marshal(a)
	if err == nil {
		_, err = output.Write(data)
	}
	return err
}

func serve(ctx context.Context, input io.Reader, r request, open func() Engines) error {
	if r.Identity != "" {
		own, err := identify()
		if err != nil {
			return err
		}
		if own != r.Identity {
			return fault.New(fault.Invalid, "prepare",
				"the command that builds modules is another program than the one that serves; name this very one, of the same build")
		}
	}
	if err := constrain(r.Allowed); err != nil {
		return fault.Wrap(fault.Internal, "prepare", "limit the process that builds", err)
	}
	module := make([]byte, r.Module)
	if _, err := io.ReadFull(input, module); err != nil {
		return fault.Wrap(fault.Internal, "prepare", "read the module", err)
	}
	go endWith(input)
	return named(buildHere(ctx, module, r.Options, open), r.Allowed)
}

// endWith kills the process when its input ends. It needs no end of its own: the
// process ends with the build.
func endWith(input io.Reader) {
	_, _ = io.Copy(io.Discard, input)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
}

func buildHere(ctx context.Context, module []byte, o engine.Options, open func() Engines) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Wrap(fault.Internal, "prepare", "building this module failed", fault.Recovered(r))
		}
	}()
	engines := open()
	defer func() { err = errors.Join(err, engines.Close(context.WithoutCancel(ctx))) }()
	e, err := engines.of(o)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return fault.Wrap(fault.Internal, "prepare", "find the working directory", err)
	}
	return e.Build(ctx, module, o, dir)
}

// named says of an error that a limit caused which one it is.
func named(err error, a allowance) error {
	switch {
	case errors.Is(err, syscall.ENOMEM):
		return a.outOfMemory()
	case errors.Is(err, syscall.EFBIG):
		return a.outOfSize()
	}
	return err
}
