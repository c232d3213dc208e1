package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// stream asks for an event stream that is refused, and shows the answer: stream CODE URL.
func stream(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := askStream(context.Background(), args[1])
	ts.Check(err)
	defer resp.Body.Close()
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("%s: %s", args[1], resp.Status)
	}
	_, err = io.Copy(ts.Stdout(), io.LimitReader(resp.Body, 64<<10))
	ts.Check(err)
}

func askStream(ctx context.Context, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(r)
}

// first sets a variable to what a pattern finds in the output of the last command: first
// NAME PATTERN.
func first(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("nothing is like %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// listen opens an event stream, and writes what comes on it into a file until the server
// ends it, or the script does: listen FILE URL. The first event has come when it returns.
func listen(ts *testscript.TestScript, _ bool, args []string) {
	ctx, stop := context.WithCancel(context.Background())
	resp, err := askStream(ctx, args[1])
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", args[1], resp.Status)
	}
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	in := bufio.NewReader(resp.Body)
	if _, err := in.Peek(1); err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(file, in) // its end is that of the stream
	}()
	ts.Defer(func() {
		stop()
		<-over
		_ = resp.Body.Close()
		_ = file.Close()
	})
}
