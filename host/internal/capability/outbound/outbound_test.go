package outbound_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// bufAt is where results go; arguments lie from 0 on.
const (
	bufAt = 1 << 16
	size  = 2 << 16
)

type guest struct {
	*capability.Guest
	t *testing.T
}

// with returns a guest that may call the origin; "" = it has no grant.
func with(t *testing.T, origin string) guest {
	t.Helper()
	inv := enginetest.Invocation("", nil, nil)
	if origin != "" {
		granted, err := plugin.ParseOrigin(origin)
		if err != nil {
			t.Fatal(err)
		}
		inv.Env.States.Add(outbound.Name, egress.New(egress.Config{
			Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			Origins: []plugin.Origin{granted}, Limits: egress.DefaultLimits(),
		}))
		t.Cleanup(inv.Env.States.Close)
		t.Cleanup(inv.End)
	}
	return guest{&capability.Guest{Inv: inv, Mem: make(capability.Memory, size)}, t}
}

func (g guest) call(name string, args ...uint64) int64 {
	g.t.Helper()
	return enginetest.Call(g.t, outbound.Unit(egress.Network{}).Native, g.Guest, name, args...)
}

// in calls a function whose last parameter is data.
func (g guest) in(name string, data []byte, args ...uint64) int64 {
	g.t.Helper()
	copy(g.Mem, data)
	return g.call(name, append(args, 0, uint64(len(data)))...)
}

func (g guest) open(method, url string) int64 {
	g.t.Helper()
	return g.in(abi.FnHTTPOpen, abi.AppendHTTPRequest(nil, &abi.HTTPRequest{Method: method, URL: url}))
}

func (g guest) send(handles ...uint32) int64 {
	g.t.Helper()
	return g.in(abi.FnHTTPSend, abi.AppendHandles(nil, handles))
}

