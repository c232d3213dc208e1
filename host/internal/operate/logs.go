package operate

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
)

// Logs returns the lines of a plugin's log that are asked for. Errors: NotFound,
// Invalid (a time).
func (o *Operator) Logs(ctx context.Context, in adminapi.LogsQuery) (adminapi.LogPage, error) {
	r, q, err := o.ring(ctx, &in)
	if err != nil {
		return adminapi.LogPage{}, err
	}
	found, err := r.Read(q)
	if err != nil {
		return adminapi.LogPage{}, fault.Wrap(fault.Internal, "read the log", "", err)
	}
	page := adminapi.LogPage{Lines: linesOf(found.Lines), Cursor: found.End.String(), Oldest: timeOrNone(found.Oldest)}
	return page, nil
}

// Follow returns what waits for lines of a plugin's log that are asked for and returns
// them, first those that are kept. Its errors are that of its ctx, and others that say
// that no more lines will come. stop ends it. Errors are those of Logs, and Exhausted
// when too many follow.
func (o *Operator) Follow(ctx context.Context, in adminapi.LogsQuery) (next func(context.Context) ([]adminapi.LogLine, error), stop func(), err error) {
	r, q, err := o.ring(ctx, &in)
	if err != nil {
		return nil, nil, err
	}
	f, err := r.Follow(q)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Exhausted, "follow the log", fmt.Sprintf("%d clients follow logs already; end one of them", ring.MaxFollowers), err)
	}
	return func(ctx context.Context) ([]adminapi.LogLine, error) {
		lines, err := f.Next(ctx)
		return linesOf(lines), err
	}, f.Close, nil
}

// ring returns the ring of a plugin, and the query for it.
func (o *Operator) ring(ctx context.Context, in *adminapi.LogsQuery) (*ring.Ring, ring.Query, error) {
	q := ring.Query{RequestID: in.Request, Version: in.Version, Tail: in.Tail, Level: slog.LevelDebug}
	if _, err := o.registry.Plugin(ctx, in.Name); err != nil {
		return nil, q, err
	}
	if in.Level != "" {
		if err := q.Level.UnmarshalText([]byte(in.Level)); err != nil {
			return nil, q, fault.New(fault.Invalid, "", fmt.Sprintf("%q is no level; use debug, info, warn or error", in.Level))
		}
	}
	var ok bool
	if q.After, ok = ring.ParseCursor(in.After); !ok {
		return nil, q, fault.New(fault.Invalid, "", fmt.Sprintf("%q is no cursor of a line", in.After))
	}
	for _, at := range []struct {
		name, text string
		to         *time.Time
	}{{"since", in.Since, &q.Since}, {"until", in.Until, &q.Until}} {
		var err error
		if at.text == "" {
			continue
		}
		if *at.to, err = time.Parse(time.RFC3339Nano, at.text); err != nil {
			return nil, q, fault.New(fault.Invalid, "", fmt.Sprintf("the parameter %s must be a time as in RFC 3339, e.g. 2026-11-29T05:00:00Z", at.name))
		}
	}
	return o.rings.Ring(in.Name), q, nil
}

func linesOf(lines []ring.Line) []adminapi.LogLine {
	list := make([]adminapi.LogLine, len(lines))
	for i := range lines {
		list[i] = lineOf(&lines[i])
	}
	return list
}

func lineOf(l *ring.Line) adminapi.LogLine {
	out := adminapi.LogLine{
		Cursor: l.Cursor.String(), Time: l.Time, Version: l.Version, RequestID: l.RequestID,
		Message: l.Message, Dropped: l.Dropped, From: timeOrNone(l.From),
	}
	if l.Dropped == 0 {
		out.Level = levelName(l.Level)
	}
	for _, a := range l.Attrs {
		attr := adminapi.LogAttr{Name: a.Name, Value: a.Value}
		if a.Guest {
			out.Guest = append(out.Guest, attr)
		} else {
			out.Attributes = append(out.Attributes, attr)
		}
	}
	return out
}

// levelName returns the level that l is at least.
func levelName(l slog.Level) string {
	for _, name := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo} {
		if l >= name {
			return strings.ToLower(name.String())
		}
	}
	return "debug"
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
