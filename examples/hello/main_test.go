package main

import (
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestGreet(t *testing.T) {
	host := sdktest.New(routes().Serve)
	for _, c := range []struct {
		target string
		status int
		body   string
	}{
		{"/", 200, "Hello, world!\n"},
		{"/ada", 200, "Hello, ada!\n"},
		{"/J%C3%BCrgen", 200, "Hello, Jürgen!\n"},
		{"/a/b", 404, `{"title":"Not Found","status":404,"detail":"there is nothing at this path"}` + "\n"},
	} {
		t.Run(c.target, func(t *testing.T) {
			res := host.Get(c.target)
			if res.Status != c.status || res.Text() != c.body {
				t.Errorf("got %v, want %d %q", res, c.status, c.body)
			}
		})
	}
}

func TestGreetAnswersGetOnly(t *testing.T) {
	res := sdktest.New(routes().Serve).Send("POST", "/ada", "", "")
	if res.Status != 405 || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("got %v with Allow %q, want 405 with GET, HEAD", res, res.Header.Get("Allow"))
	}
}
