package server

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func openSpool(t *testing.T, cfg SpoolConfig) *Spool {
	t.Helper()
	cfg.Dir = filepath.Join(t.TempDir(), "spool")
	s, err := OpenSpool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roomy has every route take bodies of the largest size.
type roomy struct{ mounted }

func (r roomy) Route(method, host, path string, params []abi.Pair) Match {
	m := r.mounted.Route(method, host, path, params)
	if path != "/small" {
		m.Limits.RequestBody = limit.Maximum().RequestBody
	}
	return m
}

// summing answers with the size and the digest of the body, which it reads by
// parts in each of two attempts.
func summing(inv *invoke.Invocation) (dispatch.Result, error) {
	var sums []string
	for attempt := 1; attempt <= 2; attempt++ {
		inv.Begin(attempt, inv.Limits, nil)
		body := &inv.Request.Body
		h := sha256.New()
		buf := make([]byte, 10_007)
		for offset := int64(0); ; {
			n, err := body.ReadAt(buf, offset)
			h.Write(buf[:n])
			offset += int64(n)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return dispatch.Result{}, err
			}
		}
		sums = append(sums, fmt.Sprintf("%d %x", body.Size(), h.Sum(nil)))
	}
	inv.Reply.Body = append(inv.Reply.Body, strings.Join(sums, "\n")...)
	return dispatch.Result{Attempts: 2, Outcome: dispatch.None}, nil
}

func summed(body string) string {
	sum := fmt.Sprintf("%d %x", len(body), sha256.Sum256([]byte(body)))
	return sum + "\n" + sum
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

func checkGivenBack(t *testing.T, p *Public, s *Spool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.room.Load() != s.cfg.Max || p.room.Load() != p.cfg.BodyMemory; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("left of the disk: %d of %d, of the memory: %d of %d", s.room.Load(), s.cfg.Max, p.room.Load(), p.cfg.BodyMemory)
		}
	}
	checkEmpty(t, s.cfg.Dir)
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("in the directory of large bodies: %v, %v", entries, err)
	}
}

// TestLargeBodies sends bodies through memory that is too small for them.
func TestLargeBodies(t *testing.T) {
	const memory = spoolOver + 16<<10
	s := openSpool(t, SpoolConfig{})
	p := NewPublic(PublicConfig{Spool: s, BodyMemory: memory, Routes: keeping{roomy{mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		if _, ok := inv.Request.Body.InMemory(); ok != (inv.Request.Body.Size() <= spoolOver) {
			t.Errorf("a body of %d bytes in memory: %v", inv.Request.Body.Size(), ok)
		}
		return summing(inv)
	}}}}}})
	addr := listen(t, p)
	for _, size := range []int{0, 1, spoolOver - 1, spoolOver, spoolOver + 1, spoolOver + 8<<10, 20 << 20} {
		body := pattern(size)
		for name, raw := range map[string]string{
			"length":  request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size)),
			"chunked": request("POST", "/", chunked(body), "Transfer-Encoding: chunked"),
			"key":     request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size), "Idempotency-Key: k"),
		} {
			got := roundTrip(t, addr, raw)
			if got.StatusCode != 200 || got.body != summed(body) {
				t.Errorf("%d bytes, %s: status %d: %s", size, name, got.StatusCode, got.body)
			}
		}
		checkGivenBack(t, p, s)
	}
}

// TestLargeBodyHoldsNoMemory: while a handler has a body in a file, all the
// memory for bodies is free, and the file has no name.
func TestLargeBodyHoldsNoMemory(t *testing.T) {
	s := openSpool(t, SpoolConfig{})
	var p *Public
	p = NewPublic(PublicConfig{Spool: s, Routes: roomy{mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		if left := p.room.Load(); left != p.cfg.BodyMemory {
			t.Errorf("%d bytes of memory are taken", p.cfg.BodyMemory-left)
		}
		if taken := s.cfg.Max - s.room.Load(); taken != inv.Request.Body.Size() {
			t.Errorf("%d bytes of disk are taken for a body of %d", taken, inv.Request.Body.Size())
		}
		if runtime.GOOS != "windows" {
			checkEmpty(t, s.cfg.Dir)
		}
		panic("a bug in the host")
	}}}}})
	addr := listen(t, p)
	got := roundTrip(t, addr, request("POST", "/", chunked(pattern(3<<20)), "Transfer-Encoding: chunked"))
	if got.StatusCode != 500 {
		t.Errorf("status %d", got.StatusCode)
	}
	checkGivenBack(t, p, s)
}

