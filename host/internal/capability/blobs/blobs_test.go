package blobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/blobs"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// guest is one that may use blobs, with what its log says.
type guest struct {
	*capability.Guest
	t    *testing.T
	unit capability.Unit
	log  strings.Builder
}

func with(t *testing.T, s *blob.Store, body invoke.Body) *guest {
	g := &guest{t: t, unit: blobs.Unit(s)}
	inv := enginetest.Invocation("", nil, nil)
	inv.Request.Body = body
	inv.Env.Log = slog.New(slog.NewTextHandler(&g.log, nil))
	inv.Env.States.Add(blobs.Name, g.unit.Deployment(capability.Deployment{Ask: blobs.Terms{}, Grant: blobs.Terms{Bytes: 1 << 20}}))
	g.Guest = &capability.Guest{Inv: inv, Mem: make(capability.Memory, 64<<10)}
	g.begin(1)
	return g
}

// begin begins an attempt, of a plugin that has no blob.
func (g *guest) begin(attempt int) {
	g.Inv.Begin(attempt, g.Inv.Limits, store.Begin(enginetest.Snapshot{}, 1, store.Quota{}, g.Inv.Start))
}

func (g *guest) call(name string, args ...uint64) int64 {
	g.t.Helper()
	return enginetest.Call(g.t, g.unit.Native, g.Guest, name, args...)
}

// named has the plugin have a blob from before.
func (g *guest) named(name string, data []byte) {
	g.t.Helper()
	part := names.Part(g.Inv.Tx, g.Inv.Env.Space)
	r := names.Record{Digest: sha256.Sum256(data), Size: int64(len(data))}
	if _, _, err := names.Put(part, []byte(name), &r, names.Quota{Count: 10, Bytes: 1 << 20}); err != nil {
		g.t.Fatal(err)
	}
}

// put puts what a handle stands for under "n".
func (g *guest) put(handle uint64) int64 {
	g.t.Helper()
	g.Mem[0] = 'n'
	return g.call(abi.FnBlobPut, handle, 0, 1, 0, 0, 0, 0)
}

