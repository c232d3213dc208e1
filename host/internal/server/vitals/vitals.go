// Package vitals tells how a listener does: its connections, and what it refuses.
// server/wire counts with it, telemetry/metrics reads it.
package vitals

import (
	"net/http"
	"sync/atomic"
)

// reasons are why requests are refused before anybody is found to handle them, by
// their status; the last stands for all others.
var reasons = [...]struct {
	status int
	name   string
}{
	{http.StatusBadRequest, "malformed"},
	{http.StatusNotFound, "not_found"},
	{http.StatusMethodNotAllowed, "method"},
	{http.StatusRequestTimeout, "slow"},
	{http.StatusRequestEntityTooLarge, "body_too_large"},
	{http.StatusRequestURITooLong, "url_too_long"},
	{http.StatusRequestHeaderFieldsTooLarge, "header_too_large"},
	{http.StatusTooManyRequests, "too_many_connections_of_one"},
	{http.StatusServiceUnavailable, "overloaded"},
	{0, "other"},
}

// Refusals counts refusals by reason. The zero Refusals has counted none. Safe for
// concurrent use.
type Refusals struct{ counts [len(reasons)]atomic.Int64 }

// Count counts a refusal with a status.
func (f *Refusals) Count(status int) {
	for i := range reasons {
		if reasons[i].status == status || i == len(reasons)-1 {
			f.counts[i].Add(1)
			return
		}
	}
}

// Each calls yield with each reason.
func (f *Refusals) Each(yield func(reason string, n int64)) {
	for i := range reasons {
		yield(reasons[i].name, f.counts[i].Load())
	}
}

// Listener is how a listener does at a moment.
type Listener struct {
	Open, Max int64     // connections that are open, and that may be
	Refusals  *Refusals // never nil
}
