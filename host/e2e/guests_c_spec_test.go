//go:build cguest

package e2e

import (
	bin "encoding/binary"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// The functions of testdata/probe.c: those of the ABI, and two of its own.
var (
	requestHeadC   = numberP(abi.FnRequestHead)
	requestBodyC   = numberP(abi.FnRequestBody)
	responseHeadC  = numberP(abi.FnResponseHead)
	responseWriteC = numberP(abi.FnResponseWrite)
	routeSetC      = numberP(abi.FnRouteSet)
	outcomeSetC    = numberP(abi.FnOutcomeSet)
	kvGetC         = numberP(abi.FnKVGet)
	kvSetC         = numberP(abi.FnKVSet)
	kvDeleteC      = numberP(abi.FnKVDelete)
	kvAddC         = numberP(abi.FnKVAdd)
	kvListC        = numberP(abi.FnKVList)
	configGetC     = numberP(abi.FnConfigGet)
	logWriteC      = numberP(abi.FnLogWrite)
	clockNowC      = numberP(abi.FnClockNow)
	randomFillC    = numberP(abi.FnRandomFill)
)

const (
	atStartC = 254
	growC    = 255
)

// TestCScripts has a guest in C make the calls of the scripts.
func TestCScripts(t *testing.T) {
	t.Parallel()
	runGuestScripts(t, buildC(t, "../../sdk/c/testdata/probe.c"))
}

// Statuses as SPEC.md numbers them, not as package abi does.
const (
	badPointer = -1
	invalid    = -2
	notFound   = -3
	denied     = -5
	overLimit  = -6
	wrongType  = -7

	anything = math.MinInt64 // a result that is looked at elsewhere
)

// argC is an argument of a host call: a value, an index into the probe's bytes,
// or an offset from the end of memory.
type argC struct {
	kind  byte
	value int64
}

func num(v int64) []argC           { return []argC{{0, v}} }
func atEnd(offset, n int64) []argC { return []argC{{2, offset}, {0, n}} }

// scriptC is a list of host calls for the probe, with the result each must have.
type scriptC struct {
	calls []byte
	bytes []byte
	want  []int64
}

// outAt is where output buffers lie in the probe's bytes; text lies before.
const (
	outAt = 2560
	outC  = 1536 // the part that the probe answers
)

// flagsC are what the probe does at its end, by the path of run.
var flagsC = map[string]uint32{"/": 0, "/quiet": 1, "/fail": 2, "/trap": 4}

func buf(n int64) []argC { return []argC{{1, outAt}, {0, n}} }

func (s *scriptC) text(text string) []argC {
	at := len(s.bytes)
	s.bytes = append(s.bytes, text...)
	return []argC{{1, int64(at)}, {0, int64(len(text))}}
}

// call adds a call. Strings among args are put into memory and passed as pointer
// and length, numbers as they are.
func (s *scriptC) call(want int64, function int, args ...any) *scriptC {
	var list []argC
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			list = append(list, s.text(arg)...)
		case int:
			list = append(list, num(int64(arg))...)
		case []argC:
			list = append(list, arg...)
		}
	}
	s.calls = append(s.calls, byte(function))
	for i := range probeArgs {
		var a argC
		if i < len(list) {
			a = list[i]
		}
		s.calls = bin.LittleEndian.AppendUint64(append(s.calls, a.kind), uint64(a.value))
	}
	s.want = append(s.want, want)
	return s
}

func script() *scriptC { return &scriptC{} }

// run sends the script and compares the results. It returns the answer and what
// the probe's output buffer held at the end.
func (g *guestC) run(method, path string, s *scriptC) (a answerC, results []int64, out string) {
	g.t.Helper()
	if len(s.bytes) > outAt {
		g.t.Fatalf("%d bytes of text", len(s.bytes))
	}
	a = g.do(method, "/", s.body(flagsC[path]))
	if a.err != nil || path == "/quiet" {
		return a, nil, ""
	}
	tail := len(a.body) - outC
	if tail < 8*len(s.want) {
		g.t.Fatalf("answer of %d bytes", len(a.body))
	}
	for i, want := range s.want {
		got := int64(bin.LittleEndian.Uint64([]byte(a.body[tail-8*(len(s.want)-i):])))
		if results = append(results, got); got != want && want != anything {
			g.t.Errorf("call %d: got %d, want %d", i, got, want)
		}
	}
	return a, results, a.body[tail:]
}

