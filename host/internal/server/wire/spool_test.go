package wire

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// testSpool is a spool whose directory is known. nil = none.
type testSpool struct {
	*spool.Spool
	dir string
}

func openSpool(t *testing.T, cfg spool.Config) *testSpool {
	t.Helper()
	cfg.Dir = filepath.Join(t.TempDir(), "spool")
	s, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &testSpool{s, cfg.Dir}
}

// spooling is an edge whose handler answers with the size and the digest of the
// body, and has looked at what it takes.
func spooling(s *testSpool, memory int64, look func(*Body)) *onEdge {
	e := newTestEdge(Conns{})
	e.room = limit.NewBudget(memory)
	if s != nil {
		e.spool = s.Spool
	}
	e.handle = func(ctx *fasthttp.RequestCtx, body *Body) {
		look(body)
		h, size := sha256.New(), int64(len(body.Bytes()))
		h.Write(body.Bytes())
		if file, n := body.File(); file != nil {
			_, err := io.Copy(h, io.NewSectionReader(file, 0, n+1))
			size = n
			if err != nil {
				panic(err)
			}
		}
		fmt.Fprintf(ctx, "%d %x", size, h.Sum(nil))
	}
	return e
}

func anything(*Body) {}

// memory is too little for bodies that are not spooled.
const memory = SpoolOver + 16<<10

func summed(body string) string {
	return fmt.Sprintf("%d %x", len(body), sha256.Sum256([]byte(body)))
}

func pattern(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return string(b)
}

func chunked(body string) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(len(body), 70_001)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

func checkGivenBack(t *testing.T, e *onEdge, s *testSpool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.Room().Left() != s.Room().Size() || e.room.Left() != memory; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("left of the disk: %d of %d, of the memory: %d of %d", s.Room().Left(), s.Room().Size(), e.room.Left(), memory)
		}
	}
	checkEmpty(t, s.dir)
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("in the directory of large bodies: %v, %v", entries, err)
	}
}

// TestLargeBodies sends bodies through memory that is too small for them.
func TestLargeBodies(t *testing.T) {
	s := openSpool(t, spool.Config{})
	e := spooling(s, memory, func(body *Body) {
		if file, size := body.File(); (file != nil) != (size > SpoolOver) || file != nil && len(body.Bytes()) > 0 {
			t.Errorf("a body of %d bytes in a file: %v, and %d bytes in memory", size, file != nil, len(body.Bytes()))
		}
	})
	addr := servertest.Listen(t, e)
	for _, size := range []int{0, 1, SpoolOver - 1, SpoolOver, SpoolOver + 1, SpoolOver + 8<<10, 20 << 20} {
		body := pattern(size)
		for name, raw := range map[string]string{
			"length":  servertest.Request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size)),
			"chunked": servertest.Request("POST", "/", chunked(body), "Transfer-Encoding: chunked"),
		} {
			got := servertest.RoundTrip(t, addr, raw)
			if got.StatusCode != 200 || got.Text != summed(body) {
				t.Errorf("%d bytes, %s: status %d: %s", size, name, got.StatusCode, got.Text)
			}
		}
		checkGivenBack(t, e, s)
	}
}

// TestLargeBodyHoldsNoMemory: while a handler has a body in a file, all the
// memory for bodies is free.
func TestLargeBodyHoldsNoMemory(t *testing.T) {
	s := openSpool(t, spool.Config{})
	e := spooling(s, memory, nil)
	e.handle = func(ctx *fasthttp.RequestCtx, body *Body) {
		_, size := body.File()
		if left := e.room.Left(); left != memory {
			t.Errorf("%d bytes of memory are taken", memory-left)
		}
		if taken := s.Room().Size() - s.Room().Left(); taken != size || size != 3<<20 {
			t.Errorf("%d bytes of disk are taken for a body of %d", taken, size)
		}
		ctx.SetStatusCode(500)
	}
	addr := servertest.Listen(t, e)
	got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/", chunked(pattern(3<<20)), "Transfer-Encoding: chunked"))
	if got.StatusCode != 500 {
		t.Errorf("status %d", got.StatusCode)
	}
	checkGivenBack(t, e, s)
}

