package egress

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/wasmoor/wasmoor/host/internal/egress/address"
)

// A service that keeps failing is left alone: after breakAfter failures in a row
// every call fails at once for breakTime, then one call tries.
const (
	breakAfter  = 5
	breakTime   = 5 * time.Second
	maxBreakers = 256 // origins remembered; a wildcard may stand for many
)

// A call that may be repeated is sent at most maxRetries times more, after
// growing pauses.
const (
	maxRetries = 2
	retryFirst = 50 * time.Millisecond
	retryLast  = 500 * time.Millisecond
)

// reply is a hop's response; nil with an error.
type reply struct{ *http.Response }

type breaker = circuitbreaker.CircuitBreaker[reply]

// breakers holds the circuit breaker of each origin.
type breakers struct {
	rest time.Duration // how long an origin is left alone

	mu       sync.Mutex
	byOrigin map[string]breaker
}

// of returns the breaker of an origin. When there are too many, those that have
// nothing to say are forgotten, and then any.
func (b *breakers) of(origin string) breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found, ok := b.byOrigin[origin]; ok {
		return found
	}
	for name, old := range b.byOrigin {
		if len(b.byOrigin) < maxBreakers {
			break
		}
		if old.IsClosed() {
			delete(b.byOrigin, name)
		}
	}
	if len(b.byOrigin) >= maxBreakers {
		clear(b.byOrigin)
	}
	made := circuitbreaker.NewBuilder[reply]().
		HandleIf(isOutage).
		WithFailureThreshold(breakAfter).
		WithSuccessThreshold(1).
		WithDelay(b.rest).
		Build()
	b.byOrigin[origin] = made
	return made
}

func (b *breakers) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byOrigin)
}

// isOutage says what tells against a service. What the host or the guest
// decided does not.
func isOutage(resp reply, err error) bool {
	if err != nil {
		return !errors.Is(err, address.ErrForbidden) && !errors.Is(err, context.Canceled)
	}
	return resp.StatusCode >= 502 && resp.StatusCode <= 504
}

// mayRepeat says what a second try may change: an outage that the service has
// not put a time to.
func mayRepeat(resp reply, err error) bool {
	if err != nil {
		return isOutage(reply{}, err) && !errors.Is(err, circuitbreaker.ErrOpen) &&
			!errors.Is(err, context.DeadlineExceeded)
	}
	return isOutage(resp, nil) && resp.Header.Get("Retry-After") == ""
}

// guarded runs one hop of a call behind the breaker of its origin, repeating it
// where that is sound.
func (c *Client) guarded(ctx context.Context, t target, repeat bool, send func() (reply, error)) (reply, error) {
	var policies []failsafe.Policy[reply] // the outermost first
	if repeat {
		policies = append(policies, retries())
	}
	policies = append(policies, c.cfg.State.breakers.of(t.origin.String()))
	return failsafe.With(policies...).WithContext(ctx).Get(send)
}

func retries() failsafe.Policy[reply] {
	return retrypolicy.NewBuilder[reply]().
		HandleIf(mayRepeat).
		WithMaxRetries(maxRetries).
		WithBackoff(retryFirst, retryLast).
		WithJitterFactor(0.25).
		ReturnLastFailure().
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[reply]) {
			if resp := e.LastResult(); resp.Response != nil {
				_ = resp.Body.Close() // it is not looked at
			}
		}).
		Build()
}

// isIdempotent lists the methods that RFC 9110 §9.2.2 lets anyone repeat.
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
