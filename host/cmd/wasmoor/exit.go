package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// The exit codes, as `wasmoor help exit-codes` documents them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitConflict    = 5
	exitWaiting     = 6
	exitInterrupted = 130
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
       for what, and which command comes next
  130  interrupted`

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesText}
}

// usageError is a command line that cannot be carried out.
type usageError struct{ command, text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// ended is the result of a command that has said everything already.
type ended struct{ code int }

func (e ended) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exit reports err to the person and returns the exit code.
func (p *program) exit(ctx context.Context, err error) int {
	if err := p.unwritten(); err != nil {
		if !readerGone(err) {
			p.complain(err.Error())
		}
		return exitFailure
	}
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[ended](err); ok {
		return e.code
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		p.complain("interrupted")
		return exitInterrupted
	}
	if e, ok := errors.AsType[*usageError](err); ok || !p.running {
		p.complain(err.Error())
		if ok && e.command != "" {
			p.note("see `%s --help`", e.command)
		}
		return exitUsage
	}
	p.complain(err.Error())
	p.hint(err)
	return exitCode(fault.CodeOf(err))
}

// unwritten returns why output is missing: data that was not written, or messages
// that nobody reads any more.
func (p *program) unwritten() error {
	if err := p.stdout.failure(); err != nil {
		return fault.Wrap(fault.Internal, "write the output", "", err)
	}
	if err := p.stderr.failure(); readerGone(err) {
		return err
	}
	return nil
}

func exitCode(code fault.Code) int {
	switch code {
	case fault.NotFound:
		return exitNotFound
	case fault.Unauthenticated, fault.Denied:
		return exitDenied
	case fault.Conflict:
		return exitConflict
	}
	return exitFailure
}

// hint says what to do about an error whose message does not know the command
// line.
func (p *program) hint(err error) {
	if fault.CodeOf(err) == fault.Unauthenticated {
		p.note("give the token of this very server with --token-file or WASMOOR_TOKEN; the server prints the file's path when it starts")
	}
}

func (p *program) complain(text string) {
	fmt.Fprintf(p.stderr, "%s %s\n", p.paint(p.stderr, red, "error:"), strings.TrimRight(text, "\n"))
}

func (p *program) note(format string, args ...any) {
	fmt.Fprintf(p.stderr, format+"\n", args...)
}
