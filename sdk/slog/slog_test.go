package slog_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	sdkslog "github.com/wasmoor/wasmoor/sdk/slog"
)

// logged returns what f logs as the handler of a plugin.
func logged(f func()) []sdktest.Record {
	return sdktest.New(func(*sdk.Response, *sdk.Request) error {
		f()
		return nil
	}).Get("/").Logs
}

// TestConformance: the rules of slog's own suite hold. The host adds the time, so that it
// is missing there.
func TestConformance(t *testing.T) {
	var handler slog.Handler
	slogtest.Run(t, func(*testing.T) slog.Handler {
		handler = sdkslog.NewHandler(nil)
		return inPlugin{handler}
	}, func(t *testing.T) map[string]any {
		record := last
		all := map[string]any{slog.LevelKey: record.Level, slog.MessageKey: record.Message}
		if !strings.HasSuffix(t.Name(), "/zero-time") {
			all[slog.TimeKey] = time.Now()
		}
		for name, value := range record.Attrs {
			group, parts := all, strings.Split(name, ".")
			for _, part := range parts[:len(parts)-1] {
				if group[part] == nil {
					group[part] = map[string]any{}
				}
				group = group[part].(map[string]any)
			}
			group[parts[len(parts)-1]] = value
		}
		return all
	})
}

func TestLevelsAndOptions(t *testing.T) {
	logs := logged(func() {
		plain := slog.New(sdkslog.NewHandler(nil))
		plain.Debug("left out")
		plain.Warn("late", "by", 3*time.Second, "at", time.Unix(0, 5).UTC(), "why", errors.New("x"), "n", 7)
		all := slog.New(sdkslog.NewHandler(&slog.HandlerOptions{
			Level: slog.LevelDebug, AddSource: true,
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if a.Key == "secret" {
					return slog.String("secret", strings.Join(groups, "+"))
				}
				return a
			},
		}))
		all.Debug("fine", slog.Group("a", slog.Group("b", "secret", "s")))
		all.Log(t.Context(), slog.LevelError+4, "very bad")
	})
	var got []string
	for _, l := range logs {
		if source := l.Attrs["source"]; source != "" && !strings.Contains(source, "slog_test.go:") {
			t.Errorf("the source is %q", source)
		}
		delete(l.Attrs, "source")
		got = append(got, l.String())
	}
	want := "warn: late at=1970-01-01T00:00:00.000000005Z by=3s n=7 why=x\ndebug: fine a.b.secret=a+b\nerror: very bad"
	if all := strings.Join(got, "\n"); all != want {
		t.Errorf("got\n%s\nwant\n%s", all, want)
	}
}

// last is what the last record became in the plugin's log.
var last sdktest.Record

// inPlugin handles each record in a request of its own.
type inPlugin struct{ slog.Handler }

func (h inPlugin) Handle(ctx context.Context, r slog.Record) (err error) {
	last = logged(func() { err = h.Handler.Handle(ctx, r) })[0]
	return err
}

func (h inPlugin) WithAttrs(attrs []slog.Attr) slog.Handler {
	return inPlugin{h.Handler.WithAttrs(attrs)}
}

func (h inPlugin) WithGroup(name string) slog.Handler { return inPlugin{h.Handler.WithGroup(name)} }
