package abi

// All layouts are little-endian. A string is a u32 length and its bytes; a list
// is a u32 count and its items. A reader ignores bytes after the last field it
// knows: later versions append fields.

// Pair is a name and a value: a header field, a path value, a log attribute.
type Pair struct{ Name, Value string }

// RequestHead is what a guest learns of a request before its body.
type RequestHead struct {
	Method    string // as received, e.g. "GET"
	Path      string // relative to the mount, starts with "/", undecoded
	Mount     string // prefix the plugin is mounted at, without a trailing "/"; "" = the root
	Pattern   string // pattern of the manifest's route that matched; "" without routes
	Params    []Pair // the pattern's path values, decoded
	Query     string // raw, without "?"
	Headers   []Pair // in order, repeated; names in lower case
	Scheme    string // "http" or "https", as the client sees it
	Host      string // the authority the client asked for
	Remote    string // the client's IP address
	RequestID string // the same over all attempts
	Attempt   uint32 // 1 on the first run; a conflict re-runs the handler
	BodySize  uint64 // bytes of the request body

	// What came later is missing in the heads of older hosts: the deadline, or all.

	Trigger    string // which way the request came: Trigger*; "" from such a host
	Attributes []Pair // what the host says of the request, never the client; a name occurs once
	Deadline   int64  // when the handler's time is over, in nanoseconds since 1970; 0 = the host does not say
}

// ResponseHead is the status and header of a guest's answer.
type ResponseHead struct {
	Status  uint32
	Headers []Pair
}

// HTTPRequest is the head of a call to another service.
type HTTPRequest struct {
	Method    string // a token, in capitals as a rule
	URL       string // absolute, http or https
	Headers   []Pair
	TimeoutMS uint32 // until the end of the response's body; 0 = the plugin's limit
	Flags     uint32 // HTTP*
}

// HTTPResponse is what became of a call to another service: a response, or the
// reason why there is none.
type HTTPResponse struct {
	Status  uint32 // 0 = the call failed
	Headers []Pair // names in lower case
	URL     string // the one that answered, after redirects
	Failure uint32 // 0 = there is a response, else a status's number without its sign
	Reason  string // of the failure, for a person
}

// Blob is what is known of a blob that has a name.
type Blob struct {
	Size     uint64 // bytes
	Created  int64  // when it got the name, in milliseconds since 1970
	Digest   string // SHA-256 of its bytes, 32 bytes
	Type     string // media type; "" = not known
	Metadata string // what the plugin keeps with the name
}

// Entry is one key of a list page.
type Entry struct{ Key, Value []byte }

// AppendUint32 appends v.
func AppendUint32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// AppendUint64 appends v.
func AppendUint64(b []byte, v uint64) []byte {
	return AppendUint32(AppendUint32(b, uint32(v)), uint32(v>>32))
}

// AppendString appends s with its length.
func AppendString[T string | []byte](b []byte, s T) []byte {
	return append(AppendUint32(b, uint32(len(s))), s...)
}

// AppendPairs appends a list of pairs.
func AppendPairs(b []byte, pairs []Pair) []byte {
	b = AppendUint32(b, uint32(len(pairs)))
	for _, p := range pairs {
		b = AppendString(AppendString(b, p.Name), p.Value)
	}
	return b
}

// AppendRequestHead appends the layout of h.
func AppendRequestHead(b []byte, h *RequestHead) []byte {
	b = AppendString(b, h.Method)
	b = AppendString(b, h.Path)
	b = AppendString(b, h.Mount)
	b = AppendString(b, h.Pattern)
	b = AppendPairs(b, h.Params)
	b = AppendString(b, h.Query)
	b = AppendPairs(b, h.Headers)
	b = AppendString(b, h.Scheme)
	b = AppendString(b, h.Host)
	b = AppendString(b, h.Remote)
	b = AppendString(b, h.RequestID)
	b = AppendUint32(b, h.Attempt)
	b = AppendUint64(b, h.BodySize)
	b = AppendPairs(AppendString(b, h.Trigger), h.Attributes)
	return AppendUint64(b, uint64(h.Deadline))
}

