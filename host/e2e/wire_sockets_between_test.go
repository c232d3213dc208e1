package e2e

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestSocketsMissNothingBetween: an opening reads a number and follows the topic on which
// the next ones are published. It writes nothing, and yet no number falls between what it
// has read and what it follows.
func TestSocketsMissNothingBetween(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("chat", socketGuest(t, "1"))
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.try(ctx, "POST", "/chat/publish?topic=numbers&number", "")
				time.Sleep(5 * time.Millisecond) // as long as an opening takes, so that it has its turn
			}
		})
	}
	for range often(30, 2000) {
		w := s.ws("/chat/rooms/x?topic=numbers&since")
		read := w.number()
		if next := w.number(); next != read+1 {
			t.Fatalf("it has read %d, and hears %d next", read, next)
		}
		_ = w.conn.CloseNow() // its end is the server's to notice
	}
}

// number hears one.
func (w *ws) number() int {
	w.t.Helper()
	_, data, err := w.conn.Read(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