// TestSpoolRefuses: what a body may not have of the disk is given back with what
// it had, and the next one is served.
func TestSpoolRefuses(t *testing.T) {
	full := fault.New(fault.Exhausted, "", "full")
	for name, tc := range map[string]struct {
		cfg    SpoolConfig
		damage func(*Spool)
		size   int
		path   string
		status int
		code   fault.Code
	}{
		"over the disk there is": {cfg: SpoolConfig{Max: 2 << 20}, size: 3 << 20, status: 413, code: fault.TooLarge},
		"a full disk":            {cfg: SpoolConfig{Health: func() error { return full }}, size: 3 << 20, status: 507, code: fault.Exhausted},
		"no directory":           {damage: func(s *Spool) { _ = os.Remove(s.cfg.Dir) }, size: 3 << 20, status: 503, code: fault.Unavailable},
		"over the route's limit": {size: 3 << 20, path: "/small", status: 413, code: fault.TooLarge},
		"over every limit":       {size: 64<<20 + 1, status: 413, code: fault.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSpool(t, tc.cfg)
			p := NewPublic(PublicConfig{Spool: s, Routes: roomy{mounted{&guest{handle: summing}}}})
			addr := listen(t, p)
			if tc.damage != nil {
				tc.damage(s)
			}
			path := tc.path
			if path == "" {
				path = "/"
			}
			c := dial(t, addr)
			go func() { // the server stops reading, so that this may fail
				_, _ = io.WriteString(c, request("POST", path, chunked(strings.Repeat("a", tc.size)), "Transfer-Encoding: chunked"))
			}()
			got := receive(t, bufio.NewReader(c), "POST")
			if got.StatusCode != tc.status {
				t.Errorf("status %d: %s", got.StatusCode, got.body)
			}
			if p := checkProblem(t, got); p.Code != tc.code {
				t.Errorf("code %q, want %q", p.Code, tc.code)
			}
			if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			checkGivenBack(t, p, s)
			body := pattern(1 << 20)
			if got := roundTrip(t, addr, request("POST", "/", body, "Content-Length: 1048576")); got.body != summed(body) {
				t.Errorf("a body at the bound of memory: %d %s", got.StatusCode, got.body)
			}
		})
	}
}

// TestSpoolIsShared: what others hold comes free, which is worth another attempt;
// what is over the whole never fits.
func TestSpoolIsShared(t *testing.T) {
	s := openSpool(t, SpoolConfig{Max: 2 << 20})
	var one, two spooled
	defer one.close()
	defer two.close()
	piece := make([]byte, 1<<20)
	for i, tc := range []struct {
		file *spooled
		want *refusal
	}{{&one, nil}, {&two, nil}, {&two, refuseFiles}, {&one, refuseFiles}} {
		if got := tc.file.write(s, piece); got != tc.want {
			t.Errorf("piece %d: %v, want %v", i, got, tc.want)
		}
	}
	one.close()
	for i, want := range []*refusal{nil, refuseLarge} {
		if got := two.write(s, piece); got != want {
			t.Errorf("piece %d by itself: %v, want %v", i, got, want)
		}
	}
}

// TestLargeBodyCutShort: the file of a client that goes away goes too.
func TestLargeBodyCutShort(t *testing.T) {
	s := openSpool(t, SpoolConfig{})
	p := NewPublic(PublicConfig{Spool: s, Routes: roomy{mounted{&guest{handle: summing}}}})
	c := dial(t, listen(t, p))
	send(t, c, request("POST", "/", strings.Repeat("a", 2<<20), "Content-Length: 3000000"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkGivenBack(t, p, s)
}

func TestOpenSpoolEmptiesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "body-1"), []byte("left behind"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSpool(SpoolConfig{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	checkEmpty(t, dir)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSpool(SpoolConfig{Dir: file}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a file in place of the directory: %v", err)
	}
}
