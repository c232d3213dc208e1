package server

import (
	"bytes"
	"encoding/json"
	"errors"
	stdlog "log"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// coloured matches the sequences that tint itself writes.
var coloured = regexp.MustCompile(`\x1b\[(0|2|22|2;0|1?[0-9]{1,2})(;[0-9]+)*m`)

// A guest chooses messages, keys and values; the log of one record stays one
// line, and no escape sequence of a guest reaches the terminal.
func TestTextLogTakesNoOrdersFromGuests(t *testing.T) {
	const evil = "a\nlevel=ERROR msg=forged\x1b]0;owned\a\x1b[31m\x00"
	const literal = `two words \x1b]0;owned`
	attacks := map[string]func(*slog.Logger){
		"message":       func(l *slog.Logger) { l.Info(evil) },
		"key":           func(l *slog.Logger) { l.Info("hi", evil, 1) },
		"value":         func(l *slog.Logger) { l.Info("hi", "k", evil) },
		"error":         func(l *slog.Logger) { l.Info("hi", "k", errors.New(evil)) },
		"group":         func(l *slog.Logger) { l.Info("hi", slog.Group("guest", evil, evil)) },
		"with":          func(l *slog.Logger) { l.With(evil, evil).Info("hi") },
		"with group":    func(l *slog.Logger) { l.WithGroup(evil).Info("hi", "k", 1) },
		"literal value": func(l *slog.Logger) { l.Info("hi", "k", literal) },
		"literal key":   func(l *slog.Logger) { l.Info("hi", literal, 1) },
	}
	for name, attack := range attacks {
		for _, colours := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var out bytes.Buffer
				attack(slog.New(textHandler(&out, slog.LevelInfo, colours)))
				text, ended := strings.CutSuffix(out.String(), "\n")
				if !ended || strings.ContainsAny(text, "\n\r\x00\a") || strings.Contains(text, "\x1b]") || strings.Contains(text, "\x1b[31m") {
					t.Errorf("colours %v: got %q, want one line without the guest's control characters", colours, out.String())
				}
				if rest := coloured.ReplaceAllString(text, ""); strings.Contains(rest, "\x1b") {
					t.Errorf("colours %v: got %q, want no escape character but tint's", colours, out.String())
				}
			})
		}
	}
}

// TestJSONLogShowsWhatIsThere: no character of a guest turns the line around, hides a
// part of it or starts an escape sequence, and a reader of JSON gets it back.
func TestJSONLogShowsWhatIsThere(t *testing.T) {
	for _, evil := range []string{
		"\u202eevil", "a\u2066b\u2069", "\u009b31m", "\u0085", "x\u200by", "\ufeff", "\u061c", "\u2028", "\U000e0041", "\u00ad",
		"\u202e\u202e", "ends\u200f",
	} {
		var out bytes.Buffer
		jsonLogger(slog.LevelInfo)(&out).Info(evil, evil, evil)
		if strings.ContainsFunc(out.String(), term.Obeyed) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%+q: the line is %+q", evil, out.String())
		}
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != evil || line[evil] != evil {
			t.Errorf("%+q comes back as %+q, %v", evil, line, err)
		}
	}
	var out bytes.Buffer
	jsonLogger(slog.LevelInfo)(&out).Info("grüße, 世界 😀")
	if !strings.Contains(out.String(), "grüße, 世界 😀") {
		t.Errorf("text is not left alone: %s", out.String())
	}
	if n, err := (term.Escaper{Writer: &out}).Write([]byte("\u202e\n")); n != 4 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
}

// What a library logs by itself is a record like any other, of bounded length.
func TestLibrariesLogRecords(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelDebug: 1, slog.LevelInfo: 0} {
		var out bytes.Buffer
		release := takeLibraries(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})))
		stdlog.Printf("Unsolicited response starting with %q", strings.Repeat("\x1bä", 4<<10))
		release()
		if n := strings.Count(out.String(), "\n"); n != want || out.Len() > 2*maxLibraryLine || want > 0 && !json.Valid(out.Bytes()) {
			t.Errorf("%s: %d lines of JSON, want %d of bounded length: %q", level, n, want, out.String())
		}
	}
	if _, taken := stdlog.Writer().(libraries); taken {
		t.Error("the logger of the process is still taken")
	}
}

func TestTextLogMessage(t *testing.T) {
	tests := []struct{ message, want string }{
		{"plugin serves", "plugin serves"},
		{"größer", "größer"},
		{"a\nlevel=ERROR msg=forged\x1b[31m\x00", `"a\nlevel=ERROR msg=forged\x1b[31m\x00"`},
		{"done plugin=other", `"done plugin=other"`},
		{"\u202etxt", `"\u202etxt"`},
		{"\xff", `"\xff"`},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		slog.New(textHandler(&out, slog.LevelInfo, false)).Info(tt.message)
		if got := out.String(); !strings.HasSuffix(got, "INF "+tt.want+"\n") {
			t.Errorf("Info(%q) writes %q, want it to end in %q", tt.message, got, tt.want)
		}
	}
}