// body is the script as the probe reads it.
func (s *scriptC) body(flags uint32) string {
	var body []byte
	for _, n := range []uint32{uint32(len(s.want)), flags, outAt, outC} {
		body = bin.LittleEndian.AppendUint32(body, n)
	}
	return string(append(append(body, s.calls...), s.bytes...))
}

// ok runs a script that must answer and commit what it wrote.
func (g *guestC) ok(s *scriptC) string {
	g.t.Helper()
	a, _, out := g.run("POST", "/", s)
	if a.err != nil || a.Outcome == trace.Aborted {
		g.t.Errorf("outcome %q, %v", a.Outcome, a.err)
	}
	return out
}

// fails runs a script whose attempt fails with that code, and drops what it wrote.
func (g *guestC) fails(code fault.Code, path string, s *scriptC) {
	g.t.Helper()
	s.call(anything, kvSetC, "dropped", "x", 0)
	if a, _, _ := g.run("POST", path, s); fault.CodeOf(a.err) != code || a.Outcome != trace.Aborted {
		g.t.Errorf("outcome %q, %v, want %s", a.Outcome, a.err, code)
	}
	g.ok(script().call(notFound, kvGetC, "dropped", buf(8)))
}

func le64(v int64) string { return string(bin.LittleEndian.AppendUint64(nil, uint64(v))) }

func respHead(status uint32, headers ...abi.Pair) string {
	return string(abi.AppendResponseHead(nil, &abi.ResponseHead{Status: status, Headers: headers}))
}

// TestCSpecification holds the host to sentences of SPEC.md, section by section.
func TestCSpecification(t *testing.T) {
	t.Parallel()
	module := buildC(t, "../../sdk/c/testdata/probe.c")
	for name, test := range map[string]func(*testing.T, *guestC){
		"2 ranges": specRanges, "2 sizes": specSizes, "3 initialisation": specStart,
		"6.1 request": specRequest, "6.1 response": specResponse, "6.1 spoiled": specSpoiled,
		"6.2 keys": specKeys, "6.2 counters": specCounters, "6.2 lists": specLists, "6.2 expiry": specExpiry,
		"6.3 rest": specRest, "7 outcome": specOutcome, "8 memory": specMemory,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, runC(t, module, map[string]string{"name": "value", "empty": ""}))
		})
	}
	t.Run("6.2 denied", func(t *testing.T) {
		g := runC(t, module, nil)
		g.service.Env().KV = false
		g.ok(script().call(denied, kvGetC, "k", buf(8)).call(denied, kvSetC, "k", "v", 0).call(denied, kvDeleteC, "k").
			call(denied, kvAddC, "k", 1).call(denied, kvListC, "", "", 0, 0, buf(8)))
	})
}

func specRanges(_ *testing.T, g *guestC) {
	for _, r := range [][]argC{atEnd(0, 1), atEnd(1, 0), atEnd(-1, 2), {{0, 1<<32 - 1}, {0, 1<<32 - 1}}, {{0, 0}, {0, 1<<32 - 1}}} {
		g.ok(script().call(badPointer, requestHeadC, r).call(badPointer, requestBodyC, 0, r).call(badPointer, requestBodyC, 1<<40, r).
			call(badPointer, routeSetC, r).call(badPointer, kvGetC, r, buf(8)).call(badPointer, kvGetC, "k", r).
			call(badPointer, kvSetC, r, "v", 0).call(badPointer, kvSetC, "k", r, 0).call(badPointer, kvDeleteC, r).
			call(badPointer, kvAddC, r, 1).call(badPointer, kvListC, r, "", 0, 0, buf(8)).
			call(badPointer, kvListC, "", r, 0, 0, buf(8)).call(badPointer, kvListC, "", "", 0, 0, r).
			call(badPointer, configGetC, r, buf(8)).call(badPointer, configGetC, "name", r).
			call(badPointer, logWriteC, 1, r, "").call(badPointer, logWriteC, 1, "m", r).call(badPointer, randomFillC, r))
	}
	g.ok(script().call(0, responseWriteC, atEnd(0, 0)).call(0, responseWriteC, atEnd(-1, 1)).call(1, randomFillC, atEnd(-1, 1)).
		call(5, configGetC, "name", atEnd(0, 0)))
}

