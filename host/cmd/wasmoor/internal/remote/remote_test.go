package remote

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// mute takes connections and never says a word.
func mute(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return "http://" + listener.Addr().String() // the backlog takes them
}

func TestReadsGiveUpOnAMuteServer(t *testing.T) {
	server := mute(t)
	for _, line := range []string{
		"list", "versions shop", "deployments shop", "var list shop", "kv list shop", "kv get shop key",
	} {
		t.Run(line, func(t *testing.T) {
			code, messages := ask(t, strings.Fields(line+" --server "+server+" --token t")...)
			if want := "no answer from " + server + " in time"; code != cli.ExitFailure || !strings.Contains(messages, want) {
				t.Errorf("%s = exit code %d, %q; want %d, %q", line, code, messages, cli.ExitFailure, want)
			}
		})
	}
}

// ask runs a command line, whose reads wait for 20 ms, and returns its exit code and
// its messages.
func ask(t *testing.T, args ...string) (code int, messages string) {
	t.Helper()
	var stderr bytes.Buffer
	noEnv := func(string) string { return "" }
	p := &cli.Program{Terminal: term.New(noEnv, strings.NewReader(""), io.Discard, &stderr, func() {})}
	c := New(p)
	c.readTime = 20 * time.Millisecond
	root := &cobra.Command{Use: "wasmoor"}
	root.AddCommand(c.ListCommand(), c.VersionsCommand(), c.DeploymentsCommand(), c.VarCommand(), c.KVCommand())
	return p.Run(t.Context(), root, args), stderr.String()
}

func TestTokenThatCannotBeSent(t *testing.T) {
	for _, token := range []string{"first\nsecond", "two words", "tøken"} {
		code, messages := ask(t, "list", "--token", token)
		if code != cli.ExitUsage || !strings.Contains(messages, "the token has") || strings.Contains(messages, token) {
			t.Errorf("list --token %q = exit code %d, %q; want %d and no token", token, code, messages, cli.ExitUsage)
		}
	}
}
