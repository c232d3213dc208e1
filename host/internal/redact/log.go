package redact

import (
	"context"
	"log/slog"
)

// Logger returns log, whose records have no secrets: in their message, nor in their
// attributes, whoever names them. A nil Redactor returns log itself.
func (r *Redactor) Logger(log *slog.Logger) *slog.Logger {
	if r == nil || log == nil {
		return log
	}
	return slog.New(handler{log.Handler(), r})
}

type handler struct {
	slog.Handler
	redactor *Redactor
}

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Text(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.redactor.attr(a)
	}
	return handler{h.Handler.WithAttrs(clean), h.redactor}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.redactor}
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: r.Text(a.Key), Value: r.value(a.Value.Resolve())}
}

func (r *Redactor) value(v slog.Value) slog.Value {
	if v.Kind() != slog.KindGroup {
		text := v.String()
		if clean := r.Text(text); clean != text {
			return slog.StringValue(clean)
		}
		return v
	}
	group := v.Group()
	clean := make([]slog.Attr, len(group))
	for i, a := range group {
		clean[i] = r.attr(a)
	}
	return slog.GroupValue(clean...)
}