func specSizes(t *testing.T, g *guestC) {
	g.ok(script().call(0, kvSetC, "k", "value", 0).call(0, kvSetC, "none", "", 0))
	s := script().call(5, kvGetC, "k", buf(4)).call(0, kvGetC, "none", buf(4)).call(notFound, kvGetC, "absent", buf(4)).
		call(5, configGetC, "name", buf(4)).call(0, configGetC, "empty", buf(4)).call(notFound, configGetC, "", buf(4)).
		call(anything, requestHeadC, buf(4)).call(anything, requestHeadC, buf(0))
	_, results, out := g.run("POST", "/", s)
	if results[6] != results[7] || results[6] < 56 || strings.Trim(out, "\x00") != "" {
		t.Errorf("head of %d and %d bytes, written %q", results[6], results[7], out)
	}
	if out := g.ok(script().call(5, kvGetC, "k", buf(5)).call(5, configGetC, "name", atC(8, 5))); out[:13] != "value\x00\x00\x00value" {
		t.Errorf("got %q", out[:13])
	}
}

// atC is a buffer at an offset in the output.
func atC(offset, n int64) []argC { return []argC{{1, outAt + offset}, {0, n}} }

func specStart(t *testing.T, g *guestC) {
	s := script().call(-4, atStartC, 0).call(-4, atStartC, 1).call(32, randomFillC, buf(32))
	g.ok(s)
	if out := g.ok(script()); strings.Trim(out, "\x00") != "" {
		t.Errorf("an earlier invocation left %q", out)
	}
}

func specRequest(t *testing.T, g *guestC) {
	s := script().call(invalid, requestBodyC, -1, buf(8)).call(invalid, requestBodyC, math.MinInt64, buf(8)).
		call(0, requestBodyC, math.MaxInt64, buf(8)).call(0, requestBodyC, 0, buf(0)).call(4, requestBodyC, 0, buf(4)).
		call(1, requestBodyC, 16+7*(1+9*probeArgs)-1, buf(9)).call(0, requestBodyC, 16+7*(1+9*probeArgs), buf(9))
	if out := g.ok(s); out[:4] != "\x00\x00\x00\x00" { // the last byte of the calls, then the rest of the count
		t.Errorf("got %q", out[:4])
	}
}

