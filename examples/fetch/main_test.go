package main

import (
	"testing"

	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestBoard(t *testing.T) {
	host := sdktest.New(board)
	host.Upstream("https://example.com", sdktest.Answer(200, "text/html", ""))
	host.Upstream("https://www.iana.org", sdktest.Answer(503, "text/html", ""))
	host.Upstream("https://go.dev", sdktest.Failing(fetch.ErrTimeout))
	res := host.Get("/")
	want := "https://example.com/ up: 200\n" +
		"https://www.iana.org/ up: 503\n" +
		"https://go.dev/ down: fetch https://go.dev/: the service fails in this test\n"
	if res.Status != 200 || res.Text() != want {
		t.Errorf("got %v, want %q", res, want)
	}
	if len(res.Calls) != 3 || res.Calls[0].Method != "HEAD" {
		t.Errorf("calls %+v", res.Calls)
	}
}
