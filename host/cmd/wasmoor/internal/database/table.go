package database

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// show writes what a statement has found.
func (s *session) show(r adminapi.QueryResult) error {
	if s.AsJSON {
		return s.JSON(r)
	}
	if len(r.Columns) > 0 {
		if err := s.table(r); err != nil {
			return err
		}
	}
	switch {
	case r.More && len(r.Rows) < s.limit:
		s.Note("there are more rows: the answer is cut at 8 MiB; ask for fewer columns, or for the next rows with LIMIT and OFFSET")
	case r.More && s.limit == adminapi.MaxQueryRows:
		s.Note("there are more rows, and an answer has at most %d: ask for the next ones with LIMIT and OFFSET", adminapi.MaxQueryRows)
	case r.More:
		s.Note("there are more rows; --limit shows up to %d", adminapi.MaxQueryRows)
	}
	switch {
	case r.Changed == 1:
		s.Note("1 row changed")
	case r.Changed > 0 || s.write && len(r.Columns) == 0:
		s.Note("%d rows changed", r.Changed)
	}
	return nil
}

// cell is a value as text.
type cell struct {
	text   string
	number bool
	null   bool
}

// narrow is how few characters a column has at least that is cut.
const narrow = 8

func (s *session) table(r adminapi.QueryResult) error {
	rows := [][]cell{make([]cell, len(r.Columns))}
	for i, name := range r.Columns {
		rows[0][i] = cell{text: oneLine(name)}
	}
	for _, row := range r.Rows {
		cells := make([]cell, len(r.Columns))
		for i := range min(len(row), len(cells)) {
			cells[i] = cellOf(row[i])
		}
		rows = append(rows, cells)
	}
	for i := range rows[0] { // a name stands over its numbers
		rows[0][i].number = len(rows) > 1
		for _, row := range rows[1:] {
			rows[0][i].number = rows[0][i].number && (row[i].number || row[i].null)
		}
	}
	widths := fit(rows, s.Width())
	var out strings.Builder
	for n, row := range rows {
		line := make([]string, len(row))
		for i, c := range row {
			line[i] = s.padded(c, widths[i], n == 0)
		}
		out.WriteString(strings.TrimRight(strings.Join(line, "  "), " "))
		out.WriteByte('\n')
	}
	_, err := s.Stdout.Write([]byte(out.String()))
	return err
}

// padded writes a cell in its column.
func (s *session) padded(c cell, width int, head bool) string {
	text := c.text
	if n := utf8.RuneCountInString(text); n > width {
		text = string([]rune(text)[:width-1]) + "…"
	}
	blank := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if head || c.null {
		text = s.Paint(s.Stdout, term.Grey, text)
	}
	if c.number {
		return blank + text
	}
	return text + blank
}

// fit returns the widths of columns, which are cut to the width of a terminal; 0 = it is
// none.
func fit(rows [][]cell, most int) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	if most == 0 {
		return widths
	}
	sum := 2 * (len(widths) - 1)
	for i := range widths {
		widths[i] = min(widths[i], most)
		sum += widths[i]
	}
	for ; sum > most; sum-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrow {
			break
		}
		widths[widest]--
	}
	return widths
}

// shownBlob is how many bytes of a blob are shown.
const shownBlob = 16

func cellOf(v any) cell {
	switch v := v.(type) {
	case nil:
		return cell{text: "NULL", null: true}
	case json.Number:
		return cell{text: v.String(), number: true}
	case string:
		return cell{text: oneLine(v)}
	case adminapi.Bytes:
		if v.Text != nil {
			return cell{text: oneLine(string(v.Text))}
		}
		text := "x'" + hex.EncodeToString(v.Blob[:min(len(v.Blob), shownBlob)])
		if len(v.Blob) > shownBlob {
			return cell{text: fmt.Sprintf("%s…' (%s)", text, term.Size(int64(len(v.Blob))))}
		}
		return cell{text: text + "'"}
	}
	return cell{text: oneLine(fmt.Sprint(v))}
}

// oneLine writes text so that it stays in its row.
func oneLine(text string) string {
	if text == "" {
		return ""
	}
	return term.Printable(strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text))
}
