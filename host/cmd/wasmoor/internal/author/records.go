package author

import (
	"context"
	"log/slog"
	"time"

	"github.com/wasmoor/wasmoor/host"
)

// requestRecord is the message of the record that the host writes for each
// request.
const requestRecord = "request"

// takeRecords has a host of cfg tell take all that it and its guests log. take is
// called concurrently.
func takeRecords(cfg *host.Config, take func(*record)) {
	cfg.Log = slog.New(&recordHandler{level: slog.LevelDebug, take: take})
	cfg.GuestLog = slog.New(&recordHandler{level: slog.LevelDebug, take: take, guest: true})
}

// record is one record of a host's log, with its attributes laid flat.
type record struct {
	time      time.Time
	level     slog.Level
	message   string
	attrs     map[string]slog.Value // the host's, by name
	guest     []slog.Attr           // what a guest added to its line
	isGuest   bool                  // a guest wrote it, or a host function on its behalf
	requestID string                // "" = it is about none
}

// isRequest reports whether the record tells of a request that has ended.
func (r *record) isRequest() bool { return r.message == requestRecord && r.requestID != "" }

// text returns an attribute as text, "" when there is none.
func (r *record) text(name string) string {
	v, ok := r.attrs[name]
	if !ok {
		return ""
	}
	return v.String()
}

// number returns a numeric attribute, 0 when there is none.
func (r *record) number(name string) int64 {
	switch v := r.attrs[name].Resolve(); v.Kind() {
	case slog.KindInt64:
		return v.Int64()
	case slog.KindUint64:
		return int64(v.Uint64())
	}
	return 0
}

// recordHandler passes every record to take, which is called concurrently.
type recordHandler struct {
	level slog.Level
	guest bool // guests write to it
	attrs []slog.Attr
	take  func(*record)
}

func (h *recordHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *recordHandler) Handle(_ context.Context, r slog.Record) error {
	out := &record{time: r.Time, level: r.Level, message: r.Message, attrs: map[string]slog.Value{}, isGuest: h.guest}
	for _, a := range h.attrs {
		out.add(a)
	}
	r.Attrs(func(a slog.Attr) bool { out.add(a); return true })
	h.take(out)
	return nil
}

func (r *record) add(a slog.Attr) {
	switch {
	case a.Key == "guest" && a.Value.Kind() == slog.KindGroup:
		r.guest = append(r.guest, a.Value.Group()...)
	case a.Key == "request_id":
		r.requestID = a.Value.String()
	default:
		r.attrs[a.Key] = a.Value
	}
}

func (h *recordHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append(append([]slog.Attr{}, h.attrs...), attrs...)
	return &next
}

// WithGroup keeps attributes flat: the host has no groups of its own.
func (h *recordHandler) WithGroup(string) slog.Handler { return h }
