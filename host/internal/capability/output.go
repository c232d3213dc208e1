package capability

import (
	"bytes"
	"cmp"
	"log/slog"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Stream is one of a guest's output streams.
type Stream int

// The streams.
const (
	Stdout Stream = iota
	Stderr
)

func (s Stream) level() slog.Level {
	if s == Stderr {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Output turns what a guest writes to its streams into log lines of the
// invocation. While the guest initialises there is no invocation: the first
// line of stderr is kept, where a runtime that gives up says why. What Go's runtime
// writes when it gives up is kept back for TakeDump.
type Output struct {
	parts   [2][]byte // unfinished lines
	initial []byte
	dump    dump
	advice  string
}

// Write takes bytes of a stream and logs each line they finish. A line over
// limit.LogLine is logged in pieces.
func (o *Output) Write(inv *invoke.Invocation, s Stream, data []byte) {
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, newline)
		if room := limit.LogLine - len(o.parts[s]); len(line) > room {
			line, rest, ended = data[:room], data[room:], true
		}
		o.parts[s] = append(o.parts[s], line...)
		if ended {
			o.end(inv, s)
		}
		data = rest
	}
}

// Flush logs what the guest did not finish.
func (o *Output) Flush(inv *invoke.Invocation) {
	o.end(inv, Stdout)
	o.end(inv, Stderr)
	o.release(inv)
}

// TakeDump returns what Go's runtime wrote before it ended the program, if it did.
// Whoever takes it says so to the log.
func (o *Output) TakeDump(inv *invoke.Invocation) (Dump, bool) {
	o.end(inv, Stdout)
	o.end(inv, Stderr)
	whole, ok := o.dump.whole()
	if ok {
		o.dump = dump{}
	}
	return whole, ok
}

// Initial returns the first line written to stderr while the guest initialised.
func (o *Output) Initial() string { return string(o.initial) }

// Advice returns the first advice that the guest got while it initialised.
func (o *Output) Advice() string { return o.advice }

func (o *Output) advise(text string) { o.advice = cmp.Or(o.advice, text) }

func (o *Output) end(inv *invoke.Invocation, s Stream) {
	line := string(bytes.TrimSuffix(o.parts[s], carriageReturn))
	o.parts[s] = o.parts[s][:0]
	if line == "" {
		return
	}
	if s == Stderr {
		if o.dump.take(line) {
			return
		}
		o.release(inv)
	}
	o.log(inv, s.level(), line)
}

// release logs what was kept back and is no dump, or not the end.
func (o *Output) release(inv *invoke.Invocation) {
	if len(o.dump.head) == 0 {
		return
	}
	for _, line := range slices.Concat(o.dump.head, o.dump.stack) {
		o.log(inv, Stderr.level(), line)
	}
	o.dump = dump{}
}

func (o *Output) log(inv *invoke.Invocation, level slog.Level, line string) {
	switch {
	case inv != nil:
		inv.Log(level, line)
	case level == Stderr.level() && len(o.initial) == 0:
		o.initial = append(o.initial, line...)
	}
}

var newline, carriageReturn = []byte("\n"), []byte("\r")
