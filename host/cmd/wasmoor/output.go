package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// Colours, as parameters of the ANSI sequence that selects them.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
)

// paint colours text for w when a person looks at it and has not asked for
// plain text (no-color.org).
func (p *program) paint(w io.Writer, colour, text string) string {
	if !p.colours(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *program) colours(w io.Writer) bool {
	return !p.noColor && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" && isTerminal(w)
}

// isTerminal reports whether v, a reader or writer, is a terminal.
func isTerminal(v any) bool {
	if s, ok := v.(*sink); ok {
		v = s.w
	}
	file, ok := v.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// json writes v as the command's data.
func (p *program) json(v any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// list makes a nil list print as an empty one.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// table writes rows in columns. Without rows it says so beside the data.
func (p *program) table(empty, header string, rows [][]string) error {
	if len(rows) == 0 {
		p.note("%s", empty)
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// printable keeps what a plugin or its author chose from moving the cursor.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// size formats bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit {
		value /= unit
		exponent++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[exponent])
}

// millis formats a time that a person waited.
func millis(d time.Duration) string {
	switch ms := float64(d.Microseconds()) / 1000; {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.0f ms", ms)
	}
}

// date formats a time for a table.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
