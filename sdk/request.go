package sdk

import (
	"cmp"
	"io"
	"iter"
	"strings"
	"unsafe"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Request is the request being served. Its head is read from the host at the
// first method that needs it. Strings it returns may be kept.
type Request struct {
	head    head
	route   string     // the router's pattern
	params  []abi.Pair // the router's path values
	pattern string     // as SetPattern was told
	outcome uint32     // as last set by Commit or Abort
}

func (r *Request) reset() {
	r.head.text, r.route, r.params, r.pattern, r.outcome = "", "", r.params[:0], "", abi.OutcomeDefault
}

func (r *Request) get() *head {
	if r.head.text == "" {
		r.read()
	}
	return &r.head
}

// read reads the head from the host, to where nothing else is ever written:
// strings cut out of it may be kept.
func (r *Request) read() {
	room := state.room
	n := hostcall.RequestHead(room)
	if n > int64(len(room)) {
		room = make([]byte, max(n, requestRoom))
		n = hostcall.RequestHead(room)
	}
	must("request_head", n)
	if n > int64(len(room)) || !r.head.set(unsafe.String(unsafe.SliceData(room), n)) {
		panic("wasmoor: request_head: the host sent a head that is not whole")
	}
	state.room = room[n:]
}

// Method returns the method as received, "GET" for example.
func (r *Request) Method() string { return r.get().string(headMethod) }

// Path returns the path below the plugin's mount. It starts with "/" and is not
// decoded.
func (r *Request) Path() string { return r.get().string(headPath) }

// Mount returns the prefix the plugin is mounted at, without a trailing "/";
// "" is the root. Links to the plugin's own pages start with it.
func (r *Request) Mount() string { return r.get().string(headMount) }

// URL returns the absolute URL, as a client sees it, of a path below the
// plugin's mount.
func (r *Request) URL(path string) string {
	h := r.get()
	return h.string(headScheme) + "://" + h.string(headHost) + h.string(headMount) + path
}

// Pattern returns the pattern that matched: the router's, or without a router
// that of the manifest's route, or "".
func (r *Request) Pattern() string {
	if pattern := cmp.Or(r.pattern, r.route); pattern != "" {
		return pattern
	}
	return r.get().string(headPattern)
}

// PathValue returns the decoded value of a wildcard of the pattern, "" if there
// is none of that name.
func (r *Request) PathValue(name string) string {
	if r.route == "" {
		return r.get().exact(headParams, name)
	}
	for i := range r.params {
		if r.params[i].Name == name {
			return r.params[i].Value
		}
	}
	return ""
}

// PathValues ranges over the wildcards of the pattern in order, with decoded values.
func (r *Request) PathValues() iter.Seq2[string, string] {
	if r.route == "" {
		return r.get().pathValues
	}
	return func(yield func(name, value string) bool) {
		for _, p := range r.params {
			if !yield(p.Name, p.Value) {
				return
			}
		}
	}
}

// SetPattern reports the pattern that a router other than Router has matched, like
// "GET /items/{id}": the host's log and counts name requests by it. It must not be
// the path itself. One that the host does not take is left out: over 256 bytes, or
// with control characters.
func (r *Request) SetPattern(pattern string) {
	if hostcall.RouteSet(pattern) == int64(abi.OK) {
		r.pattern = pattern
	}
}

// RawQuery returns the query without "?", undecoded.
func (r *Request) RawQuery() string { return r.get().string(headQuery) }

// Query returns the query's values.
func (r *Request) Query() Values { return Values(r.get().string(headQuery)) }

// Header returns the first value of a header field, "" if there is none. Case
// does not matter.
func (r *Request) Header(name string) string { return r.get().first(headHeaders, name) }

// Headers ranges over the header fields in order, with names in lower case. A
// repeated field comes once for each value.
func (r *Request) Headers() iter.Seq2[string, string] { return r.get().headers }

// Scheme returns "http" or "https", as the client sees it.
func (r *Request) Scheme() string { return r.get().string(headScheme) }

// Host returns the authority the client asked for, with its port if it had one.
func (r *Request) Host() string { return r.get().string(headHost) }

// Remote returns the client's IP address.
func (r *Request) Remote() string { return r.get().string(headRemote) }

// ID returns the request's id, the same over all attempts. The host's answers
// and its log carry it. The client may have chosen it, so it is no unique key.
func (r *Request) ID() string { return r.get().string(headRequestID) }

// Attempt returns 1 on the first run of the handler, and one more each time a
// conflict runs it again.
func (r *Request) Attempt() int { return int(r.get().attempt()) }

// Trigger says which way the request came: "http" from an HTTP client; later
// hosts add "cron", "queue", "socket" and "call".
func (r *Request) Trigger() string {
	if trigger := r.get().string(headTrigger); trigger != "" {
		return trigger
	}
	return abi.TriggerHTTP // a host that does not say so knows nothing else
}

// Attribute returns what the host says of the request under a name, for example
// "auth.subject"; "" if it says nothing. A client cannot set it.
func (r *Request) Attribute(name string) string { return r.get().exact(headAttributes, name) }

// Attributes ranges over all that the host says of the request. A name comes
// once.
func (r *Request) Attributes() iter.Seq2[string, string] { return r.get().attributes }

// Deadline returns when the handler's time is over, in nanoseconds since 1970 like
// Now; 0 if the host does not say. The host then ends the handler, whose writes are
// dropped. It is the same in each attempt, and so is Now at first; the time that is left
// is less in a later one.
func (r *Request) Deadline() int64 { return r.get().deadline() }

// BodySize returns how many bytes the body has.
func (r *Request) BodySize() int64 { return int64(r.get().bodySize()) }

// Body returns the whole body, which the caller may keep and change. A body of
// more than limit bytes is an Error with status 413.
func (r *Request) Body(limit int) ([]byte, error) {
	size := r.BodySize()
	if size > int64(limit) {
		return nil, Error(413, "the request body is larger than "+itoa(limit)+" bytes")
	}
	body, reader := takeRoom(int(size)), bodyReader{}
	for at := 0; at < len(body); {
		n, err := reader.Read(body[at:])
		if err != nil {
			return nil, err
		}
		at += n
	}
	return body, nil
}

// takeRoom returns memory that nothing else is ever written to. It leaves room for
// the next head.
func takeRoom(size int) []byte {
	if size > len(state.room)-headRoom {
		return make([]byte, size)
	}
	taken := state.room[:size:size]
	state.room = state.room[size:]
	return taken
}

// Reader returns a reader of the body from its beginning. The host bounds the
// size of a body, 4 MiB by default.
func (r *Request) Reader() io.Reader { return &bodyReader{} }

type bodyReader struct{ offset int64 }

func (b *bodyReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := hostcall.RequestBody(b.offset, p)
	switch {
	case n < 0:
		return 0, abi.Status(n)
	case n == 0:
		return 0, io.EOF
	}
	b.offset += n
	return int(n), nil
}

const formType = "application/x-www-form-urlencoded"

// Form returns the values of a body that an HTML form has sent with method POST
// and the default encoding. Another content type is an Error with status 415, a
// body of more than limit bytes one with status 413.
func (r *Request) Form(limit int) (Values, error) {
	media, _, _ := strings.Cut(r.Header("content-type"), ";")
	if !equalFold(strings.TrimSpace(media), formType) {
		return "", Error(415, "the body must be "+formType)
	}
	body, err := r.Body(limit)
	return Values(body), err
}

// equalFold compares ASCII texts without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