func specResponse(t *testing.T, g *guestC) {
	pair := func(name, value string) abi.Pair { return abi.Pair{Name: name, Value: value} }
	s := script()
	for _, head := range []string{
		"", respHead(200)[:7], respHead(199), respHead(600), respHead(0), respHead(200, make([]abi.Pair, 101)...),
		respHead(200, pair("", "v")), respHead(200, pair("a b", "v")), respHead(200, pair("a", "v\r\nb: c")), respHead(200, pair("a", "\x00")),
		respHead(200, pair("CONTENT-LENGTH", "1x")), respHead(200, pair("Transfer-Encoding", "gzip")),
	} {
		s.call(invalid, responseHeadC, head)
	}
	s.call(overLimit, responseHeadC, atEnd(-70_000, 70_000))
	s.call(0, responseHeadC, respHead(201, pair("x", "first"))).call(0, responseWriteC, "body")
	s.call(0, responseHeadC, respHead(202, pair("Connection", "close, x-hop"), pair("keep-alive", "1"), pair("te", ""), pair("trailer", ""), pair("x-hop", "1"),
		pair("Transfer-Encoding", "chunked"), pair("upgrade", "h2c"), pair("proxy-connection", ""), pair("X-Tab", "a\tb"))+"later fields").call(0, responseWriteC, "")
	a, _, _ := g.run("POST", "/", s)
	if a.err != nil || a.status != 202 || len(a.header) != 1 || a.header["X-Tab"] != "a\tb" || !strings.HasPrefix(a.body, "body") {
		t.Errorf("got %d %v %.8q, %v", a.status, a.header, a.body, a.err)
	}
	pattern := strings.Repeat("p", 256)
	a, _, _ = g.run("POST", "/", script().call(0, routeSetC, "GET /first").call(0, routeSetC, pattern).
		call(overLimit, routeSetC, pattern+"p").call(invalid, routeSetC, "\xff").call(invalid, routeSetC, "a\x1fb"))
	if a.pattern != pattern {
		t.Errorf("pattern %q", a.pattern)
	}
	if a, _, _ = g.run("POST", "/", script().call(0, routeSetC, "GET /").call(0, routeSetC, "")); a.pattern != "" {
		t.Errorf("pattern %q", a.pattern)
	}
	if a, _, _ = g.run("POST", "/quiet", script()); a.status != 200 || len(a.header) != 0 || a.body != "" || a.err != nil {
		t.Errorf("an untouched response: %+v", a)
	}
}

func specSpoiled(_ *testing.T, g *guestC) {
	g.fails(fault.BadReply, "/quiet", script().call(0, responseHeadC, respHead(200)).call(invalid, responseHeadC, respHead(99)))
	s := script()
	for range 28 { // more than 8 MiB
		s.call(anything, responseWriteC, num(0), 300<<10)
	}
	g.fails(fault.BadReply, "/quiet", s.call(0, responseHeadC, respHead(200)))
	g.fails(fault.Trap, "/fail", script().call(0, outcomeSetC, 1))
	g.fails(fault.Trap, "/trap", script().call(0, outcomeSetC, 1))
}

func specKeys(t *testing.T, g *guestC) {
	long := strings.Repeat("k", 1024)
	g.ok(script().call(invalid, kvGetC, "", buf(8)).call(invalid, kvSetC, "", "v", 0).call(invalid, kvDeleteC, "").call(invalid, kvAddC, "", 1))
	g.ok(script().call(0, kvSetC, long, "v", 0).call(overLimit, kvSetC, long+"k", "v", 0))
	g.ok(script().call(1, kvGetC, long, buf(8)).call(overLimit, kvGetC, long+"k", buf(8)))
	g.ok(script().call(overLimit, kvDeleteC, long+"k").call(overLimit, kvAddC, long+"k", 1))
	g.ok(script().call(overLimit, kvListC, long+"k", "", 0, 0, buf(8)).call(overLimit, kvListC, "", long+"k", 0, 0, buf(8)))
	g.ok(script().call(invalid, kvSetC, "k", "v", -1).call(0, kvDeleteC, "absent"))
	// Own writes are read, and a value may be written from where it was read to.
	out := g.ok(script().call(0, kvSetC, "a", "one", 0).call(3, kvGetC, "a", buf(8)).call(0, kvSetC, buf(3), buf(3), 0).
		call(0, kvDeleteC, "a").call(notFound, kvGetC, "a", buf(8)).call(3, kvGetC, "one", atC(2, 6)))
	if out[:5] != "onone" {
		t.Errorf("got %q", out[:5])
	}
	mb := int64(1 << 20)
	value := func(n int64) []argC { return []argC{{0, 0}, {0, n}} }
	g.ok(script().call(anything, growC, 64).call(0, kvSetC, "1", value(mb), 0).call(overLimit, kvSetC, "2", value(mb+1), 0).
		call(0, kvSetC, "3", value(mb), 0).call(0, kvSetC, "4", value(mb), 0).call(overLimit, kvSetC, "5", value(mb), 0).
		call(notFound, kvGetC, "5", buf(0)))
	g.ok(script().call(mb, kvGetC, "4", buf(0)).call(notFound, kvGetC, "2", buf(0)))
}

