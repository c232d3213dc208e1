package abitest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Check compares what a call returned, and the whole of its output buffer, which
// held zeros. A result that is a status, or a size that does not fit, has
// written nothing.
func (c *Call) Check(result int64, buf []byte) error {
	if c.Result.Any && result <= 0 || !c.Result.Any && result != c.Result.Value {
		return fmt.Errorf("%s returned %d, want %s", c.Function.Name, result, c.Result)
	}
	var written []byte
	if result >= 0 && result <= int64(len(buf)) {
		written = buf[:result]
	}
	if rest := buf[len(written):]; !bytes.Equal(rest, make([]byte, len(rest))) {
		return fmt.Errorf("%s returned %d and wrote more: %.200q", c.Function.Name, result, buf)
	}
	switch {
	case c.Out == nil:
		return nil
	case c.Out.match != nil:
		if err := c.Out.match(written); err != nil {
			return fmt.Errorf("%s: %w", c.Function.Name, err)
		}
	case !bytes.Equal(written, c.Out.Bytes("", nil)):
		return fmt.Errorf("%s gave %.200q, want %.200q", c.Function.Name, written, c.Out.Bytes("", nil))
	}
	return nil
}

func (r Result) String() string {
	if r.Any {
		return "any above 0"
	}
	return fmt.Sprint(r.Value)
}

// Got is the outcome of an invocation.
type Got struct {
	Outcome  string
	Refused  bool
	Attempts int
	Status   int
	Headers  [][2]string // as they are sent
	Body     string
	Pattern  string
	Logs     []Line // of the last attempt
	Sent     []HTTPCall
}

// Check compares what became of an invocation.
func (w *Want) Check(got Got) error {
	var wrong []string
	check := func(what string, got, want any) {
		form := "%q"
		switch got.(type) {
		case int, bool:
			form = "%v"
		}
		if g, w := fmt.Sprintf(form, got), fmt.Sprintf(form, want); g != w {
			wrong = append(wrong, fmt.Sprintf("%s %.200s, want %.200s", what, g, w))
		}
	}
	check("outcome", got.Outcome, cmp.Or(w.Outcome, "none"))
	check("refused", got.Refused, w.Refused)
	check("attempts", got.Attempts, cmp.Or(w.Attempts, 1))
	if w.Status != 0 {
		check("status", got.Status, w.Status)
	}
	if w.Headers != nil {
		check("headers", sorted(got.Headers), w.Headers)
	}
	if w.Body != nil {
		check("body", got.Body, string(*w.Body))
	}
	if w.Pattern != nil {
		check("pattern", got.Pattern, string(*w.Pattern))
	}
	if w.Logs != nil {
		check("logs", got.Logs, *w.Logs)
	}
	if w.Lines != 0 {
		check("lines", len(got.Logs), w.Lines)
	}
	if w.Sent != nil {
		check("calls", got.Sent, *w.Sent)
	}
	if wrong != nil {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// sorted returns fields with names in lower case, sorted by them.
func sorted(headers [][2]string) [][2]string {
	list := slices.Clone(headers)
	for i := range list {
		list[i][0] = strings.ToLower(list[i][0])
	}
	slices.SortStableFunc(list, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return list
}
