package main

import (
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestGreet(t *testing.T) {
	host := sdktest.New(greet)
	host.Routes = []string{"GET /{$}", "GET /{name}"} // as in wasmoor.toml
	for _, c := range []struct {
		target string
		status int
		body   string
	}{
		{"/", 200, "Hello, world!\n"},
		{"/ada", 200, "Hello, ada!\n"},
		{"/J%C3%BCrgen", 200, "Hello, Jürgen!\n"},
	} {
		t.Run(c.target, func(t *testing.T) {
			res := host.Get(c.target)
			if res.Status != c.status || res.Text() != c.body {
				t.Errorf("got %v, want %d %q", res, c.status, c.body)
			}
		})
	}
}