func echo(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestCall(t *testing.T) {
	origin := echo(t)
	g := with(t, origin)
	h := g.open("POST", origin)
	if h != 1 {
		t.Fatalf("open: %d", h)
	}
	for _, piece := range []string{"in ", "pieces"} {
		if got := g.in(abi.FnHTTPWrite, []byte(piece), uint64(h)); got != 0 {
			t.Fatalf("write: %v", abi.Status(got))
		}
	}
	if got := g.send(uint32(h)); got != 1 {
		t.Fatalf("send: %d", got)
	}
	n := g.call(abi.FnHTTPHead, uint64(h), bufAt, 0)
	if g.Mem[bufAt] != 0 || n < 10 {
		t.Errorf("a head that does not fit: %d", n)
	}
	var head abi.HTTPResponse
	if got := g.call(abi.FnHTTPHead, uint64(h), bufAt, uint64(n)); got != n || !abi.DecodeHTTPResponse(string(g.Mem[bufAt:bufAt+n]), &head) || head.Status != 200 {
		t.Errorf("head: %d, %+v", got, head)
	}
	var body strings.Builder
	for {
		n := g.call(abi.FnHTTPRead, uint64(h), bufAt, 3)
		if n <= 0 {
			break
		}
		body.Write(g.Mem[bufAt : bufAt+n])
	}
	if body.String() != "POST in pieces" {
		t.Errorf("body %q", body.String())
	}
	if got := g.call(abi.FnHTTPClose, uint64(h)); got != 0 {
		t.Errorf("close: %v", abi.Status(got))
	}
	if got := g.call(abi.FnHTTPRead, uint64(h), bufAt, 3); abi.Status(got) != abi.NotFound {
		t.Errorf("read after close: %v", abi.Status(got))
	}
}

// each calls every function with arguments that are right for an open call 1.
func (g guest) each(check func(name string, got abi.Status)) {
	g.t.Helper()
	check(abi.FnHTTPOpen, abi.Status(g.open("GET", "http://a.example")))
	check(abi.FnHTTPWrite, abi.Status(g.in(abi.FnHTTPWrite, []byte("x"), 1)))
	check(abi.FnHTTPSend, abi.Status(g.send(1)))
	check(abi.FnHTTPHead, abi.Status(g.call(abi.FnHTTPHead, 1, bufAt, 8)))
	check(abi.FnHTTPRead, abi.Status(g.call(abi.FnHTTPRead, 1, bufAt, 8)))
	check(abi.FnHTTPClose, abi.Status(g.call(abi.FnHTTPClose, 1)))
}

func TestWithoutAGrant(t *testing.T) {
	with(t, "").each(func(name string, got abi.Status) {
		if got != abi.Denied {
			t.Errorf("%s: %v, want denied", name, got)
		}
	})
}

// TestRefusalsAreLogged: the guest gets a number, its author the reason.
func TestRefusalsAreLogged(t *testing.T) {
	for name, c := range map[string]struct {
		origin, header string
		want           string
	}{
		"without any grant":   {"", "", "no origin is granted; list it under [outbound] in wasmoor.toml, as allow = [\\\"https://api.example.com\\\"]\" request_id=request-1 guest.url=http://a.example/"},
		"of another origin":   {"http://b.example", "", "http://a.example is not granted"},
		"with a large header": {"http://a.example", strings.Repeat("y", egress.MaxHead), "its head is larger than 32KiB"},
	} {
		var log strings.Builder
		g := with(t, c.origin)
		g.Inv.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
		g.in(abi.FnHTTPOpen, abi.AppendHTTPRequest(nil, &abi.HTTPRequest{URL: "http://a.example/", Headers: []abi.Pair{{Name: "x", Value: c.header}}}))
		if !strings.Contains(log.String(), "call refused: "+c.want) {
			t.Errorf("%s: the log says %q", name, &log)
		}
	}
}

// TestAWrongLengthIsLogged when the call would be sent: before, nobody knows how long
// the body gets.
func TestAWrongLengthIsLogged(t *testing.T) {
	var log strings.Builder
	g := with(t, "http://a.example")
	g.Inv.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := g.in(abi.FnHTTPOpen, abi.AppendHTTPRequest(nil, &abi.HTTPRequest{
		Method: "POST", URL: "http://a.example/p?s3cret", Headers: []abi.Pair{{Name: "Content-Length", Value: "7"}},
	}))
	if got := g.send(uint32(h)); got != 0 || !strings.Contains(log.String(), `call refused: the header \"content-length\" says \"7\"`) ||
		strings.Contains(log.String(), "s3cret") {
		t.Errorf("send: %d, the log says %q", got, &log)
	}
}

func TestDuringInitialisation(t *testing.T) {
	g := with(t, "http://a.example")
	g.Inv = nil
	g.each(func(name string, got abi.Status) {
		if got != abi.Unavailable {
			t.Errorf("%s: %v, want unavailable", name, got)
		}
	})
}

func TestRefused(t *testing.T) {
	origin := echo(t)
	g := with(t, origin)
	large := abi.AppendHTTPRequest(nil, &abi.HTTPRequest{URL: origin, Headers: []abi.Pair{{Name: "x", Value: strings.Repeat("y", egress.MaxHead)}}})
	for name, c := range map[string]struct {
		got  int64
		want abi.Status
	}{
		"another origin":    {g.open("GET", "http://a.example"), abi.Denied},
		"another port":      {g.open("GET", "http://127.0.0.1:1"), abi.Denied},
		"method":            {g.open("CONNECT", origin), abi.Invalid},
		"url":               {g.open("GET", "file:///etc/passwd"), abi.Invalid},
		"head cut short":    {g.in(abi.FnHTTPOpen, []byte{1, 2}), abi.Invalid},
		"head too large":    {g.in(abi.FnHTTPOpen, large), abi.Limit},
		"handles cut short": {g.in(abi.FnHTTPSend, []byte{1, 0, 0, 0}), abi.Invalid},
		"handle":            {g.send(77), abi.NotFound},
		"head outside":      {g.call(abi.FnHTTPOpen, size, 1), abi.BadPointer},
		"buffer outside":    {g.call(abi.FnHTTPRead, 1, size-1, 2), abi.BadPointer},
	} {
		if abi.Status(c.got) != c.want {
			t.Errorf("%s: %v, want %v", name, abi.Status(c.got), c.want)
		}
	}
}

// TestRefusalInTheLog: the plugin's log says why and where, and none of what may
// be secret.
func TestRefusalInTheLog(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example:8443/b%2Fc?key=s3cret#s3cret": "url=https://a.example:8443/b%2Fc",
		"https://s3cret:s3cret@a.example/b":              "url=https://a.example/b",
		"https://a.example/%zz?key=s3cret":               `url=""`,
		"https://a.example/" + strings.Repeat("b", 1000): "bbb",
	} {
		g := with(t, "https://b.example")
		var log bytes.Buffer
		g.Inv.Env.Log = slog.New(slog.NewTextHandler(&log, nil))
		if got := g.open("GET", url); got >= 0 {
			t.Fatalf("%s: handle %d", url, got)
		}
		if line := log.String(); !strings.Contains(line, want) || strings.Contains(line, "s3cret") || len(line) > 600 {
			t.Errorf("%s: the log says %s", url, line)
		}
	}
}

// TestTheEndEndsTheCall: a host function that waits returns when the
// invocation is over, with the error that ends the guest.
func TestTheEndEndsTheCall(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(s.Close)
	g := with(t, s.URL)
	h := g.open("GET", s.URL)
	layout := abi.AppendHandles(nil, []uint32{uint32(h)})
	copy(g.Mem, layout)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	for _, f := range outbound.Unit(egress.Network{}).Native {
		if f.Name != abi.FnHTTPSend {
			continue
		}
		if _, err := f.Call(ctx, g.Guest, []uint64{0, uint64(len(layout))}); !errors.Is(err, context.Canceled) {
			t.Errorf("send returned %v", err)
		}
	}
}

// TestRefusedPiecesTakeNothing: only what will be sent counts of the handlers'
// memory.
func TestRefusedPiecesTakeNothing(t *testing.T) {
	g := with(t, "http://a.example")
	g.Inv.Env.Memory = limit.NewBudget(1 << 10)
	for range 5 {
		if got := abi.Status(g.in(abi.FnHTTPWrite, make([]byte, 60<<10), 1)); got != abi.NotFound {
			t.Errorf("write to no call: %v", got)
		}
	}
	if err := g.Inv.Starved(); err != nil {
		t.Error(err)
	}
}
