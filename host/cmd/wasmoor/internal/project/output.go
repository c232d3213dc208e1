package project

import "fmt"

// maxOutput is how many bytes are kept of each end of what a command prints.
const maxOutput = 64 << 10

// output takes what a command prints, and keeps its start and its end: compilers say
// what matters in either.
type output struct {
	start, end []byte
	dropped    int
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	room := min(maxOutput-len(o.start), len(p))
	o.start = append(o.start, p[:room]...)
	rest := p[room:]
	if more := len(rest) - maxOutput; more > 0 {
		rest, o.dropped = rest[more:], o.dropped+more
	}
	if len(o.end)+len(rest) > 2*maxOutput {
		o.trim(maxOutput - len(rest))
	}
	o.end = append(o.end, rest...)
	return len(p), nil
}

// trim leaves at most so many bytes of the end.
func (o *output) trim(most int) {
	more := max(len(o.end)-most, 0)
	o.end, o.dropped = append(o.end[:0], o.end[more:]...), o.dropped+more
}

// text is what was kept, with a line for what was not.
func (o *output) text() []byte {
	o.trim(maxOutput)
	if o.dropped == 0 {
		return append(o.start, o.end...)
	}
	return append(fmt.Appendf(o.start, "\n... %d bytes of output left out ...\n", o.dropped), o.end...)
}
