package term

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Colours, as parameters of the ANSI sequence that selects them.
const (
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Grey   = "90"

	Blue    = "34"
	Magenta = "35"
	Cyan    = "36"
)

// Paint colours text for w when a person looks at it and has not asked for
// plain text (no-color.org).
func (t *Terminal) Paint(w io.Writer, colour, text string) string {
	if !t.Colours(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Colours reports whether text for w is coloured.
func (t *Terminal) Colours(w io.Writer) bool {
	return !t.NoColor && t.Getenv("NO_COLOR") == "" && t.Getenv("TERM") != "dumb" && IsTerminal(w)
}

// JSON writes v as the command's data, of which a terminal obeys no character.
func (t *Terminal) JSON(v any) error {
	encoder := json.NewEncoder(Escaper{t.Stdout})
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// JSONLine writes v as one line of JSON, of which a terminal obeys no character.
func (t *Terminal) JSONLine(v any) error {
	encoder := json.NewEncoder(Escaper{t.Stdout})
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// JSONUnless writes v as JSON unless err says that there is none.
func (t *Terminal) JSONUnless(err error, v any) error {
	if err != nil {
		return err
	}
	return t.JSON(v)
}

// Data writes bytes as they are, and ends the line on a terminal.
func (t *Terminal) Data(value []byte) error {
	if n := len(value); IsTerminal(t.Stdout) && n > 0 && value[n-1] != '\n' {
		value = append(value, '\n')
	}
	if _, err := t.Stdout.Write(value); err != nil {
		return fault.Wrap(fault.Internal, "write the value", "", err)
	}
	return nil
}

// List makes a nil list print as an empty one.
func List[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Table writes rows in columns, below a header unless that is empty. Without rows it
// says so in a message.
func (t *Terminal) Table(empty, header string, rows [][]string) error {
	if len(rows) == 0 {
		t.Note("%s", empty)
		return nil
	}
	w := tabwriter.NewWriter(t.Stdout, 0, 0, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// Printable keeps what a plugin or its author chose from moving the cursor, and from
// turning the direction of text.
func Printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || Obeyed(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// Size formats bytes for people.
func Size(n int64) string {
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

// Millis formats a time that a person waited.
func Millis(d time.Duration) string {
	switch ms := float64(d.Microseconds()) / 1000; {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.0f ms", ms)
	}
}

// Date formats a time for a table.
func Date(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// Joined lists items, or says what none of them means.
func Joined(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}
