package public

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

func openSpool(t *testing.T, cfg spool.Config) *spool.Spool {
	t.Helper()
	cfg.Dir = filepath.Join(t.TempDir(), "spool")
	s, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roomy has every route take bodies of the largest size.
type roomy struct{ mounted }

func (r roomy) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m := r.mounted.Route(method, host, path, params, c)
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
	return dispatch.Result{Attempts: 2, Outcome: trace.None}, nil
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

// TestLargeBodies sends bodies through memory and disk that are too small for
// more than one of them: what one does not give back shows with the next.
func TestLargeBodies(t *testing.T) {
	const spoolOver, largest = 1 << 20, 20 << 20
	const memory = spoolOver + 16<<10
	s := openSpool(t, spool.Config{Max: largest*4/3 + 4})
	p := newPublic(Config{Spool: s, Bodies: limit.NewBudget(memory), Routes: keeping{roomy{mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		if _, ok := inv.Request.Body.InMemory(); ok != (inv.Request.Body.Size() <= spoolOver) {
			t.Errorf("a body of %d bytes in memory: %v", inv.Request.Body.Size(), ok)
		}
		return summing(inv)
	}}}}}})
	addr := servertest.Listen(t, p)
	for _, size := range []int{0, 1, spoolOver - 1, spoolOver, spoolOver + 1, spoolOver + 8<<10, largest} {
		body := pattern(size)
		for name, raw := range map[string]string{
			"length":  servertest.Request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size)),
			"chunked": servertest.Request("POST", "/", chunked(body), "Transfer-Encoding: chunked"),
			"key":     servertest.Request("POST", "/", body, fmt.Sprintf("Content-Length: %d", size), "Idempotency-Key: k"),
		} {
			got := servertest.RoundTrip(t, addr, raw)
			if got.StatusCode != 200 || got.Text != summed(body) {
				t.Errorf("%d bytes, %s: status %d: %s", size, name, got.StatusCode, got.Text)
			}
		}
	}
}

// TestLargeBodyOfAPanic: what a body takes is given back after a bug in the host.
func TestLargeBodyOfAPanic(t *testing.T) {
	const size = 3 << 20
	p := newPublic(Config{Spool: openSpool(t, spool.Config{Max: size*4/3 + 4}), Routes: roomy{mounted{&guest{handle: func(*invoke.Invocation) (dispatch.Result, error) {
		panic("a bug in the host")
	}}}}})
	addr := servertest.Listen(t, p)
	for range 3 {
		got := servertest.RoundTrip(t, addr, servertest.Request("POST", "/", chunked(pattern(size)), "Transfer-Encoding: chunked"))
		if got.StatusCode != 500 || !isFree(p.room, p.room.Size()) {
			t.Errorf("status %d", got.StatusCode)
		}
	}
}

// isFree reports whether n bytes of a budget are left.
func isFree(b *limit.Budget, n int64) bool {
	s := b.Share()
	defer s.Give()
	return s.Take(int(n))
}
