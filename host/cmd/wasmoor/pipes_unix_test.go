//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

// ends runs a command line and interrupts it after a moment. It returns the exit code
// and what the command wrote to standard error.
func ends(t *testing.T, stdin io.Reader, interrupt time.Duration, args ...string) (int, string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), interrupt)
	defer stop()
	code := make(chan int, 1)
	var stderr bytes.Buffer // read after the end
	go func() {
		code <- run(ctx, args, func(string) string { return "" }, stdin, io.Discard, &stderr)
	}()
	select {
	case c := <-code:
		return c, stderr.String()
	case <-time.After(patience):
		t.Fatalf("%v: has not ended", args)
		return 0, ""
	}
}

// A pipe that nobody writes holds whoever opens it, and one whose writer says nothing
// holds whoever reads it.
func TestAnInterruptEndsWaitingForAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"unopened", "silent"} {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := os.OpenFile("silent", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := os.MkdirAll("shipped/epochs", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("shipped/epochs/000000000001-aaaaaaaaaaaa", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"backup verify PIPE", "restore PIPE --data none", "restore shipped --data none --identity PIPE", "backup verify . --identity PIPE",
		"deploy PIPE", "inspect PIPE", "pack PIPE", "config check --config PIPE", "doctor --config PIPE", "list --token-file PIPE", "list --ca PIPE",
		"var set shop KEY --file PIPE", "var set shop --env PIPE", "secret set shop KEY --from-file PIPE", "kv put shop key --file PIPE",
		"apply -f PIPE", "audit verify PIPE", "backup verify -", "restore - --data none", "secret set shop KEY -",
	} {
		for _, pipe := range []string{"unopened", "silent"} {
			t.Run(command+" of "+pipe, func(t *testing.T) {
				r, w := io.Pipe()
				defer w.Close()
				code, said := ends(t, r, 50*time.Millisecond, strings.Fields(strings.ReplaceAll(command, "PIPE", pipe))...)
				if code != cli.ExitInterrupted {
					t.Errorf("exit code %d, want %d: %s", code, cli.ExitInterrupted, said)
				}
			})
		}
	}
}

// What a shell makes of <(command) is a pipe, and is good for what is read once.
func TestWhatIsReadOnceMayBeAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		go func() {
			if f, err := os.OpenFile("pipe", os.O_WRONLY, 0); err == nil {
				_, _ = f.WriteString(text)
				_ = f.Close()
			}
		}()
	}
	write("log_level = \"debug\"\n")
	if code, said := ends(t, nil, patience, "config", "check", "--config", "pipe"); code != cli.ExitOK {
		t.Errorf("config check of a pipe: exit code %d, %s", code, said)
	}
	write("log_lev = \"debug\"\n")
	if code, said := ends(t, nil, patience, "config", "check", "--config", "pipe"); code != cli.ExitUsage || !strings.Contains(said, "log_level") {
		t.Errorf("config check of a pipe with a wrong key: exit code %d, %s", code, said)
	}
}

// A server reads its files again, and in the middle of that it would wait for ever.
func TestAServerTakesNoPipeForAFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", "link"); err != nil {
		t.Fatal(err)
	}
	own := []string{"--data", filepath.Join(dir, "data"), "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	for _, flags := range []string{
		"--config pipe", "--config link", "--tls-cert pipe --tls-key pipe", "--admin-tls-cert pipe --admin-tls-key link",
		"--secrets-key-file pipe", "--policy link",
	} {
		t.Run(flags, func(t *testing.T) {
			code, said := ends(t, nil, patience/2, slices.Concat([]string{"serve"}, own, strings.Fields(flags))...)
			if code == cli.ExitOK || code == cli.ExitInterrupted || !strings.Contains(said, "regular file") {
				t.Errorf("exit code %d, and it says: %s", code, said)
			}
		})
	}
}
