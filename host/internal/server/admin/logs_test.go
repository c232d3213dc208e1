package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// talker is a recorder whose plugins log now and then, without end.
type talker struct {
	*recorder
	every   time.Duration // 0 = never
	text    string
	stopped chan struct{}
}

func (k *talker) Follow(context.Context, adminapi.LogsQuery) (func(context.Context) ([]adminapi.LogLine, error), func(), error) {
	return func(ctx context.Context) ([]adminapi.LogLine, error) {
		var next <-chan time.Time
		if k.every > 0 {
			next = time.After(k.every)
		}
		select {
		case <-next:
			return []adminapi.LogLine{{Cursor: "1-1", Message: k.text}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, func() { close(k.stopped) }, nil
}

func (k *talker) wantStop(t *testing.T, when string) {
	t.Helper()
	select {
	case <-k.stopped:
	case <-time.After(time.Minute):
		t.Errorf("%s lines are still waited for", when)
	}
}

func followFrom(t *testing.T, addr string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/v1/plugins/shop/logs/follow", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, bufio.NewScanner(res.Body)
}

// An answer without end begins at once, goes on for longer than a response may take,
// and ends as soon as the listener closes.
func TestFollowing(t *testing.T) {
	k := &talker{recorder: &recorder{}, every: 50 * time.Millisecond, text: "tick", stopped: make(chan struct{})}
	a := New(Config{Deployer: k, Operator: k, Token: theToken{}, Conns: wire.Conns{WriteTimeout: time.Second}})
	res, lines := followFrom(t, servertest.Listen(t, a))
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != adminapi.TypeLines {
		t.Fatalf("status %d, type %q", res.StatusCode, got)
	}
	start := time.Now()
	for n := 0; time.Since(start) < 1300*time.Millisecond; n++ {
		if !lines.Scan() {
			t.Fatalf("the answer ended after %d lines and %s: %v", n, time.Since(start), lines.Err())
		}
		if text := lines.Text(); n == 0 && text != "" || n > 0 && !strings.Contains(text, `"message":"tick"`) {
			t.Fatalf("line %d is %q", n, text)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	k.wantStop(t, "after Close")
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the answer ends with %v", err)
	}
}

// A client that reads nothing is given up.
func TestFollowingWithoutReading(t *testing.T) {
	k := &talker{recorder: &recorder{}, every: time.Microsecond, text: strings.Repeat("x", 100_000), stopped: make(chan struct{})}
	a := New(Config{Deployer: k, Operator: k, Token: theToken{}, Conns: wire.Conns{WriteTimeout: 100 * time.Millisecond}})
	c := servertest.Dial(t, servertest.Listen(t, a))
	servertest.Send(t, c, servertest.Local("GET", "/v1/plugins/shop/logs/follow", "", right))
	k.wantStop(t, "a client reads nothing, and")
}

// A client that is gone is found at a heartbeat, where there are no lines.
func TestFollowingAClientThatIsGone(t *testing.T) {
	k := &talker{recorder: &recorder{}, stopped: make(chan struct{})}
	next, stop, _ := k.Follow(t.Context(), adminapi.LogsQuery{})
	conn, peer := net.Pipe()
	defer conn.Close()
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		b := make([]byte, 3)
		if _, err := io.ReadFull(peer, b); err != nil || string(b) != "\n\n\n" {
			t.Errorf("without lines comes %q, %v", b, err)
		}
		_ = peer.Close()
	}()
	s := &stream{may: func() error { return nil }, lines: next, stop: stop, conn: conn, timeout: time.Minute, beat: 10 * time.Millisecond}
	s.send(t.Context(), bufio.NewWriter(conn))
	<-beats
	k.wantStop(t, "the client is gone, and")
}

// What is refused is refused before the answer begins, and HEAD asks for no lines.
func TestFollowingIsRefused(t *testing.T) {
	addr := adminFor(t, &recorder{err: errors.New("no")})
	if res, _ := followFrom(t, addr); res.StatusCode != 500 {
		t.Errorf("status %d", res.StatusCode)
	}
	k := &talker{recorder: &recorder{}, stopped: make(chan struct{})}
	got := servertest.RoundTrip(t, adminFor(t, k), servertest.Local("HEAD", "/v1/plugins/shop/logs/follow", "", right))
	if got.StatusCode != 200 || got.Text != "" {
		t.Errorf("HEAD: %d %q", got.StatusCode, got.Text)
	}
	k.wantStop(t, "after HEAD")
}
