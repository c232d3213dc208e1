package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// buildError is a build command that failed, with what it printed.
type buildError struct {
	command string
	cause   error
	output  []byte
}

// Unwrap returns what ended the command.
func (e *buildError) Unwrap() error { return e.cause }

func (e *buildError) Error() string {
	return fmt.Sprintf("build: `%s`: %v%s", e.command, e.cause, hint(e.output))
}

// build runs the manifest's build command in the project's folder, if there is
// one.
func (j *Project) build(ctx context.Context) error {
	command := j.Manifest.Build.Command
	if command == "" {
		return nil
	}
	var printed output
	cmd := shell(ctx, command)
	cmd.Dir = j.Dir
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.WaitDelay = 2 * time.Second // for children that keep the output open
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			endGroup(cmd)
			err = context.Cause(ctx)
		}
		return &buildError{command: command, cause: err, output: printed.text()}
	}
	return nil
}

func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", command)
	}
	return exec.CommandContext(ctx, "sh", "-c", command)
}

// FailureOutput returns what a failed build printed, "" for another failure.
func FailureOutput(err error) string {
	e, ok := errors.AsType[*buildError](err)
	if !ok {
		return ""
	}
	return string(e.output)
}

// ShowFailure writes what a failed build printed.
func ShowFailure(t *term.Terminal, err error) {
	if output := FailureOutput(err); output != "" {
		_, _ = io.WriteString(t.Stderr, strings.TrimSuffix(output, "\n")+"\n")
	}
}
