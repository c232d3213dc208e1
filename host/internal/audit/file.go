package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds a line of an export, in bytes.
const maxLine = 1 << 20

// mark is a line of an export that is no event: its first and its last.
type mark struct {
	Mark   string `json:"audit"` // begin or end
	Number uint64 `json:"number"`
	Hash   string `json:"hash"`
}

const (
	begin = "begin"
	end   = "end"
)

// Writer writes an export: a line with the point before the first event, the events,
// and a line with the point after the last one.
type Writer struct {
	to       *bufio.Writer
	verifier *Verifier
}

// NewWriter returns a Writer of the events after a point, and writes the first line.
func NewWriter(w io.Writer, after Point) (*Writer, error) {
	out := &Writer{bufio.NewWriter(w), New(after)}
	return out, out.mark(begin, after)
}

func (w *Writer) mark(which string, p Point) error {
	line, err := json.Marshal(mark{which, p.Number, p.Hash})
	if err == nil {
		_, err = w.to.Write(append(line, '\n'))
	}
	return err
}

// Add writes an event as it is stored. It is written even where the error is a
// *BreakError, which says that it does not fit the chain.
func (w *Writer) Add(line []byte) error {
	if _, err := w.to.Write(line); err != nil {
		return err
	}
	if err := w.to.WriteByte('\n'); err != nil {
		return err
	}
	return w.verifier.Add(line)
}

// End writes the last line.
func (w *Writer) End(head Point) error {
	if err := w.mark(end, head); err != nil {
		return err
	}
	return w.to.Flush()
}

// Read reads an export and calls event with each line of an event, without its
// line end, and point with the points of the first and the last line. It ends with
// the first error of them. The other errors are about the form: the file must be what
// Writer wrote to the byte, its line ends too.
func Read(r io.Reader, point func(first bool, p Point) error, event func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	n, ended := 0, false
	for lines.Scan() {
		line := lines.Bytes()
		n++
		if ended {
			return fmt.Errorf("line %d stands after the last line of the export", n)
		}
		if bytes.HasSuffix(line, []byte{'\r'}) {
			return fmt.Errorf(`line %d ends with \r\n, and an export has \n: a program has changed the line ends, as git, editors and mail do; export it again, or put them back with: tr -d '\r'`, n)
		}
		m, isMark := markOf(line)
		if isMark != (n == 1) && m.Mark != end {
			return fmt.Errorf("line %d is not what `wasmoor audit export` writes there", n)
		}
		var err error
		switch {
		case !isMark:
			err = event(line)
		default:
			ended = m.Mark == end
			err = point(n == 1, Point{m.Number, m.Hash})
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !ended {
		return errCut
	}
	return nil
}

var errCut = errors.New("the last line of the export is missing or not whole: the file was cut off, or events were removed from its end")

// wholeLines splits at line ends and changes nothing of a line. What has no line end is
// an error.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errCut
	}
	return 0, nil, nil
}

// markOf reads a mark as it is written, to the byte.
func markOf(line []byte) (mark, bool) {
	var m mark
	if err := json.Unmarshal(line, &m); err != nil || m.Mark == "" {
		return mark{}, false
	}
	written, err := json.Marshal(m)
	return m, err == nil && bytes.Equal(written, line)
}