func open(t *testing.T, b bucket.Bucket) *blob.Store {
	t.Helper()
	s, err := blob.OpenStore(blob.Config{Dir: t.TempDir(), Bucket: b})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sweep sweeps as if all were old and no name durable, and returns how many are left.
func sweep(t *testing.T, s *blob.Store) int64 {
	t.Helper()
	var none iter.Seq2[blob.Digest, error] = func(func(blob.Digest, error) bool) {}
	swept, err := s.Sweep(t.Context(), none, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return swept.Blobs
}

// counting counts how often a body is read from its start.
type counting struct {
	*bytes.Reader
	starts int
}

func (c *counting) ReadAt(p []byte, offset int64) (int, error) {
	if offset == 0 {
		c.starts++
	}
	return c.Reader.ReadAt(p, offset)
}

// TestABlobIsHeldUntilTheRequestIsOver: not only until its attempt is. Another attempt
// reads the request's body no second time.
func TestABlobIsHeldUntilTheRequestIsOver(t *testing.T) {
	s := open(t, nil)
	body := &counting{Reader: bytes.NewReader(make([]byte, 300_000))}
	g := with(t, s, invoke.BodyIn(body, 300_000))
	for attempt := 1; attempt <= 3; attempt++ {
		if attempt > 1 {
			g.begin(attempt)
		}
		if got := g.put(0); got != 300_000 {
			t.Fatalf("attempt %d: put %d", attempt, got)
		}
		g.Inv.End()
		if n := sweep(t, s); n != 1 {
			t.Errorf("after attempt %d %d blobs are left, want 1", attempt, n)
		}
	}
	if body.starts != 1 {
		t.Errorf("the body was read %d times", body.starts)
	}
	g.Inv.Finish()
	if n := sweep(t, s); n != 0 {
		t.Errorf("after the request %d blobs are left", n)
	}
}

// short is a bucket whose objects lose what follows the second byte.
type short struct{ bucket.Bucket }

func (s short) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if length < 0 || offset+length > 2 {
		length = max(2-offset, 0)
	}
	return s.Bucket.Get(ctx, key, offset, length)
}

// TestABlobThatEndsEarly is no blob that has ended.
func TestABlobThatEndsEarly(t *testing.T) {
	place, err := bucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := with(t, open(t, short{place}), invoke.BodyOf([]byte("text")))
	g.put(0)
	for _, c := range []struct {
		offset, room uint64
		want         int64
	}{{0, 10, 2}, {2, 0, 0}, {2, 10, int64(abi.Internal)}, {3, 1, int64(abi.Internal)}, {4, 10, 0}} {
		if got := g.call(abi.FnBlobRead, 0, 1, c.offset, 100, c.room); got != c.want {
			t.Errorf("%d bytes at %d: %d, want %d", c.room, c.offset, got, c.want)
		}
	}
	g.Inv.End()
	g.Inv.Finish()
}

// TestAnAnswerIsHeld until it is released, or another attempt begins.
func TestAnAnswerIsHeld(t *testing.T) {
	s := open(t, nil)
	g := with(t, s, invoke.BodyOf([]byte("text")))
	g.put(0)
	for range 2 {
		if got := g.call(abi.FnBlobAnswer, 0, 1, 0, 0); got != 0 {
			t.Fatalf("answer: %d", got)
		}
	}
	g.Inv.End()
	g.Inv.Finish()
	a := g.Inv.Reply.Blob
	if a == nil || a.Size != 4 || a.Name != "n" || sweep(t, s) != 1 {
		t.Fatalf("the answer is %+v", a)
	}
	g.begin(2)
	if g.Inv.Reply.Blob != nil || sweep(t, s) != 0 {
		t.Error("it is held after the next attempt has begun")
	}
}

// TestWhatIsBegunEndsWithItsAttempt.
func TestWhatIsBegunEndsWithItsAttempt(t *testing.T) {
	s := open(t, nil)
	g := with(t, s, invoke.Body{})
	handle := uint64(g.call(abi.FnBlobCreate))
	if got := g.call(abi.FnBlobWrite, handle, 0, 1000); got != 0 {
		t.Fatalf("write: %d", got)
	}
	g.Inv.End()
	g.begin(2)
	if got := abi.Status(g.call(abi.FnBlobWrite, handle, 0, 1)); got != abi.NotFound {
		t.Errorf("the next attempt writes: %v", got)
	}
	if got := g.put(handle); abi.Status(got) != abi.NotFound {
		t.Errorf("the next attempt puts: %d", got)
	}
}

// broken is a bucket that is not reached.
type broken struct{ bucket.Bucket }

var errBroken = fault.New(fault.Unavailable, "get", "s3://secret-place is not reached")

func (broken) Get(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return nil, errBroken
}
func (broken) Put(context.Context, string, io.Reader, int64) error { return errBroken }

// TestAPlaceThatIsNotReached is a status and a line of the log, and the guest goes on.
func TestAPlaceThatIsNotReached(t *testing.T) {
	g := with(t, open(t, broken{}), invoke.BodyOf([]byte("text")))
	if got := abi.Status(g.put(0)); got != abi.Unavailable {
		t.Errorf("put: %v", got)
	}
	if !strings.Contains(g.log.String(), "is not reached") {
		t.Errorf("the log says %q", &g.log)
	}
	if got := abi.Status(g.call(abi.FnBlobStat, 0, 1, 100, 100)); got != abi.NotFound {
		t.Errorf("what was not put has a name: %v", got)
	}
	none := with(t, nil, invoke.Body{})
	if got := abi.Status(none.put(0)); got != abi.Unavailable {
		t.Errorf("without a store: %v", got)
	}
}

// torn is a body whose file fails.
type torn struct{}

func (torn) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk on fire") }

// TestABodyThatCannotBeRead ends the guest, as with request_body.
func TestABodyThatCannotBeRead(t *testing.T) {
	g := with(t, open(t, nil), invoke.BodyIn(torn{}, 10))
	for _, f := range g.unit.Native {
		if f.Name != abi.FnBlobPut {
			continue
		}
		g.Mem[0] = 'n'
		_, err := f.Call(t.Context(), g.Guest, []uint64{0, 0, 1, 0, 0, 0, 0})
		if fault.CodeOf(err) != fault.Internal {
			t.Errorf("got %v", err)
		}
	}
}

func granted(terms blobs.Terms) plugin.Grant { return plugin.Grant{}.With(blobs.Name, terms) }

func TestGrant(t *testing.T) {
	usual, small := granted(blobs.Terms{}), granted(blobs.Terms{Count: 10, Bytes: 100})
	large := granted(blobs.Terms{Count: 10_001, Bytes: 1<<30 + 1})
	for _, c := range []struct {
		name       string
		grant, ask plugin.Grant
		want       []string
		union      plugin.Grant
	}{
		{"nothing asked", plugin.Grant{}, plugin.Grant{}, nil, plugin.Grant{}},
		{"covered", large, small, nil, large},
		{"blobs", plugin.Grant{}, usual, []string{"blobs"}, usual},
		{"with a quota", plugin.Grant{}, small, []string{"blobs", "blobs.count = 10", "blobs.bytes = 100"}, small},
		{"more", small, large, []string{"blobs.count = 10001 (granted 10)", "blobs.bytes = 1073741825 (granted 100)"}, large},
		{"more than the default", usual, large, []string{"blobs.count = 10001 (granted 10000)", "blobs.bytes = 1073741825 (granted 1073741824)"}, large},
		{"less than the default", usual, small, nil, usual},
		{"one of two", small, granted(blobs.Terms{Count: 20, Bytes: 50}), []string{"blobs.count = 20 (granted 10)"}, granted(blobs.Terms{Count: 20, Bytes: 100})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.grant.Missing(c.ask)); diff != "" {
				t.Errorf("Missing (-want +got):\n%s", diff)
			}
			union := c.grant.Union(c.ask)
			if diff := cmp.Diff(c.union, union); diff != "" {
				t.Errorf("Union (-want +got):\n%s", diff)
			}
			both := c.grant.Both(c.ask)
			for _, whole := range []plugin.Grant{c.grant, c.ask} {
				if missing := whole.Missing(both); missing != nil {
					t.Errorf("both have %q, which one has not", missing)
				}
			}
		})
	}
}
