package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// buildError is a build command that failed, with all it printed.
type buildError struct {
	command string
	cause   error
	output  []byte
}

// Unwrap returns what ended the command.
func (e *buildError) Unwrap() error { return e.cause }

func (e *buildError) Error() string { return fmt.Sprintf("build: `%s`: %v", e.command, e.cause) }

// build runs the manifest's build command in the project's folder, if there is
// one.
func (j *Project) build(ctx context.Context) error {
	command := j.Manifest.Build.Command
	if command == "" {
		return nil
	}
	var output bytes.Buffer
	cmd := shell(ctx, command)
	cmd.Dir = j.Dir
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 2 * time.Second // for children that keep the output open
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			endGroup(cmd)
			err = context.Cause(ctx)
		}
		return &buildError{command: command, cause: err, output: output.Bytes()}
	}
	return nil
}

func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", command)
	}
	return exec.CommandContext(ctx, "sh", "-c", command)
}

// ShowFailure writes what a failed build printed.
func ShowFailure(t *term.Terminal, err error) {
	e, ok := errors.AsType[*buildError](err)
	if !ok {
		return
	}
	_, _ = t.Stderr.Write(e.output)
	if n := len(e.output); n > 0 && e.output[n-1] != '\n' {
		_, _ = io.WriteString(t.Stderr, "\n")
	}
}
