package nethttp

import (
	"context"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
)

// reserve is the most that the context of a request ends before its deadline. The
// handler has that time to answer; calls to services leave as much.
const reserve = 500 * time.Millisecond

// requestContext is the context of a request. Its channel and its timer come into
// being when somebody waits for it, which few handlers do.
type requestContext struct {
	request *sdk.Request

	mu     sync.Mutex
	at     time.Time       // when it ends; zero = nobody has asked, or the host does not say
	waited context.Context // nil = nobody has waited
	cancel context.CancelFunc
	ended  bool // its handler has returned
}

var _ context.Context = (*requestContext)(nil)

type requestKey struct{}

// Deadline implements context.Context.
func (c *requestContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline()
}

// deadline is Deadline. The caller holds mu.
func (c *requestContext) deadline() (at time.Time, ok bool) {
	if c.at.IsZero() {
		if c.ended || c.request.Deadline() == 0 {
			return time.Time{}, false
		}
		left := time.Duration(c.request.Deadline() - sdk.Now())
		c.at = time.Now().Add(left - min(left/8, reserve))
	}
	return c.at, true
}

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited == nil {
		if at, ok := c.deadline(); ok {
			c.waited, c.cancel = context.WithDeadline(context.Background(), at)
		} else {
			c.waited, c.cancel = context.WithCancel(context.Background())
		}
		if c.ended {
			c.cancel()
		}
	}
	return c.waited.Done()
}

// Err implements context.Context. It looks at the clock: while a handler computes no
// timer ends the context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited != nil && c.waited.Err() != nil {
		return c.waited.Err()
	}
	if c.ended {
		return context.Canceled
	}
	if at, ok := c.deadline(); ok && time.Until(at) <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Package context finds its own state by it, so that
// contexts derived from this one need no goroutine.
func (c *requestContext) Value(key any) any {
	if key == any(requestKey{}) {
		return c.request
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited != nil {
		return c.waited.Value(key)
	}
	return nil
}

// end ends the context with its handler.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
