package nethttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Transport is an http.RoundTripper that makes calls by the host, to the origins
// that the manifest lists and the operator has granted. The zero value works.
//
// It makes the one call it is asked for: http.Client follows redirects, each of
// which is a call that the host judges. A call ends before the context's deadline and
// before the handler's. Nothing else runs while the host waits for a service, so a
// context that is cancelled meanwhile is noticed after that. Goroutines' calls that are
// ready at the same time are sent together.
//
// Errors wrap a *fetch.Error: errors.Is(err, fetch.ErrDenied) and the like tell them
// apart. A timeout is a net.Error and a context.DeadlineExceeded as well.
type Transport struct{}

var _ http.RoundTripper = Transport{}

// init has http.DefaultTransport make calls by the host. It stays an *http.Transport:
// programs rely on that.
func init() {
	t, ok := http.DefaultTransport.(*http.Transport) //nolint:forbidigo // the programs that are served use it
	if !ok {
		return
	}
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // HTTP/2 would register itself for https
	t.RegisterProtocol("http", whileServing{})
	t.RegisterProtocol("https", whileServing{})
}

// whileServing leaves calls to the network that are not made for a request: a program
// for plugins may serve without a host, or test with a server of its own.
type whileServing struct{ Transport }

// RoundTrip implements http.RoundTripper.
func (t whileServing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !hostcall.Serving() {
		return nil, http.ErrSkipAltProtocol
	}
	return t.Transport.RoundTrip(r)
}

// RoundTrip implements http.RoundTripper.
func (Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	call, err := open(r)
	if err != nil {
		return nil, fail(r.Context(), err)
	}
	result := calls.send(call)
	if result.Err != nil {
		return nil, fail(r.Context(), result.Err)
	}
	return newResponse(r, result.Response), nil
}

// open gives a request to the host.
func open(r *http.Request) (*fetch.Call, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	switch {
	case r.URL == nil:
		return nil, errors.New("nethttp: the request has no URL")
	case len(r.Trailer) > 0:
		return nil, errors.New("nethttp: the host does not send trailers")
	}
	f := &fetch.Request{
		Method: r.Method, URL: r.URL.Scheme + "://" + r.URL.Host + r.URL.RequestURI(),
		Header: fields(r), NoRedirect: true,
	}
	if r.Body != nil && r.Body != http.NoBody {
		f.Body = r.Body
	}
	if deadline, ok := r.Context().Deadline(); ok {
		f.Timeout = int64(max(time.Until(deadline), 1))
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return fetch.Open(f)
}

// fields returns the header of a request. The host judges a Host of its own, and a
// length that differs from the body.
func fields(r *http.Request) fetch.Header {
	h := make(fetch.Header, 0, len(r.Header)+2)
	for name, values := range r.Header {
		for _, value := range values {
			h = h.Add(name, value)
		}
	}
	if r.Host != "" && r.Host != r.URL.Host {
		h = h.Add("Host", r.Host)
	}
	if r.ContentLength > 0 && r.Body != nil {
		h = h.Add("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	return h
}

// newResponse returns what the host has got as a response.
func newResponse(r *http.Request, from *fetch.Response) *http.Response {
	resp := &http.Response{
		Status: strconv.Itoa(from.Status) + " " + http.StatusText(from.Status), StatusCode: from.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, len(from.Header)), Body: http.NoBody, ContentLength: -1, Request: r,
	}
	for _, field := range from.Header {
		resp.Header.Add(field.Name, field.Value)
	}
	if r.Method == http.MethodHead || !hasBody(from.Status) {
		_ = from.Close()
		return resp
	}
	resp.Body = &responseBody{ctx: r.Context(), from: from}
	return resp
}

// responseBody reads the body of a response as it arrives.
type responseBody struct {
	ctx    context.Context
	from   *fetch.Response
	closed bool
}

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	return n, fail(b.ctx, err)
}

// Close implements io.Closer.
func (b *responseBody) Close() error {
	b.closed = true
	return b.from.Close()
}

// fail returns err, with which a call has ended, as net/http does.
func fail(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, fetch.ErrTimeout):
		return timeout{err}
	}
	return err
}

// timeout is an error of a call that took too long.
type timeout struct{ error }

// Timeout is that of net.Error.
func (timeout) Timeout() bool { return true }

// Temporary is that of net.Error.
func (timeout) Temporary() bool { return true }

// Unwrap returns the error of package fetch.
func (t timeout) Unwrap() error { return t.error }

// Is makes it what a timeout of net/http is.
func (timeout) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}

// batch sends calls of several goroutines together: nothing else runs while the
// host waits for a service, so that they would have to wait for each other.
type batch struct {
	mu      sync.Mutex
	waiting []*sending
}

// sending is a call of a batch.
type sending struct {
	call   *fetch.Call
	result fetch.Result
	sent   chan struct{}
}

var calls batch

// send sends a call together with those of all goroutines that come to theirs before they
// have to wait.
func (b *batch) send(call *fetch.Call) fetch.Result {
	s := &sending{call: call, sent: make(chan struct{})}
	if b.join(s) > 1 {
		<-s.sent
		return s.result
	}
	for n := 0; n != b.size(); {
		n = b.size()
		runtime.Gosched()
	}
	b.deliver()
	return s.result
}

// join returns how many calls the batch has then. The first sends it.
func (b *batch) join(s *sending) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, s)
	return len(b.waiting)
}

func (b *batch) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// deliver sends the batch, and begins another.
func (b *batch) deliver() {
	b.mu.Lock()
	all := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	list := make([]*fetch.Call, len(all))
	for i, s := range all {
		list[i] = s.call
	}
	for i, result := range fetch.Send(list...) {
		all[i].result = result
		close(all[i].sent)
	}
}
