package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// The exit codes, as `wasmoor help exit-codes` documents them.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitDenied      = 4
	ExitConflict    = 5
	ExitWaiting     = 6
	ExitDifference  = 7
	ExitInterrupted = 130
)

const exitCodesText = `wasmoor exits with

    0  done
    1  it failed: the message says what and where. "call" also when the answer
       is 500 or above, "inspect" also when this host would refuse the module,
       "precompile" when it would refuse one that serves, "verify" when
       something is damaged.
       Without a message when nobody reads the output any more
    2  the command line or a config is wrong: nothing was tried
    3  there is no such plugin, version, variable, key or file
    4  not allowed: a token is missing or wrong, or the token would be exposed
    5  it collides with something: a route of another plugin, a folder that
       exists, a change that another one overtook
    6  deployed, but it waits for something before it serves: the message says
       for what, and which command comes next. "apply" when a secret has to be
       set before anything is changed
    7  "apply --plan" has found a difference
  130  interrupted`

// ExitCodes is the help topic about exit codes.
func ExitCodes() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesText}
}

// UsageError is a command line that cannot be carried out.
type UsageError struct{ command, text string }

func (e *UsageError) Error() string { return e.text }

// Usage returns the error of a command line that cannot be carried out.
func Usage(format string, args ...any) error {
	return &UsageError{text: fmt.Sprintf(format, args...)}
}

// Ended is the exit code of a command that has said everything already.
type Ended int

func (e Ended) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exit reports err to the person and returns the exit code.
func (p *Program) exit(ctx context.Context, err error) int {
	if err := p.Unwritten(); err != nil {
		if !term.ReaderGone(err) {
			p.Complain(err.Error())
		}
		return ExitFailure
	}
	if err == nil {
		return ExitOK
	}
	if e, ok := errors.AsType[Ended](err); ok {
		return int(e)
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		p.Complain("interrupted")
		return ExitInterrupted
	}
	if e, ok := errors.AsType[*UsageError](err); ok || !p.running {
		p.Complain(err.Error())
		if ok && e.command != "" {
			p.Note("see `%s --help`", e.command)
		}
		return ExitUsage
	}
	p.Complain(err.Error())
	p.hint(err)
	return exitCode(fault.CodeOf(err))
}

func exitCode(code fault.Code) int {
	switch code {
	case fault.NotFound:
		return ExitNotFound
	case fault.Unauthenticated, fault.Denied:
		return ExitDenied
	case fault.Conflict:
		return ExitConflict
	}
	return ExitFailure
}

// hint says what to do about an error whose message does not know the command
// line.
func (p *Program) hint(err error) {
	if fault.CodeOf(err) == fault.Unauthenticated {
		p.Note("give the token of this very server with --token-file or WASMOOR_TOKEN; the server prints the file's path when it starts")
	}
}
