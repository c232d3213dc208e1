package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// read reads until the stream is over, tells the listener, and is the owner of the
// stream's end.
func (one *Stream) read(o *Opening) {
	s := one.streams
	defer s.going.Done()
	var from io.Reader = one.conn
	if len(o.Ahead) > 0 {
		from = io.MultiReader(bytes.NewReader(o.Ahead), one.conn)
	}
	max := o.MaxMessage
	o.Head, o.First = nil, nil
	if one.kind == WebSocket {
		one.readFrames(&reader{one: one, in: bufio.NewReaderSize(from, readBuffer), max: max, allowance: allowance{rate: s.cfg.Rate}})
	} else {
		one.ignore(from)
	}
	one.hangUp(CodeLost, "")
	one.mu.Lock()
	code, reason, left := one.code, one.reason, one.left
	one.mu.Unlock()
	s.forget(one)
	one.listener.Closed(code, reason, left)
}

// readBuffer is what each WebSocket has, idle or not: enough for a head and a small
// message.
const readBuffer = 512

// ignored is how much a client of an event stream may send although nobody reads it.
const ignored = 4 << 10

// ignore waits until the client of an event stream leaves.
func (one *Stream) ignore(from io.Reader) {
	b := make([]byte, 64)
	for got := 0; got < ignored; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		got += n
		one.heard.Store(time.Now().UnixNano())
	}
}

// drain reads what a client still sends that was told goodbye, for as long as it may
// take: closing earlier would take the goodbye from it.
func (one *Stream) drain(in io.Reader) {
	_, _ = io.Copy(io.Discard, in)
	one.spoken()
}

// reader reads the frames of a WebSocket.
type reader struct {
	one       *Stream
	in        *bufio.Reader
	max       int
	allowance allowance
	head      [ws.MaxHeaderSize]byte

	message []byte
	valid   int       // bytes of it that are whole characters
	op      ws.OpCode // of the message that has begun; 0 = none
}

// problem ends a stream with a code.
type problem struct {
	code   int
	reason string
}

// Error implements error.
func (p *problem) Error() string { return p.reason }

// errOver ends what is read, everything being said.
var errOver = errors.New("over")

// readFrames reads until the stream is over, and says goodbye with a problem that the
// client's frames have.
func (one *Stream) readFrames(r *reader) {
	for {
		err := r.frame()
		if p, ok := errors.AsType[*problem](err); ok {
			one.fail(p)
			one.drain(r.in)
			return
		}
		if err != nil {
			if errors.Is(err, errOver) {
				one.drain(r.in)
			}
			return
		}
	}
}

// frame reads one frame and acts on it.
func (r *reader) frame() error {
	h, err := ws.ReadHeaderBuffer(r.in, r.head[:])
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return &problem{CodeProtocol, "the length of a frame is malformed"}
	}
	if err != nil {
		return err
	}
	now := time.Now()
	r.one.heard.Store(now.UnixNano())
	state := ws.StateServerSide
	if r.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return &problem{CodeProtocol, err.Error()}
	}
	if !r.allowance.take(now, weight(h)) {
		r.one.streams.counts.flooded.Add(1)
		return &problem{CodePolicy, "too many messages"}
	}
	if h.OpCode.IsControl() {
		return r.control(h)
	}
	return r.data(h)
}

func (r *reader) control(h ws.Header) error {
	var buf [ws.MaxControlFramePayloadSize]byte
	payload := buf[:h.Length]
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		r.one.answerPing(payload)
	case ws.OpClose:
		code, reason, bad := judgeClose(payload)
		if bad != 0 {
			return &problem{bad, "the close frame is malformed"}
		}
		if r.one.leave(code, reason) {
			return io.EOF
		}
		return errOver
	}
	return nil
}

// data reads a frame of a message. Memory is taken as bytes come, and not for what a
// head promises.
func (r *reader) data(h ws.Header) error {
	if h.Length > int64(r.max-len(r.message)) {
		return &problem{CodeTooBig, "the message is too large"}
	}
	if h.OpCode != ws.OpContinuation {
		r.op = h.OpCode
	}
	at := len(r.message)
	for left := int(h.Length); left > 0; {
		n := min(left, max(readBuffer, len(r.message)))
		r.message = append(r.message, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, r.message[len(r.message)-n:]); err != nil {
			return err
		}
		left -= n
		r.one.heard.Store(time.Now().UnixNano())
	}
	ws.Cipher(r.message[at:], h.Mask, 0)
	if r.op == ws.OpText && !r.checkText(h.Fin) {
		return &problem{CodeInvalid, "the text is not UTF-8"}
	}
	if h.Fin {
		r.deliver()
	}
	return nil
}

// checkText reports whether the message may be UTF-8 so far. A character may be cut by
// the end of a frame, unless that is the message's.
func (r *reader) checkText(whole bool) bool {
	rest := r.message[r.valid:]
	if !whole {
		rest = rest[:len(rest)-cutCharacter(rest)]
	}
	r.valid += len(rest)
	return utf8.Valid(rest)
}

// cutCharacter is how many bytes at the end of b begin a character that more bytes may
// make whole.
func cutCharacter(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// deliver passes a whole message on.
func (r *reader) deliver() {
	message, text := r.message, r.op == ws.OpText
	r.message, r.op, r.valid = nil, 0, 0
	if message == nil {
		message = []byte{}
	}
	one := r.one
	one.streams.counts.in.Add(1)
	one.streams.counts.bytesIn.Add(int64(len(message)))
	one.mu.Lock()
	over := one.shut
	one.mu.Unlock()
	if over {
		return // the host has said goodbye
	}
	one.busy.Store(true)
	one.listener.Message(text, message)
	one.heard.Store(time.Now().UnixNano())
	one.busy.Store(false)
}

// allowance is what a client may still send: rate in a second, twice as much at once.
type allowance struct {
	rate int
	used float64
	at   time.Time
}

func (a *allowance) take(now time.Time, weight float64) bool {
	if !a.at.IsZero() {
		a.used = max(0, a.used-now.Sub(a.at).Seconds()*float64(a.rate))
	}
	a.at = now
	if a.used+weight > float64(2*a.rate) {
		return false
	}
	a.used += weight
	return true
}

// weight is what a frame counts: a message may have many.
func weight(h ws.Header) float64 {
	if h.OpCode.IsControl() || h.Fin {
		return 1
	}
	return 1. / 64
}