// AppendResponseHead appends the layout of h.
func AppendResponseHead(b []byte, h *ResponseHead) []byte {
	return AppendPairs(AppendUint32(b, h.Status), h.Headers)
}

// AppendHTTPRequest appends the layout of r.
func AppendHTTPRequest(b []byte, r *HTTPRequest) []byte {
	b = AppendString(AppendString(b, r.Method), r.URL)
	b = AppendPairs(b, r.Headers)
	return AppendUint32(AppendUint32(b, r.TimeoutMS), r.Flags)
}

// AppendHTTPResponse appends the layout of r.
func AppendHTTPResponse(b []byte, r *HTTPResponse) []byte {
	b = AppendPairs(AppendUint32(b, r.Status), r.Headers)
	b = AppendUint32(AppendString(b, r.URL), r.Failure)
	return AppendString(b, r.Reason)
}

// AppendBlob appends what is known of a blob.
func AppendBlob(b []byte, blob *Blob) []byte {
	b = AppendUint64(AppendUint64(b, blob.Size), uint64(blob.Created))
	return AppendString(AppendString(AppendString(b, blob.Digest), blob.Type), blob.Metadata)
}

// AppendHandles appends a list of handles.
func AppendHandles(b []byte, handles []uint32) []byte {
	b = AppendUint32(b, uint32(len(handles)))
	for _, h := range handles {
		b = AppendUint32(b, h)
	}
	return b
}

// DecodeRequestHead reads a request head into h, reusing its slices; its strings
// share b's memory. It reports whether b holds a whole head; if not, h is of no
// use.
func DecodeRequestHead(b string, h *RequestHead) bool {
	r := Reader{rest: b}
	h.Method = r.String()
	h.Path = r.String()
	h.Mount = r.String()
	h.Pattern = r.String()
	h.Params = r.Pairs(h.Params[:0])
	h.Query = r.String()
	h.Headers = r.Pairs(h.Headers[:0])
	h.Scheme = r.String()
	h.Host = r.String()
	h.Remote = r.String()
	h.RequestID = r.String()
	h.Attempt = r.Uint32()
	h.BodySize = r.Uint64()
	h.Trigger, h.Attributes, h.Deadline = "", h.Attributes[:0], 0
	if r.rest != "" {
		h.Trigger = r.String()
		h.Attributes = r.Pairs(h.Attributes)
	}
	if r.rest != "" {
		h.Deadline = int64(r.Uint64())
	}
	return !r.bad
}

// DecodeResponseHead reads a response head into h, reusing its slice; its
// strings share b's memory. It reports whether b holds a whole head; if not, h
// is of no use. It does not judge the status or the fields.
func DecodeResponseHead(b string, h *ResponseHead) bool {
	r := Reader{rest: b}
	h.Status = r.Uint32()
	h.Headers = r.Pairs(h.Headers[:0])
	return !r.bad
}

// DecodeHTTPRequest reads the head of a call into h, reusing its slice; its
// strings share b's memory. It reports whether b holds a whole head; if not, h
// is of no use. It does not judge the fields.
func DecodeHTTPRequest(b string, h *HTTPRequest) bool {
	r := Reader{rest: b}
	h.Method = r.String()
	h.URL = r.String()
	h.Headers = r.Pairs(h.Headers[:0])
	h.TimeoutMS = r.Uint32()
	h.Flags = r.Uint32()
	return !r.bad
}

// DecodeHTTPResponse reads what became of a call into h, as DecodeHTTPRequest
// does.
func DecodeHTTPResponse(b string, h *HTTPResponse) bool {
	r := Reader{rest: b}
	h.Status = r.Uint32()
	h.Headers = r.Pairs(h.Headers[:0])
	h.URL = r.String()
	h.Failure = r.Uint32()
	h.Reason = r.String()
	return !r.bad
}

