package main

import (
	"net/http"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

const file = `<Cube time='2026-11-27'>
	<Cube currency='USD' rate='1.25'/>
	<Cube currency='JPY' rate='160.5'/>
</Cube>`

// with returns a host on which the bank answers so.
func with(bank http.Handler) *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Upstream("https://www.ecb.europa.eu", bank)
	return host
}

func TestConvert(t *testing.T) {
	works := sdktest.Answer(200, "text/xml", file)
	for _, c := range []struct {
		name, path string
		bank       http.Handler
		status     int
		text       string // "" = a problem document
	}{
		{"dollars", "/10/USD", works, 200, "12.50\n"},
		{"yen", "/0.5/JPY", works, 200, "80.25\n"},
		{"no such currency", "/1/XXX", works, 404, ""},
		{"no number", "/ten/USD", works, 400, ""},
		{"the bank is down", "/1/USD", sdktest.Failing(fetch.ErrUnreachable), 502, ""},
		{"the bank fails", "/1/USD", sdktest.Answer(503, "text/plain", "later"), 502, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := with(c.bank).Get(c.path)
			if res.Status != c.status || c.text != "" && res.Text() != c.text {
				t.Errorf("got %v, want %d %q", res, c.status, c.text)
			}
		})
	}
}
