package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pflag takes a word in backquotes for the name of the value.
func TestFlagTextsHaveNoBackquotes(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		check := func(f *pflag.Flag) {
			if strings.Contains(f.Usage, "`") {
				t.Errorf("%s --%s: %q has backquotes", cmd.CommandPath(), f.Name, f.Usage)
			}
		}
		cmd.Flags().VisitAll(check)
		cmd.PersistentFlags().VisitAll(check)
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit((&program{stdout: &sink{}, stderr: &sink{}}).root())
}

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
		"list", "versions shop", "deployments shop", "audit", "var list shop", "kv list shop", "kv get shop key",
	} {
		t.Run(line, func(t *testing.T) {
			var messages bytes.Buffer
			p := newProgram(func(string) string { return "" }, strings.NewReader(""), io.Discard, &messages, func() {})
			p.readTime = 20 * time.Millisecond
			code := p.run(t.Context(), append(strings.Fields(line), "--server", server, "--token", "t"))
			if got, want := messages.String(), "no answer from "+server+" in time"; code != exitFailure || !strings.Contains(got, want) {
				t.Errorf("%s = exit code %d, %q; want %d, %q", line, code, got, exitFailure, want)
			}
		})
	}
}

func TestTokenThatCannotBeSent(t *testing.T) {
	for _, token := range []string{"first\nsecond", "two words", "tøken"} {
		var messages bytes.Buffer
		p := newProgram(func(string) string { return "" }, strings.NewReader(""), io.Discard, &messages, func() {})
		code := p.run(t.Context(), []string{"list", "--token", token})
		if got := messages.String(); code != exitUsage || !strings.Contains(got, "the token has") || strings.Contains(got, token) {
			t.Errorf("list --token %q = exit code %d, %q; want %d and no token", token, code, got, exitUsage)
		}
	}
}
