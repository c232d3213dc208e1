package logline

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func TestText(t *testing.T) {
	noEnv := func(string) string { return "" }
	p := term.New(noEnv, strings.NewReader(""), io.Discard, io.Discard, func() {})
	at := time.Date(2026, 11, 29, 5, 26, 47, 662e6, time.Local)
	from := at.Add(-90 * time.Second)
	dayBefore := at.AddDate(0, 0, -1)
	attr := func(name, value string) adminapi.LogAttr { return adminapi.LogAttr{Name: name, Value: value} }
	for name, tt := range map[string]struct {
		line             adminapi.LogLine
		oneLine, several string // "" = as on one line
	}{
		"a guest's": {
			adminapi.LogLine{Level: "info", Version: 3, RequestID: "r1", Message: "an order", Guest: []adminapi.LogAttr{attr("user", "17"), attr("note", "a b"), attr("empty", "")}},
			`INFO  v3 r1 an order user=17 note="a b" empty=""`, "",
		},
		"of several lines": {
			adminapi.LogLine{Level: "warn", Message: "one\r\n\ttwo\nthree\n", Guest: []adminapi.LogAttr{attr("stack", "main.go:1\n\tmain.go:2\n"), attr("k", "v")}},
			`WARN  one\n	two\nthree stack="main.go:1\n\tmain.go:2\n" k=v`,
			"WARN  one\n  \ttwo\n  three k=v\n  stack=\n    main.go:1\n    \tmain.go:2",
		},
		"that gives orders to a terminal": {
			adminapi.LogLine{Level: "error\x1b", RequestID: "\x1b]0;", Message: "a\x1b[31mb\u009b\u202e\x00\x7f", Guest: []adminapi.LogAttr{attr("\x1bk\n", "\x1b[2J"), attr("l", "\u202e\nx")}},
			"ERROR\ufffd \ufffd]0; " + `a\x1b[31mb\u009b\u202e\x00\x7f \x1bk="\x1b[2J" l="\u202e\nx"`,
			"ERROR\ufffd \ufffd]0; " + `a\x1b[31mb\u009b\u202e\x00\x7f \x1bk="\x1b[2J"` + "\n  l=\n    " + `\u202e` + "\n    x",
		},
		"of a request that failed": {
			adminapi.LogLine{Level: "error", Version: 1, RequestID: "r2", Message: "request", Attributes: []adminapi.LogAttr{
				attr("method", "GET"), attr("path", "/shop/x"), attr("status", "502"), attr("bytes", "169"), attr("ms", "0.46"), attr("remote", "127.0.0.1"),
				attr("pattern", "GET /x"), attr("attempts", "2"), attr("outcome", "aborted"), attr("error", "it trapped:\n\tmain.go:1"),
			}},
			`ERROR v1 r2 GET /shop/x: 502 in 0.46 ms attempts=2 outcome=aborted error="it trapped:\n\tmain.go:1"`,
			"ERROR v1 r2 GET /shop/x: 502 in 0.46 ms attempts=2 outcome=aborted\n  error=\n    it trapped:\n    \tmain.go:1",
		},
		"of the host":              {adminapi.LogLine{Level: "info", Version: 2, Message: "a version serves", Attributes: []adminapi.LogAttr{attr("by", "admin")}}, "INFO  v2 a version serves by=admin", ""},
		"of those dropped":         {adminapi.LogLine{Dropped: 12345, From: &from}, "... 12,345 lines were dropped between 05:25:17.662 and 05:26:47.662", ""},
		"of one dropped overnight": {adminapi.LogLine{Dropped: 1, From: &dayBefore}, "... 1 line was dropped between 2026-11-28 05:26:47.662 and 2026-11-29 05:26:47.662", ""},
		"of those dropped before":  {adminapi.LogLine{Dropped: 1234567}, "... 1,234,567 lines were dropped before this", ""},
	} {
		tt.line.Time = at
		if tt.several == "" {
			tt.several = tt.oneLine
		}
		for spread, want := range map[bool]string{false: tt.oneLine, true: tt.several} {
			want = "2026-11-29 05:26:47.662 " + want
			if got := Text(p, "", &tt.line, spread); got != want {
				t.Errorf("a line %s, spread %v:\ngot  %q\nwant %q", name, spread, got, want)
			}
		}
	}
}
