// Package term is where the command line meets a person or a script: the standard
// streams, tables, JSON, colour, progress, questions, and how sizes, times and URLs
// are written. It knows nothing of commands. The other packages of the binary
// import it.
package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Terminal is where one run of the program reads and writes: data to Stdout,
// everything else to Stderr. Its methods are safe for concurrent use when the
// streams are.
type Terminal struct {
	Getenv         func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	NoColor bool // plain text, also on a terminal
	AsJSON  bool // the command's data is written as JSON

	ctx            context.Context //nolint:containedctx // of the command; nil = it never ends
	stdout, stderr *sink
}

// Context ends with the command.
func (t *Terminal) Context() context.Context {
	if t.ctx == nil {
		return context.Background()
	}
	return t.ctx
}

// EndWith has what reads standard input, or asks a person, end with ctx.
func (t *Terminal) EndWith(ctx context.Context) { t.ctx, t.Stdin = ctx, Input(ctx, t.Stdin) }

// New returns a terminal, which calls end when what is written cannot be seen any
// more: data cannot be written, or nobody reads the messages. A log that cannot be
// written for another reason, e.g. on a full disk, does not end it.
func New(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer, end func()) *Terminal {
	t := &Terminal{
		Getenv: getenv, Stdin: stdin,
		stdout: &sink{w: stdout, failed: func(error) { end() }},
		stderr: &sink{w: stderr, failed: func(err error) {
			if ReaderGone(err) {
				end()
			}
		}},
	}
	t.Stdout, t.Stderr = t.stdout, t.stderr
	return t
}

// Unwritten returns why output is missing, nil when none is: data that was not
// written, or messages that nobody reads any more.
func (t *Terminal) Unwritten() error {
	if err := t.stdout.failure(); err != nil {
		return fault.Wrap(fault.Internal, "write the output", "", err)
	}
	if err := t.stderr.failure(); ReaderGone(err) {
		return err
	}
	return nil
}

// Complain writes the text of an error for a person.
func (t *Terminal) Complain(text string) {
	fmt.Fprintf(t.Stderr, "%s %s\n", t.Paint(t.Stderr, Red, "error:"), shown(strings.TrimRight(text, "\n"), false))
}

// Note writes a line for a person. Texts of others in it may hold what they like; colours
// are those of Paint.
func (t *Terminal) Note(format string, args ...any) {
	fmt.Fprintln(t.Stderr, shown(fmt.Sprintf(format, args...), t.Colours(t.Stderr)))
}

// Ask puts a question to a person, with no as the default.
func (t *Terminal) Ask(question string) bool {
	fmt.Fprintf(t.Stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(t.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// AskHidden puts a question to a person at a terminal, who does not see the answer.
// false = standard input is no terminal.
func (t *Terminal) AskHidden(question string) (answer []byte, asked bool, err error) {
	if !IsTerminal(t.Stdin) {
		return nil, false, nil
	}
	file, _ := stream(t.Stdin).(*os.File)
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, false, err
	}
	fmt.Fprint(t.Stderr, question+" ")
	answer, err = Await(t.Context(), func() ([]byte, error) { return term.ReadPassword(fd) })
	err = errors.Join(err, term.Restore(fd, before)) // what the person types next is to be seen
	fmt.Fprintln(t.Stderr)
	return answer, true, err
}

// Source is standard input whose reads do not end with the command.
func (t *Terminal) Source() io.Reader {
	r, _ := stream(t.Stdin).(io.Reader)
	return r
}

// stream returns what a standard stream of the program is.
func stream(v any) any {
	switch s := v.(type) {
	case *sink:
		return s.w
	case *input:
		return s.r
	}
	return v
}

// IsTerminal reports whether v, a reader or writer, is a terminal.
func IsTerminal(v any) bool {
	file, ok := stream(v).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Width returns how many characters a line of standard output has; 0 = it is no terminal.
func (t *Terminal) Width() int {
	file, ok := stream(t.Stdout).(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}