// TestSpoolRefuses: what a body may not have of the disk is given back with what
// it had, and the next one is served.
func TestSpoolRefuses(t *testing.T) {
	full := fault.New(fault.Exhausted, "", "full")
	for name, tc := range map[string]struct {
		cfg    spool.Config
		damage func(*testSpool)
		size   int
		path   string
		status int
		code   fault.Code
	}{
		"over the disk there is": {cfg: spool.Config{Max: 2 << 20}, size: 3 << 20, status: 413, code: fault.TooLarge},
		"a full disk":            {cfg: spool.Config{Health: func() error { return full }}, size: 3 << 20, status: 507, code: fault.Exhausted},
		"no directory":           {damage: func(s *testSpool) { _ = os.Remove(s.dir) }, size: 3 << 20, status: 503, code: fault.Unavailable},
		"over the route's limit": {size: 3 << 20, path: "/small", status: 413, code: fault.TooLarge},
		"over every limit":       {size: 64<<20 + 1, status: 413, code: fault.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSpool(t, tc.cfg)
			e := spooling(s, memory, anything)
			addr := servertest.Listen(t, e)
			if tc.damage != nil {
				tc.damage(s)
			}
			path := tc.path
			if path == "" {
				path = "/"
			}
			request := servertest.Request("POST", path, chunked(strings.Repeat("a", tc.size)), "Transfer-Encoding: chunked") // takes long where the machine is busy
			c := servertest.Dial(t, addr)
			go func() { _, _ = io.WriteString(c, request) }() // the server stops reading, so that this may fail
			got := servertest.Receive(t, bufio.NewReader(c), "POST")
			if got.StatusCode != tc.status {
				t.Errorf("status %d: %s", got.StatusCode, got.Text)
			}
			if p := servertest.CheckProblem(t, got); p.Code != tc.code {
				t.Errorf("code %q, want %q", p.Code, tc.code)
			}
			if err := os.MkdirAll(s.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			checkGivenBack(t, e, s)
			body := pattern(1 << 20)
			if got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/", body, "Content-Length: 1048576")); got.Text != summed(body) {
				t.Errorf("a body at the bound of memory: %d %s", got.StatusCode, got.Text)
			}
		})
	}
}

// TestLargeBodyCutShort: the file of a client that goes away goes too.
func TestLargeBodyCutShort(t *testing.T) {
	s := openSpool(t, spool.Config{})
	e := spooling(s, memory, anything)
	c := servertest.Dial(t, servertest.Listen(t, e))
	servertest.Send(t, c, servertest.Request("POST", "/", strings.Repeat("a", 2<<20), "Content-Length: 3000000"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkGivenBack(t, e, s)
}

// TestBodyOfKnownSizeTakesItsSize: the buffer of a body, and its part of the room
// for bodies, is no larger than what Content-Length says, and one read.
func TestBodyOfKnownSizeTakesItsSize(t *testing.T) {
	for _, size := range []int{1, 511, 4096, KeptBuffer - 1, KeptBuffer, KeptBuffer + 1, 100_000, 1<<20 + 1, 3 << 20} {
		var length, room int
		e := spooling(nil, int64(size+minRead), func(body *Body) { length, room = len(body.Bytes()), cap(body.Bytes()) })
		raw := servertest.Request("POST", "/", strings.Repeat("a", size), fmt.Sprintf("Content-Length: %d", size))
		if got := servertest.RoundTrip(t, servertest.Listen(t, e), raw); got.StatusCode != 200 {
			t.Errorf("%d bytes: status %d: %s", size, got.StatusCode, got.Text)
		}
		if length != size || room > size+minRead {
			t.Errorf("%d bytes: %d arrived in a buffer of %d", size, length, room)
		}
	}
}

// TestBodiesShareMemory fills the room for bodies with one that waits for its
// rest: another is refused, and taken once the first is gone.
func TestBodiesShareMemory(t *testing.T) {
	e := newTestEdge(Conns{})
	e.room = limit.NewBudget(4 << 10)
	addr := servertest.Listen(t, e)
	waiting := servertest.Dial(t, addr)
	servertest.Send(t, waiting, servertest.Request("POST", "/echo", strings.Repeat("a", 2000), "Content-Length: 3000"))
	for deadline := time.Now().Add(time.Minute); e.room.Left() == 4<<10; {
		if time.Now().After(deadline) {
			t.Fatal("the first body takes no room")
		}
		runtime.Gosched()
	}
	small := servertest.Request("POST", "/echo", strings.Repeat("b", 2000), "Content-Length: 2000")
	got := servertest.RoundTrip(t, addr, small)
	if got.StatusCode != 503 {
		t.Errorf("the second body while the first is read: status %d", got.StatusCode)
	}
	servertest.CheckProblem(t, got)
	servertest.Send(t, waiting, strings.Repeat("a", 1000))
	if got := servertest.Receive(t, bufio.NewReader(waiting), "POST"); got.StatusCode != 200 {
		t.Errorf("the first body: status %d", got.StatusCode)
	}
	if got := servertest.RoundTrip(t, addr, small); got.StatusCode != 200 {
		t.Errorf("the second body after the first: status %d", got.StatusCode)
	}
}
