package logs

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Common returns a logger that writes records of requests in the Common Log Format, or
// with combined in that of Apache's and nginx's, which ends with the referer and the
// user agent. Records that are not of requests have no method.
func Common(w io.Writer, combined bool) *slog.Logger {
	return slog.New(common{w, combined})
}

type common struct {
	w        io.Writer
	combined bool
}

func (common) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (c common) WithAttrs([]slog.Attr) slog.Handler { return c } // the form has no place for more

func (c common) WithGroup(string) slog.Handler { return c }

// Handle writes a line. What clients wrote in it is escaped as Apache does.
func (c common) Handle(_ context.Context, r slog.Record) error {
	of := map[string]string{}
	r.Attrs(func(a slog.Attr) bool { of[a.Key] = a.Value.String(); return true })
	request := "-"
	if of["method"] != "" {
		request = of["method"] + " " + of["path"] + " HTTP/1.1"
	}
	b := make([]byte, 0, 256)
	b = append(b, orDash(of["remote"])...)
	b = append(b, " - - ["...)
	b = r.Time.In(time.Local).AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(appendQuoted(append(b, "] "...), request), ' ')
	b = append(append(append(b, orDash(of["status"])...), ' '), orDash(of["bytes"])...)
	if c.combined {
		b = append(appendQuoted(append(b, ' '), orDash(of["referer"])), ' ')
		b = appendQuoted(b, orDash(of["user_agent"]))
	}
	_, err := c.w.Write(append(b, '\n'))
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// maxQuoted is how much of a text is in a line. A header has more.
const maxQuoted = 8 << 10

// appendQuoted appends a text in quotes, which nothing in it can end.
func appendQuoted(b []byte, text string) []byte {
	text = text[:min(len(text), maxQuoted)]
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return append(append(append(b, '"'), text...), '"')
	}
	return strconv.AppendQuoteToASCII(b, text)
}
