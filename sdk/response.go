package sdk

import (
	"unsafe"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// bodyRoom is how much of a body collects before it is passed to the host: it
// makes one call of many small writes, and it lets an error replace what a
// handler has written so far.
const bodyRoom = 4 << 10

// Response is the answer to a request. The host sends it when the handler has
// returned and its writes have committed, so status and header may be set at
// any time, also after the body. It is an io.Writer and io.StringWriter.
type Response struct {
	status int
	fields int
	head   []byte // the layout of abi.ResponseHead, except the status and the count
	body   []byte // not yet passed to the host
	passed int64  // bytes of the body that are
	err    error  // of the first write that was refused
}

func (w *Response) reset() {
	w.status, w.passed, w.err = 200, 0, nil
	w.body = w.body[:0]
	w.dropHeader()
}

// headStart is where the header fields start in the layout.
const headStart = 8

func (w *Response) dropHeader() { w.head, w.fields = w.head[:headStart], 0 }

// SetStatus sets the status, 200 unless set.
func (w *Response) SetStatus(status int) { w.status = status }

// SetHeader sets a header field, in place of all of that name.
func (w *Response) SetHeader(name, value string) {
	w.DelHeader(name)
	w.AddHeader(name, value)
}

// AddHeader adds a header field and keeps those of the same name.
func (w *Response) AddHeader(name, value string) {
	w.head = appendText(appendText(w.head, name), value)
	w.fields++
}

// DelHeader removes the header fields of that name.
func (w *Response) DelHeader(name string) {
	for at := headStart; ; w.fields-- {
		from, to := w.find(name, at)
		if from == to {
			return
		}
		w.head = append(w.head[:from], w.head[to:]...)
		at = from
	}
}

// find returns where the first header field of that name stands at or after at;
// an empty range if there is none.
func (w *Response) find(name string, at int) (from, to int) {
	head := unsafe.String(unsafe.SliceData(w.head), len(w.head))
	for at < len(head) {
		found, value := cut(head, at)
		_, next := cut(head, value)
		if equalFold(found, name) {
			return at, next
		}
		at = next
	}
	return at, at
}

func (w *Response) hasHeader(name string) bool {
	from, to := w.find(name, headStart)
	return from < to
}

// AvailableBuffer returns an empty buffer at the end of what has collected. What is
// appended to it and then passed to Write, before anything else is written, is not
// copied; bufio.Writer has the same method.
func (w *Response) AvailableBuffer() []byte { return w.body[len(w.body):] }

// Write appends to the body. It fails with abi.Limit when the body outgrows the
// host's limit, 8 MiB by default; the request has then failed.
func (w *Response) Write(p []byte) (int, error) {
	if len(w.body)+len(p) > bodyRoom {
		w.flush()
	}
	if len(p) > bodyRoom {
		w.pass(p)
	} else if w.err == nil {
		w.body = append(w.body, p...)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// WriteString appends to the body, as Write does.
func (w *Response) WriteString(s string) (int, error) {
	return w.Write(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// flush passes what has collected to the host.
func (w *Response) flush() {
	if len(w.body) > 0 {
		w.pass(w.body)
		w.body = w.body[:0]
	}
}

func (w *Response) pass(p []byte) {
	if w.err != nil {
		return
	}
	if n := hostcall.ResponseWrite(p); n < 0 {
		w.err = abi.Status(n)
		return
	}
	w.passed += int64(len(p))
}

// Text answers with plain text.
func (w *Response) Text(status int, body string) error {
	return w.answer(status, "text/plain; charset=utf-8", body)
}

// HTML answers with a page of HTML. Escape with EscapeHTML what is not yours.
func (w *Response) HTML(status int, body string) error {
	return w.answer(status, "text/html; charset=utf-8", body)
}

// Redirect answers with a Location. 303 turns a form's POST into a GET, 302 is
// for now, 301 for ever.
func (w *Response) Redirect(status int, location string) error {
	w.SetHeader("Location", location)
	w.SetStatus(status)
	return nil
}

// NoContent answers with status 204.
func (w *Response) NoContent() error {
	w.SetStatus(204)
	return nil
}

func (w *Response) answer(status int, contentType, body string) error {
	w.SetStatus(status)
	w.SetHeader("Content-Type", contentType)
	_, err := w.WriteString(body)
	return err
}

// finish hands the response to the host. A body without a type is plain text:
// a browser that guesses would run a page that someone sent as a comment.
func (w *Response) finish() error {
	if (len(w.body) > 0 || w.passed > 0) && !w.hasHeader("Content-Type") {
		w.AddHeader("Content-Type", "text/plain; charset=utf-8")
	}
	w.flush()
	if w.err != nil {
		return w.err
	}
	putUint32(w.head, uint32(w.status))
	putUint32(w.head[4:], uint32(w.fields))
	if n := hostcall.ResponseHead(w.head); n < 0 {
		return abi.Status(n)
	}
	return nil
}
