package capability

import (
	"bytes"
	"log/slog"

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
// line of stderr is kept, where a runtime that gives up says why.
type Output struct {
	parts   [2][]byte // unfinished lines
	initial []byte
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

// Flush logs the lines that the guest did not finish.
func (o *Output) Flush(inv *invoke.Invocation) {
	o.end(inv, Stdout)
	o.end(inv, Stderr)
}

// Initial returns the first line written to stderr while the guest initialised.
func (o *Output) Initial() string { return string(o.initial) }

func (o *Output) end(inv *invoke.Invocation, s Stream) {
	line := bytes.TrimSuffix(o.parts[s], carriageReturn)
	o.parts[s] = o.parts[s][:0]
	switch {
	case len(line) == 0:
	case inv == nil:
		if s == Stderr && len(o.initial) == 0 {
			o.initial = append(o.initial, line...)
		}
	default:
		inv.Log(s.level(), string(line))
	}
}

var newline, carriageReturn = []byte("\n"), []byte("\r")
