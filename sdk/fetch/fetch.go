// Package fetch calls other services over HTTP: those that the manifest lists
// under [outbound] and the operator has granted.
//
//	resp, err := fetch.Get("https://api.example.com/rates")
//	if err != nil {
//		return err
//	}
//	rates, err := resp.Bytes(64 << 10)
//
// All sends several calls at once. Goroutines may call services, too: a call waits
// for the one under way, so put those that go together into one All. A call is
// outside the request's transaction:
// what it does elsewhere is not undone when the writes are dropped. When the
// handler runs again on a conflict and makes the same calls, it gets the same
// answers, and nothing is sent twice. If it asks for something else after a call
// other than GET and HEAD, the client gets 503. So read and check first, call, then
// write.
//
// A call ends before the handler's deadline, with ErrTimeout, so that there is time
// to answer.
//
// The host follows redirects, verifies certificates, retries what may be
// retried, decompresses, and closes every response when the handler has
// returned. Errors are of type *Error and wrap an abi.Status: errors.Is(err,
// fetch.ErrTimeout) and the like tell them apart. Only what a Request's Body
// fails with is returned as it is.
//
// Plugins import it. It does not import net/http, which would double a guest.
package fetch

import (
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors of a call, for errors.Is.
const (
	// ErrInvalid: the URL, the method or a header breaks a rule; the plugin's log
	// says which.
	ErrInvalid = abi.Invalid
	// ErrUnavailable: no request is being served.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the origin is not granted, or its address is a private one.
	ErrDenied = abi.Denied
	// ErrLimit: too many calls, or a request or response is too large.
	ErrLimit = abi.Limit
	// ErrTimeout: the service took too long.
	ErrTimeout = abi.Timeout
	// ErrUnreachable: there is no connection, or no HTTP on it.
	ErrUnreachable = abi.Unreachable
)

// Error is a call without a response, or without the rest of one. A response
// with any status is no error.
type Error struct {
	Op     string // "open", "write", "send", "read"
	URL    string
	Status abi.Status // below zero
	Reason string     // the host's, "" if it gave none
}

// Error names the URL without its query, and the reason.
func (e *Error) Error() string {
	url, _, _ := strings.Cut(e.URL, "?")
	if e.Reason != "" {
		return "fetch " + url + ": " + e.Reason
	}
	s := "fetch " + url + ": " + e.Op + ": " + e.Status.String()
	switch e.Status {
	case ErrDenied:
		s += ": list its origin with allow under [outbound] in wasmoor.toml, or a plugin of the same server under [services]; the plugin's log says more"
	case ErrUnavailable:
		s += ": calls are made while a request is handled, not in init functions and package variables"
	}
	return s
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

// Header is a list of fields, in order and repeated.
type Header []abi.Pair

// Add returns the list with a field appended, as append does: h = h.Add(name, value).
func (h Header) Add(name, value string) Header { return append(h, abi.Pair{Name: name, Value: value}) }

// Get returns the first value of a field, whatever the case of its name; "" if
// there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns all values of a field in order.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Request is a call. Its URL is all it needs.
type Request struct {
	Method     string // "" = GET
	URL        string // absolute
	Header     Header
	Body       io.Reader // read in pieces before anything is sent; nil = none
	Timeout    int64     // nanoseconds, as time.Duration; 0 = as long as the plugin's limit and the deadline let it
	NoRedirect bool      // take a 3xx as the response
	NoCache    bool      // when the manifest asks for a response cache
}

// Response is an answer whose body is not read yet. It ends with the handler;
// Close it earlier where there are many.
type Response struct {
	Status int
	URL    string // the one that answered, after redirects
	Header Header // names in lower case

	handle uint32
}

// CallHandle returns the handle of the call at the host, by which package blobs has the host
// take the body.
func (r *Response) CallHandle() uint32 { return r.handle }

// Get calls a URL with GET.
func Get(url string) (*Response, error) { return Do(&Request{URL: url}) }

// Post calls a URL with POST and a body of that content type.
func Post(url, contentType string, body []byte) (*Response, error) {
	return Do(&Request{
		Method: "POST", URL: url, Header: Header(nil).Add("content-type", contentType),
		Body: strings.NewReader(string(body)),
	})
}

// Do makes one call.
func Do(r *Request) (*Response, error) {
	result := All(r)[0]
	return result.Response, result.Err
}

// Result is a response, or the error of a call that has none.
type Result struct {
	Response *Response
	Err      error
}

// All makes calls at once and returns when each has a response or has failed:
// in about the time of the slowest. The host sends as many at a time as the
// manifest's outbound.concurrent says, 8 by default, and the others when those
// have their responses. The results are in the order of the calls.
func All(calls ...*Request) []Result {
	results := make([]Result, len(calls))
	opened := make([]*Call, 0, len(calls))
	index := make([]int, 0, len(calls))
	for i, r := range calls {
		c, err := Open(r)
		if err != nil {
			results[i].Err = err
			continue
		}
		opened, index = append(opened, c), append(index, i)
	}
	for n, result := range Send(opened...) {
		results[index[n]] = result
	}
	return results
}

// Call is a request that the host has with its body, and that is not sent yet.
type Call struct {
	url    string
	handle uint32
}

// Open gives a request to the host and reads its body to the end.
func Open(r *Request) (*Call, error) {
	handle, err := open(r)
	if err != nil {
		return nil, err
	}
	return &Call{r.URL, handle}, nil
}

// Send sends calls at once, each of which Open has given, and returns as All does.
// A call is sent once.
func Send(calls ...*Call) []Result {
	if len(calls) == 0 {
		return nil
	}
	handles := make([]uint32, len(calls))
	for i, c := range calls {
		handles[i] = c.handle
	}
	one.Lock()
	defer one.Unlock()
	results := make([]Result, len(calls))
	sent := hostcall.HTTPSend(abi.AppendHandles(make([]byte, 0, 4+4*len(handles)), handles))
	for i, c := range calls {
		if sent < 0 {
			results[i].Err = &Error{Op: "send", URL: c.url, Status: abi.Status(sent)}
			continue
		}
		results[i].Response, results[i].Err = c.head()
	}
	return results
}

// one lets one goroutine at a time ask the host, natively too. It is not held while
// the body of a request is read.
var one sync.Mutex

// millisecond in nanoseconds.
const millisecond = 1e6

func open(r *Request) (uint32, error) {
	h := abi.HTTPRequest{Method: r.Method, URL: r.URL, Headers: r.Header}
	if r.Timeout > 0 {
		h.TimeoutMS = uint32(min((r.Timeout+millisecond-1)/millisecond, 1<<32-1))
	}
	if r.NoRedirect {
		h.Flags |= abi.HTTPNoRedirect
	}
	if r.NoCache {
		h.Flags |= abi.HTTPNoCache
	}
	one.Lock()
	result := hostcall.HTTPOpen(abi.AppendHTTPRequest(nil, &h))
	one.Unlock()
	if result < 0 {
		return 0, &Error{Op: "open", URL: r.URL, Status: abi.Status(result)}
	}
	handle := uint32(result)
	if err := write(r, handle); err != nil {
		closeCall(handle)
		return 0, err
	}
	return handle, nil
}

// piece is the buffer that passes bodies.
const piece = 16 << 10

func write(r *Request, handle uint32) error {
	if r.Body == nil {
		return nil
	}
	buf := make([]byte, piece)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			one.Lock()
			result := hostcall.HTTPWrite(handle, buf[:n])
			one.Unlock()
			if result < 0 {
				return &Error{Op: "write", URL: r.URL, Status: abi.Status(result)}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// head returns what became of a call that was sent. The caller holds one.
func (c *Call) head() (*Response, error) {
	b, status := hostcall.ReadShared(func(buf []byte) int64 { return hostcall.HTTPHead(c.handle, buf) })
	var h abi.HTTPResponse
	switch {
	case status < 0:
		return nil, &Error{Op: "send", URL: c.url, Status: status}
	case !abi.DecodeHTTPResponse(string(b), &h):
		return nil, &Error{Op: "send", URL: c.url, Status: abi.Internal}
	case h.Failure != 0:
		hostcall.HTTPClose(c.handle)
		return nil, &Error{Op: "send", URL: h.URL, Status: -abi.Status(h.Failure), Reason: h.Reason}
	}
	return &Response{Status: int(h.Status), URL: h.URL, Header: h.Headers, handle: c.handle}, nil
}

// Read reads the body as it arrives, and so makes the response an io.Reader. Over
// the manifest's outbound.response_body, 8 MiB by default, it ends with ErrLimit.
func (r *Response) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	one.Lock()
	n := hostcall.HTTPRead(r.handle, p)
	one.Unlock()
	switch {
	case n < 0:
		return 0, &Error{Op: "read", URL: r.URL, Status: abi.Status(n)}
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

// Bytes reads what is left of the body, at most limit bytes: a longer one is
// ErrLimit. The response is closed, also after an error.
func (r *Response) Bytes(limit int) ([]byte, error) {
	defer func() { _ = r.Close() }()                       // never fails
	body := make([]byte, 0, max(0, min(limit, piece-1))+1) // a byte more shows a longer body
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, &Error{Op: "read", URL: r.URL, Status: ErrLimit}
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}

// Close ends the call. Closing twice is no error.
func (r *Response) Close() error {
	closeCall(r.handle)
	return nil
}

func closeCall(handle uint32) {
	one.Lock()
	defer one.Unlock()
	hostcall.HTTPClose(handle)
}
