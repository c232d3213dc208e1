package wire

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Record is what the log says of a finished request.
type Record struct {
	Method    string
	Path      string // as received, without the query, which may hold secrets
	Status    int
	Bytes     int // of the response body
	Duration  time.Duration
	RequestID string
	Remote    string // IP address of the client
	Err       error  // why the handler failed; nil when it answered
}

// LevelOf is the level at which a request with the status is logged. 501 says
// what a client may not ask for, and no more.
func LevelOf(status int) slog.Level {
	if status >= 500 && status != http.StatusNotImplemented {
		return slog.LevelError
	}
	return slog.LevelInfo
}

// AccessLog takes a record of requests that ended, and of what the gate refused.
type AccessLog struct {
	// Log receives the records; nil drops them.
	Log *slog.Logger
	// Sample says which requests have one; not nil where Log is not.
	Sample *Sample
	// Apart says that Log goes elsewhere than the host's log. Requests that failed
	// then have a record in both.
	Apart bool
	// Agents adds what clients say of themselves, and where they say they come from.
	Agents bool
}

// Sample is how many requests one record stands for: 1 = each has one, 0 = none has.
// What took SlowRequest or longer, and what failed, has one even so, unless it is 0. The
// zero Sample is 0. Safe for concurrent use.
type Sample struct{ every atomic.Int64 }

// Each is the Sample of which each request has a record.
func Each() *Sample {
	s := new(Sample)
	s.Set(1)
	return s
}

// Set changes it.
func (s *Sample) Set(every int) { s.every.Store(int64(every)) }

// SlowRequest is how long a request takes that is always logged.
const SlowRequest = time.Second

// Wants reports whether a request has a record. It costs little where it has none.
func (a *AccessLog) Wants(status int, took time.Duration) bool {
	if a.Log == nil {
		return false
	}
	every := a.Sample.every.Load()
	notable := took >= SlowRequest || LevelOf(status) > slog.LevelInfo
	if every == 0 || !notable && every > 1 && rand.Int64N(every) > 0 {
		return false
	}
	return a.Log.Enabled(context.Background(), LevelOf(status))
}

// Log logs the request, with more about it.
func (r *Record) Log(log *slog.Logger, message string, more ...slog.Attr) {
	log.LogAttrs(context.Background(), LevelOf(r.Status), message, r.attrs(more)...)
}

// BodySize returns how many bytes a response's body has. It does not read one that
// is a stream, which would be its end.
func BodySize(r *fasthttp.Response) int {
	if r.IsBodyStream() {
		return r.Header.ContentLength()
	}
	return len(r.Body())
}

func (r *Record) attrs(more []slog.Attr) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8+len(more))
	attrs = append(attrs,
		slog.String("method", r.Method),
		slog.String("path", r.Path),
		slog.Int("status", r.Status),
		slog.Int("bytes", r.Bytes),
		slog.Float64("ms", float64(r.Duration.Microseconds())/1000),
		slog.String("request_id", r.RequestID),
		slog.String("remote", r.Remote),
	)
	attrs = append(attrs, more...)
	if r.Err != nil {
		attrs = append(attrs, slog.Any("error", r.Err))
	}
	return attrs
}

// refused logs a refusal of the gate: it never becomes a request.
func (a *AccessLog) refused(remote net.Addr, r *Refusal, id string) {
	if a.Wants(r.Status, 0) {
		a.Log.LogAttrs(context.Background(), slog.LevelInfo, "refused",
			slog.Int("status", r.Status), slog.String("reason", r.Detail),
			slog.String("request_id", id), slog.String("remote", string(AppendIP(nil, remote))))
	}
}

// logAccept returns what logs that connections cannot be accepted.
func logAccept(log *slog.Logger, name string) func(error) {
	return func(err error) {
		log.LogAttrs(context.Background(), slog.LevelError, "connections cannot be accepted; trying again",
			slog.String("listener", name), slog.Any("error", err))
	}
}
