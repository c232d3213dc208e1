package ring

import (
	"context"
	"log/slog"
)

// The attributes of a record that say what it is about, and the group of those that
// a guest has named.
const (
	keyPlugin  = "plugin"
	keyVersion = "version"
	keyRequest = "request_id"
	groupGuest = "guest"
)

// Logger returns log, whose records about a plugin are kept in the plugin's ring too:
// those that name one with the attribute plugin, if they are of info or above, or if
// log takes their level.
func (f *Folder) Logger(log *slog.Logger) *slog.Logger {
	return slog.New(&handler{next: log.Handler(), folder: f})
}

type handler struct {
	next   slog.Handler
	folder *Folder
	ring   *Ring // of the plugin that the attributes name; nil = none
	line   Line  // what the attributes say
	groups int   // that are open; no attribute in one is the host's
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := h.folder.lines.Get().(*Line)
	room := line.Attrs[:0]
	*line = h.line
	line.Attrs = append(room, h.line.Attrs...)
	line.Time, line.Level, line.Message = r.Time, r.Level, r.Message
	ring := h.ring
	r.Attrs(func(a slog.Attr) bool {
		ring = h.add(line, ring, a)
		return true
	})
	ring.Append(line)
	clear(line.Attrs)
	*line = Line{Attrs: line.Attrs}
	h.folder.lines.Put(line)
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// add adds an attribute to a line about the plugin of ring. It returns the ring of the
// plugin that is known then.
func (h *handler) add(line *Line, ring *Ring, a slog.Attr) *Ring {
	value := a.Value.Resolve()
	switch {
	case h.groups > 0:
		line.Attrs = append(line.Attrs, Attr{Name: a.Key, Value: value.String()})
	case a.Key == keyPlugin:
		return h.folder.of(value.String())
	case a.Key == keyVersion && value.Kind() == slog.KindInt64:
		line.Version = int(value.Int64())
	case a.Key == keyRequest:
		line.RequestID = value.String()
	case a.Key == groupGuest && value.Kind() == slog.KindGroup:
		for _, in := range value.Group() {
			line.Attrs = append(line.Attrs, Attr{Name: in.Key, Value: in.Value.Resolve().String(), Guest: true})
		}
	default:
		line.Attrs = append(line.Attrs, Attr{Name: a.Key, Value: value.String()})
	}
	return ring
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.next = h.next.WithAttrs(attrs)
	next.line.Attrs = append([]Attr{}, h.line.Attrs...)
	for _, a := range attrs {
		next.ring = next.add(&next.line, next.ring, a)
	}
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	next.next, next.groups = h.next.WithGroup(name), h.groups+1
	return &next
}
