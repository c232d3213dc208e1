package stream

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"sync"

	"github.com/gobwas/ws"
)

// Event is something to send, to any number of streams: it is encoded once for each
// kind. Make it with NewEvent; it is not changed afterwards.
type Event struct {
	id, name string
	text     bool
	data     []byte

	encode [2]sync.Once
	bytes  [2][]byte
}

// NewEvent returns an Event with data, which it keeps. A WebSocket gets the data as a
// message, text or binary. An event stream gets the id and the name as well, "" =
// none, neither with a line end in it; binary data goes there in base64.
func NewEvent(id, name string, text bool, data []byte) *Event {
	return &Event{id: id, name: name, text: text, data: data}
}

// Size returns how many bytes of data the event has.
func (e *Event) Size() int { return len(e.data) }

// Memory returns how many bytes the event takes once it was sent to a kind of stream.
func (e *Event) Memory(k Kind) int { return len(e.data) + len(e.wire(k)) }

// wire returns the event as a kind of stream has it.
func (e *Event) wire(k Kind) []byte {
	e.encode[k].Do(func() {
		if k == WebSocket {
			e.bytes[k] = frame(e.opcode(), e.data)
		} else {
			e.bytes[k] = e.lines()
		}
	})
	return e.bytes[k]
}

func (e *Event) opcode() ws.OpCode {
	if e.text {
		return ws.OpText
	}
	return ws.OpBinary
}

// lines is the event in the form of the HTML standard, §9.2.6.
func (e *Event) lines() []byte {
	data := e.data
	if !e.text {
		data = base64.StdEncoding.AppendEncode(nil, data)
	}
	b := make([]byte, 0, len(data)+len(e.id)+len(e.name)+32)
	if e.id != "" {
		b = append(append(append(b, "id: "...), e.id...), '\n')
	}
	if e.name != "" {
		b = append(append(append(b, "event: "...), e.name...), '\n')
	}
	for line := range lines(data) {
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}

// lines yields the lines of data, which any of CR LF, CR and LF ends: each would end a
// line of the stream as well.
func lines(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			i := bytes.IndexAny(data, "\r\n")
			if i < 0 {
				yield(data)
				return
			}
			if !yield(data[:i]) {
				return
			}
			if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
				i++
			}
			data = data[i+1:]
		}
	}
}

// comment keeps an event stream open.
var comment = []byte(":\n\n")

// bye is the last event of an event stream that the host ends: a client may tell it
// from a connection that was lost. It comes again after about so many milliseconds.
func bye(reason string, retry int) []byte {
	e := Event{name: "bye", text: true, data: []byte(reason)}
	b := e.lines()
	if retry > 0 {
		b = append(append([]byte("retry: "), strconv.Itoa(retry)...), append([]byte{'\n'}, b...)...)
	}
	return b
}

// frame is a whole message or control frame of a server.
func frame(op ws.OpCode, data []byte) []byte {
	b := make([]byte, 0, 10+len(data))
	b = append(b, 0x80|byte(op))
	switch n := len(data); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, data...)
}

// closing is a close frame.
func closing(code int, reason string) []byte {
	if code == CodeNone {
		return frame(ws.OpClose, nil)
	}
	return frame(ws.OpClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), CutReason(reason)...))
}