func specCounters(t *testing.T, g *guestC) {
	top := int64(math.MaxInt64)
	g.ok(script().call(0, kvAddC, "n", 5).call(0, kvAddC, "n", -7).call(0, kvSetC, "text", "no counter", 0).
		call(wrongType, kvAddC, "text", 1).call(0, kvSetC, "top", le64(top), 0).call(wrongType, kvAddC, "top", 1).
		call(0, kvAddC, "top", -1).call(0, kvAddC, "zero", 0))
	out := g.ok(script().call(8, kvGetC, "n", buf(8)).call(8, kvGetC, "top", atC(8, 8)).call(8, kvGetC, "zero", atC(16, 8)))
	if want := le64(-2) + le64(top-1) + le64(0); out[:24] != want {
		t.Errorf("got %x, want %x", out[:24], want)
	}
	out = g.ok(script().call(0, kvAddC, "n", 1).call(8, kvGetC, "n", buf(8)).call(0, kvDeleteC, "n").call(0, kvAddC, "n", 9).
		call(8, kvGetC, "n", atC(8, 8)))
	if want := le64(-1) + le64(9); out[:16] != want {
		t.Errorf("got %x, want %x", out[:16], want)
	}
	// What is stored is found out when the attempt reads it, or commits.
	g.ok(script().call(0, kvAddC, "text", 1).call(wrongType, kvGetC, "text", buf(16)).call(wrongType, kvListC, "text", "", 0, 0, buf(64)).
		call(0, outcomeSetC, 2).call(0, kvDeleteC, "text").call(0, outcomeSetC, 0))
	g.ok(script().call(0, kvSetC, "text", "no counter", 0))
	g.fails(fault.Trap, "/", script().call(0, kvAddC, "text", 1))
	g.fails(fault.Trap, "/", script().call(0, kvAddC, "top", 2))
}

func specLists(t *testing.T, g *guestC) {
	g.ok(script().call(0, kvSetC, "a", "0", 0).call(0, kvSetC, "p1", "one", 0).call(0, kvSetC, "p2", "", 0).call(0, kvSetC, "q", "9", 0))
	page := func(more byte, entries ...string) string {
		var b []byte
		b = append(bin.LittleEndian.AppendUint32(b, uint32(len(entries))), more)
		for _, e := range entries {
			for part := range strings.SplitSeq(e, "=") {
				b = append(bin.LittleEndian.AppendUint32(b, uint32(len(part))), part...)
			}
		}
		return string(b)
	}
	const keysOnly, reverse, whole = 2, 1, 512
	for _, c := range []struct {
		prefix, after string
		limit, flags  int
		room, size    int64
		want          string
	}{
		{"p", "", 0, 0, whole, 0, page(0, "p1=one", "p2=", "p3=own")},
		{"", "", 0, keysOnly, whole, 0, page(0, "p1", "p2", "p3", "q")}, // a is deleted below
		{"", "", 3, keysOnly, whole, 0, page(1, "p1", "p2", "p3")},
		{"p", "", 3, keysOnly, whole, 0, page(0, "p1", "p2", "p3")},
		{"p", "p1", 0, keysOnly, whole, 0, page(0, "p2", "p3")},
		{"p", "p11", 1, keysOnly, whole, 0, page(1, "p2")},
		{"p", "a", 0, keysOnly, whole, 0, page(0, "p1", "p2", "p3")},
		{"p", "q", 0, keysOnly, whole, 0, page(0)},
		{"p", "", 0, keysOnly | reverse, whole, 0, page(0, "p3", "p2", "p1")},
		{"p", "p3", 1, keysOnly | reverse, whole, 0, page(1, "p2")},
		{"p", "z", 0, keysOnly | reverse, whole, 0, page(0, "p3", "p2", "p1")},
		{"p", "a", 0, keysOnly | reverse, whole, 0, page(0)},
		{"p", "", 0, keysOnly, 11, 0, page(1, "p1")},
		{"p", "", 0, keysOnly, 16, 0, page(1, "p1")},
		{"p", "", 0, keysOnly, 10, 11, ""},
		{"p", "", 0, 0, 0, 18, ""},
		{"none", "", 0, 0, 5, 0, page(0)},
		{"none", "", 0, 0, 4, 5, ""},
		{"", "", -1, 8, whole, invalid, ""},
		{"", "", 0, -1, whole, invalid, ""},
	} {
		size := c.size
		if size == 0 {
			size = int64(len(c.want))
		}
		out := g.ok(script().call(0, kvSetC, "p3", "own", 0).call(0, kvDeleteC, "a").call(size, kvListC, c.prefix, c.after, c.limit, c.flags, buf(c.room)))
		if got := out[:max(len(c.want), 1)]; strings.TrimRight(got, "\x00") != strings.TrimRight(c.want, "\x00") {
			t.Errorf("%+v: got %x, want %x", c, got, c.want)
		}
	}
}

