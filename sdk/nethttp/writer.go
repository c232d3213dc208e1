package nethttp

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/log"
)

// writer is the http.ResponseWriter of a request. It writes to the SDK's response
// by the rules of net/http's server. It is not safe for concurrent use, as
// net/http's is not.
type writer struct {
	to      *sdk.Response
	mount   string
	isHead  bool
	header  http.Header
	status  int   // 0 = not written yet
	length  int64 // what Content-Length says, -1 = nothing
	written int64
	sniffs  bool   // the type is to be found out
	start   []byte // of the body, from which it is
}

var (
	_ http.Flusher = (*writer)(nil)
	_ interface {
		http.ResponseWriter
		WriteString(string) (int, error)
	} = (*writer)(nil)
)

func newWriter(w *sdk.Response, r *sdk.Request) *writer {
	return &writer{to: w, mount: r.Mount(), isHead: r.Method() == http.MethodHead, header: make(http.Header), length: -1}
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.header }

// Flush implements http.Flusher. The header is as good as sent, as with net/http;
// the host sends the response when the handler has returned.
func (w *writer) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.setType()
}

// WriteHeader implements http.ResponseWriter. A 1xx is left out: the host sends
// those that are needed.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 {
		log.Warn("http: superfluous response.WriteHeader call from " + caller())
		return
	}
	if status < 100 || status > 999 {
		panic("invalid WriteHeader code " + strconv.Itoa(status))
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.status = status
	w.to.SetStatus(status)
	w.length = w.declared()
	_, typed := w.header["Content-Type"]
	w.sniffs = !typed && w.header.Get("Content-Encoding") == "" && w.header.Get("Transfer-Encoding") == ""
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		if w.leavesOut(name) {
			continue
		}
		for _, value := range w.header[name] {
			w.to.AddHeader(name, w.value(name, value))
		}
	}
}

// declared returns what Content-Length says, -1 if it says nothing or no number.
func (w *writer) declared() int64 {
	text := w.header.Get("Content-Length")
	if text == "" {
		return -1
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		log.Warn("http: invalid Content-Length of " + strconv.Quote(text))
		w.header.Del("Content-Length")
		return -1
	}
	return int64(n)
}

// leavesOut reports whether net/http does not send a field: one with a name that
// is none, which includes trailers, and those that go with a body where there is none.
func (w *writer) leavesOut(name string) bool {
	switch {
	case !field.IsToken(name):
		return true
	case hasBody(w.status):
		return false
	case name == "Content-Type":
		return w.status == http.StatusNotModified
	}
	return name == "Content-Length" || name == "Transfer-Encoding"
}

// value returns the value of a field as it is sent.
func (w *writer) value(name, value string) string {
	value = strings.Trim(oneLine.Replace(value), " \t\r\n")
	switch {
	case name == "Location" && strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//"):
		return w.mount + value
	case name == "Set-Cookie":
		return w.cookie(value)
	}
	return value
}

// cookie puts the mount in front of a cookie's path, as reverse proxies do: "/" is
// the plugin for its author, and what belongs to it is no business of other
// plugins. A path that has the mount already stays, and so does the "/" that a name
// with __Host- needs.
func (w *writer) cookie(value string) string {
	const host = "__Host-"
	if len(value) > len(host) && strings.EqualFold(value[:len(host)], host) {
		return value
	}
	attributes := strings.Split(value, ";")
	for i, attribute := range attributes[1:] {
		name, path, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		if !strings.EqualFold(name, "path") || !strings.HasPrefix(path, "/") ||
			path == w.mount || strings.HasPrefix(path, w.mount+"/") {
			continue
		}
		if path == "/" {
			path = ""
		}
		attributes[i+1] = " Path=" + w.mount + path
	}
	return strings.Join(attributes, ";")
}

var oneLine = strings.NewReplacer("\n", " ", "\r", " ")

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if room := w.room(); room > 0 {
		w.start = append(w.start, p[:min(len(p), room)]...)
	}
	return w.to.Write(p)
}

// WriteString implements io.StringWriter.
func (w *writer) WriteString(s string) (int, error) {
	if err := w.admit(len(s)); err != nil || s == "" {
		return 0, err
	}
	if room := w.room(); room > 0 {
		w.start = append(w.start, s[:min(len(s), room)]...)
	}
	return w.to.WriteString(s)
}

// admit makes ready for n bytes of the body.
func (w *writer) admit(n int) error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !hasBody(w.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// sniffed is how much of a body http.DetectContentType looks at.
const sniffed = 512

// room returns how much of the body is still needed to find out its type.
func (w *writer) room() int {
	if !w.sniffs {
		return 0
	}
	return sniffed - len(w.start)
}

// setType sets the type of the body by what it starts with.
func (w *writer) setType() {
	if w.sniffs && len(w.start) > 0 {
		w.sniffs = false
		w.to.AddHeader("Content-Type", http.DetectContentType(w.start))
	}
}

// hasBody reports whether a response of that status may have a body.
func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// caller returns the function outside net/http that has called a method of writer.
func caller() string {
	var counters [16]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "net/http.") && !strings.HasPrefix(frame.Function, ownFunctions) {
			return frame.Function + " (" + frame.File[strings.LastIndexByte(frame.File, '/')+1:] + ":" + strconv.Itoa(frame.Line) + ")"
		}
	}
}

const ownFunctions = "github.com/wasmoor/wasmoor/sdk/nethttp.(*writer)"
