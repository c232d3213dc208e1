package server

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lmittmann/tint"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// Formats of the server's log.
const (
	formatAuto = "auto" // text for a person at a terminal, JSON for everything else
	formatText = "text"
	formatJSON = "json"
)

// logger returns a logger for the standard error that writes at once.
func (p *Commands) logger(s *settings) (*slog.Logger, error) {
	loggerTo, err := p.logging(s)
	if err != nil {
		return nil, err
	}
	return loggerTo(p.Stderr), nil
}

// logging returns what makes loggers whose lines are for the standard error, perhaps
// after some waiting elsewhere.
// Their level follows s.level.
func (p *Commands) logging(s *settings) (loggerTo func(io.Writer) *slog.Logger, err error) {
	if err := s.level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return nil, cli.Usage("log_level %q is unknown; use debug, info, warn or error", s.LogLevel)
	}
	minimum, format := s.level, s.LogFormat
	switch {
	case format == formatText, format == formatAuto && term.IsTerminal(p.Stderr):
		colours := p.Colours(p.Stderr)
		return func(w io.Writer) *slog.Logger { return slog.New(textHandler(w, minimum, colours)) }, nil
	case format == formatJSON, format == formatAuto:
		return jsonLogger(minimum), nil
	}
	return nil, cli.Usage("log_format %q is unknown; use auto, text or json", format)
}

func jsonLogger(level slog.Leveler) func(io.Writer) *slog.Logger {
	return func(w io.Writer) *slog.Logger {
		return slog.New(slog.NewJSONHandler(term.Escaper{Writer: w}, &slog.HandlerOptions{Level: level}))
	}
}

// takeLibraries makes records, at debug, of what libraries write to the logger of
// the process, until release. net/http tells there of what a service sends
// unasked: as it is that would be a line in no format, for each answer.
func takeLibraries(log *slog.Logger) (release func()) {
	before, flags := stdlog.Writer(), stdlog.Flags()
	stdlog.SetFlags(0)
	stdlog.SetOutput(libraries{log})
	return func() {
		stdlog.SetOutput(before)
		stdlog.SetFlags(flags)
	}
}

type libraries struct{ log *slog.Logger }

// maxLibraryLine is what is kept of a line, in bytes.
const maxLibraryLine = 256

func (l libraries) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line[:min(len(line), maxLibraryLine)]))
	l.log.Debug("a library says", "text", strings.ToValidUTF8(text, ""))
	return len(line), nil
}

func textHandler(w io.Writer, level slog.Leveler, colours bool) slog.Handler {
	return tameHandler{tint.NewTextHandler(w, &tint.Options{
		Level: level, TimeFormat: "15:04:05.000", NoColor: !colours,
	})}
}

// tameHandler keeps what a guest logs from being more than one line of text:
// tint writes messages as they are, and lets escape sequences through where it
// colours.
type tameHandler struct{ next slog.Handler }

func (h tameHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h tameHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, tameMessage(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool { out.AddAttrs(tameAttr(a)); return true })
	return h.next.Handle(ctx, out)
}

func (h tameHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tameHandler{h.next.WithAttrs(tameAttrs(attrs))}
}

func (h tameHandler) WithGroup(name string) slog.Handler {
	return tameHandler{h.next.WithGroup(tame(name))}
}

// tameMessage quotes a message that could be taken for anything else: one with
// characters that do not print, or that looks like an attribute.
func tameMessage(s string) string {
	odd := func(r rune) bool { return r == '"' || r == '=' || !unicode.IsPrint(r) }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, odd) {
		return s
	}
	return strconv.Quote(s)
}

func tameAttrs(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = tameAttr(a)
	}
	return out
}

func tameAttr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		value = slog.GroupValue(tameAttrs(value.Group())...)
	case slog.KindString, slog.KindAny:
		value = slog.StringValue(tame(value.String()))
	}
	return slog.Attr{Key: tame(a.Key), Value: value}
}

// tamer replaces the escape character by its picture. tint quotes every other
// character that does not print; in colour it turns a quoted escape character
// back into a real one, and the four characters \x1b with it.
var tamer = strings.NewReplacer("\x1b", "\u241b", `\x1b`, `\u001b`)

func tame(s string) string { return tamer.Replace(s) }