func specExpiry(t *testing.T, g *guestC) {
	get := func(want int64, key string) { t.Helper(); g.ok(script().call(want, kvGetC, key, buf(8))) }
	g.ok(script().call(0, kvSetC, "n", le64(5), 1000).call(0, kvSetC, "kept", le64(5), 1000).call(0, kvSetC, "far", "x", math.MaxInt64).
		call(0, kvSetC, "brief", "x", 1).call(1, kvGetC, "brief", buf(8)).call(0, kvAddC, "n", 1))
	g.ok(script().call(0, kvSetC, "kept", le64(5), 0).call(0, kvAddC, "n", 1))
	g.pass(999 * time.Millisecond)
	get(notFound, "brief")
	get(8, "n") // adding keeps the time to live
	g.pass(time.Millisecond)
	get(notFound, "n")
	get(8, "kept")
	g.ok(script().call(0, kvAddC, "n", 3)) // what has expired is absent: it starts from 0, and stays
	g.pass(1000 * time.Hour)
	if out := g.ok(script().call(8, kvGetC, "n", buf(8)).call(1, kvGetC, "far", atC(8, 8))); out[:8] != le64(3) {
		t.Errorf("got %x", out[:8])
	}
}

func specRest(t *testing.T, g *guestC) {
	attrs := string(abi.AppendPairs(nil, []abi.Pair{{Name: "user", Value: "7"}}))
	s := script().call(0, logWriteC, 0, "debug", "").call(0, logWriteC, 3, "error", attrs).call(0, logWriteC, 1, "more", attrs+"later").
		call(invalid, logWriteC, 4, "m", "").call(invalid, logWriteC, -1, "m", "").call(invalid, logWriteC, 1, "m", attrs[:7]).
		call(anything, growC, 1).call(0, logWriteC, 2, atEnd(-9000, 9000), "").call(overLimit, logWriteC, 1, "m", atEnd(-9000, 9000)).
		call(anything, clockNowC).call(0, randomFillC, buf(0)).call(32, randomFillC, buf(32))
	_, results, out := g.run("POST", "/", s)
	if now := time.Now().UnixNano(); results[9] > now || results[9] < now-int64(time.Hour) {
		t.Errorf("clock_now: got %d, the time is %d", results[9], now)
	}
	if out[:32] == strings.Repeat("\x00", 32) {
		t.Error("random_fill wrote zeros")
	}
	if log := g.log.String(); !strings.Contains(log, "level=ERROR msg=error request_id=r1 guest.user=7") {
		t.Errorf("log: %.2000s", log)
	}
}