// DecodeBlob reads what is known of a blob into h. Its strings share b's memory. It
// reports whether b holds all of it.
func DecodeBlob(b string, h *Blob) bool {
	r := Reader{rest: b}
	h.Size, h.Created = r.Uint64(), int64(r.Uint64())
	h.Digest, h.Type, h.Metadata = r.String(), r.String(), r.String()
	return !r.bad
}

// DecodeHandles reads a list of handles and appends them to handles. It reports
// whether b holds a whole list.
func DecodeHandles(b string, handles []uint32) ([]uint32, bool) {
	r := Reader{rest: b}
	n := r.Uint32()
	if uint64(n)*4 > uint64(len(r.rest)) {
		return handles, false
	}
	for range n {
		handles = append(handles, r.Uint32())
	}
	return handles, !r.bad
}

// DecodePairs reads a list of pairs, the layout of log attributes, and appends
// them to pairs. The empty input is the empty list.
func DecodePairs(b string, pairs []Pair) ([]Pair, bool) {
	if b == "" {
		return pairs, true
	}
	r := Reader{rest: b}
	pairs = r.Pairs(pairs)
	return pairs, !r.bad
}

// PageHeaderSize is the size of a page with no entry.
const PageHeaderSize = 5

// AppendPageHeader appends the start of a list page: how many entries follow
// and whether there are more after them.
func AppendPageHeader(b []byte, count uint32, more bool) []byte {
	b = AppendUint32(b, count)
	if more {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendEntry appends one entry of a page. A keys-only page has no values.
func AppendEntry(b []byte, e Entry, keysOnly bool) []byte {
	b = AppendString(b, e.Key)
	if keysOnly {
		return b
	}
	return AppendString(b, e.Value)
}

// DecodePage reads a list page. The entries are copies of b's bytes, so that a
// buffer can be used again. It reports whether b holds a whole page.
func DecodePage(b string, keysOnly bool) (entries []Entry, more, ok bool) {
	r := Reader{rest: b}
	n := r.Uint32()
	more = r.byte() != 0
	for i := uint32(0); i < n && !r.bad; i++ {
		e := Entry{Key: []byte(r.String())}
		if !keysOnly {
			e.Value = []byte(r.String())
		}
		if !r.bad {
			entries = append(entries, e)
		}
	}
	return entries, more, !r.bad
}

// Reader reads the layouts of this package from bytes nobody trusts: a count or
// length beyond what is left marks the reader bad, and everything read after
// that is zero.
type Reader struct {
	rest string
	bad  bool
}

// NewReader returns a reader of b.
func NewReader(b string) *Reader { return &Reader{rest: b} }

// OK reports whether everything read so far was there.
func (r *Reader) OK() bool { return !r.bad }

func (r *Reader) take(n uint64) string {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *Reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

// Uint32 reads a u32.
func (r *Reader) Uint32() uint32 {
	s := r.take(4)
	if s == "" {
		return 0
	}
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// Uint64 reads a u64.
func (r *Reader) Uint64() uint64 {
	lo := r.Uint32()
	return uint64(lo) | uint64(r.Uint32())<<32
}

// String reads a length and that many bytes. The result shares the input's memory.
func (r *Reader) String() string { return r.take(uint64(r.Uint32())) }

// pairSize is the least a pair takes: two empty strings.
const pairSize = 8

// Pairs reads a list of pairs and appends them to pairs. A count that cannot
// fit in what is left reads nothing.
func (r *Reader) Pairs(pairs []Pair) []Pair {
	n := r.Uint32()
	if uint64(n)*pairSize > uint64(len(r.rest)) {
		r.bad = true
		return pairs
	}
	for range n {
		p := Pair{Name: r.String(), Value: r.String()}
		if r.bad {
			return pairs
		}
		pairs = append(pairs, p)
	}
	return pairs
}
