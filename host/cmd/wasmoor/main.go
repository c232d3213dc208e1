// Command wasmoor is the platform in one binary: it serves plugins, and it is
// the tool of those who write and operate them. It is the one package that reads
// flags and the environment and that exits; nothing imports it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code. The first interrupt
// ends the command in an orderly way; a second one ends the process at once.
// Output that cannot be written is an interrupt too.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	defer notePipes()()
	ctx, stop := signal.NotifyContext(ctx, interrupts()...)
	defer stop()
	context.AfterFunc(ctx, stop)
	ctx, end := context.WithCancel(ctx)
	defer end()
	p := &cli.Program{Terminal: term.New(getenv, stdin, stdout, stderr, end)}
	return p.Run(ctx, root(p), args)
}

// interrupts are the signals that end a command. The end of a terminal is one,
// unless nohup says otherwise.
func interrupts() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// notePipes makes a write to a pipe that nobody reads an error, also on the
// standard streams, where it would end the process with its temporary files left
// behind. The result undoes it. Programs that are started do not inherit it.
func notePipes() (undo func()) {
	signals := make(chan os.Signal, 1) // nobody listens: the write says it too
	signal.Notify(signals, syscall.SIGPIPE)
	return func() { signal.Stop(signals) }
}