func specOutcome(t *testing.T, g *guestC) {
	for _, c := range []struct {
		outcome int
		status  uint32
		method  string
		want    trace.Outcome
	}{
		{0, 200, "POST", trace.Committed},
		{0, 404, "POST", trace.Committed},
		{0, 499, "POST", trace.Committed},
		{0, 500, "POST", trace.Aborted},
		{0, 599, "POST", trace.Aborted},
		{1, 500, "POST", trace.Committed},
		{2, 200, "POST", trace.Aborted},
		{0, 200, "HEAD", trace.Aborted},
		{1, 200, "HEAD", trace.Aborted},
	} {
		s := script().call(0, outcomeSetC, 2).call(0, outcomeSetC, c.outcome).call(invalid, outcomeSetC, 3).call(invalid, outcomeSetC, -1).
			call(0, responseHeadC, respHead(c.status)).call(0, kvSetC, "k", "v", 0)
		a, _, _ := g.run(c.method, "/", s)
		if a.err != nil || a.Outcome != c.want || a.status != int(c.status) {
			t.Errorf("%+v: got %q, %d, %v", c, a.Outcome, a.status, a.err)
		}
		kept := int64(notFound)
		if c.want == trace.Committed {
			kept = 1
		}
		g.ok(script().call(kept, kvGetC, "k", buf(8)).call(0, kvDeleteC, "k"))
	}
}

func specMemory(t *testing.T, g *guestC) {
	// 64 MiB are 1,024 pages, some of which the module starts with.
	s := script().call(-1, growC, 1024).call(anything, growC, 512).call(-1, growC, 512)
	if _, results, _ := g.run("POST", "/", s); len(results) != 3 || results[1] < 1 {
		t.Errorf("got %v", results)
	}
}

// TestCRequestHead compares the head a guest gets over HTTP with what §4 says of
// it.
func TestCRequestHead(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("c", pack(t, buildC(t, "../../sdk/c/testdata/probe.c"), "c"))
	authority := strings.TrimPrefix(s.public, "http://")
	for _, c := range []struct{ target, path, query string }{
		{"/c", "/", ""},
		{"/c/", "/", ""},
		{"/c/?", "/", ""},
		{"/c?a=%2B&&b", "/", "a=%2B&&b"},
		{"/c/a%20b/%C3%A9/+?q=1?2", "/a%20b/%C3%A9/+", "q=1?2"},
	} {
		t.Run(c.target, func(t *testing.T) {
			script := script().call(anything, requestHeadC, buf(1024))
			body := script.body(0)
			request := "POST " + c.target + " HTTP/1.1\r\nHost: " + authority + "\r\nX-TWICE: a\r\nCookie: a=1\r\nX-Twice: b\r\n" +
				"X-Empty:\r\nX-Request-Id: mine\r\nConnection: close\r\nTE: trailers\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
			answer := exchangeC(t, authority, request)
			tail := len(answer) - outC
			if tail < 8 || !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
				t.Fatalf("got %.500q", answer)
			}
			size := bin.LittleEndian.Uint64([]byte(answer[tail-8:]))
			var head abi.RequestHead
			if size > 1024 || !abi.DecodeRequestHead(answer[tail:tail+int(size)], &head) {
				t.Fatalf("head of %d bytes: %q", size, answer[tail:])
			}
			want := abi.RequestHead{
				Method: "POST", Path: c.path, Mount: "/c", Query: c.query, Scheme: "http", Host: authority, Remote: "127.0.0.1",
				Headers: []abi.Pair{
					{Name: "host", Value: authority},
					{Name: "x-twice", Value: "a"},
					{Name: "cookie", Value: "a=1"},
					{Name: "x-twice", Value: "b"},
					{Name: "x-empty"},
					{Name: "x-request-id", Value: "mine"},
				},
				RequestID: "mine", Attempt: 1, BodySize: uint64(len(body)), Trigger: "http",
			}
			if left := time.Until(time.Unix(0, head.Deadline)); left > time.Minute || left < -time.Hour {
				t.Errorf("the deadline is in %v", left)
			}
			head.Deadline = 0
			if diff := cmp.Diff(want, head, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
		})
	}
}

// exchangeC sends bytes and reads until the server closes.
func exchangeC(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // reading tells
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
