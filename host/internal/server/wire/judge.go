package wire

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// The refusals, allocated once.
var (
	refuseLine       = Bad("the request line must be METHOD TARGET HTTP/1.1, each separated by one space")
	refusePlain      = Bad("this port speaks TLS; write https:// in the URL")
	refuseMethod     = Bad("the method is not a token of up to 32 bytes, such as GET")
	refuseTarget     = Bad("the request target must be a path, an http URL, or * for OPTIONS; spaces, controls and # are not allowed")
	refuseVersion    = Bad("only HTTP/1.1 and HTTP/1.0 are spoken here")
	refuseBareLF     = Bad("a line of the header ends without CR LF")
	refuseLengths    = Bad("there is more than one Content-Length")
	refuseLength     = Bad("Content-Length is not a number of bytes")
	refuseCoding     = Bad("Transfer-Encoding: the only transfer coding understood is chunked, once, in HTTP/1.1")
	refuseBoth       = Bad("Content-Length and Transfer-Encoding exclude each other")
	refuseHosts      = Bad("there is more than one Host")
	refuseNoHost     = Bad("Host is missing or empty")
	refuseHost       = Bad("Host is not a name or address with an optional port")
	refuseAuthority  = Bad("the authority of the request target is not that of Host")
	refuseTruncated  = Bad("the request ended before its body did")
	refuseURL        = Refusing(http.StatusRequestURITooLong, fault.TooLarge, "the request target is over the limit of "+limit.FormatSize(limit.RequestURL))
	refuseFields     = Refusing(http.StatusRequestHeaderFieldsTooLarge, fault.TooLarge, fmt.Sprintf("the request has more than %d header fields", limit.Headers))
	refuseExpect     = Refusing(http.StatusExpectationFailed, fault.Invalid, "Expect: the only expectation understood is 100-continue")
	refuseTunnel     = Refusing(http.StatusNotImplemented, fault.Invalid, "CONNECT is not offered")
	refuseSlowHead   = Refusing(http.StatusRequestTimeout, fault.Deadline, "the header took too long to arrive (header_timeout)")
	refuseSlowBody   = Refusing(http.StatusRequestTimeout, fault.Deadline, "the body took too long to arrive (body_timeout)")
	refuseBodies     = Refusing(http.StatusServiceUnavailable, fault.Unavailable, "the bodies of other requests take all the memory there is for them (max_body_memory); try again")
	refuseOverMemory = Refusing(http.StatusRequestEntityTooLarge, fault.TooLarge, "the body is larger than all the memory that the server has for bodies (max_body_memory); nothing was done")
	refuseCrowd      = Refusing(http.StatusServiceUnavailable, fault.Unavailable, "too many connections are open (max_conns); try again")
	refuseAddress    = Refusing(http.StatusTooManyRequests, fault.Unavailable, "too many connections are open from this address (max_conns_per_ip); try again")
	refuseUnreadable = Bad("the request cannot be read")
)

// framing is how a message's body is delimited.
type framing struct {
	length  int64 // of the body; 0 when chunked
	chunked bool
}

// findHead looks for the end of a head in b, whose first from bytes were
// searched before. It returns its length, or 0 while more must come. What can
// be refused early is, so that a client with the wrong idea learns it at once.
func findHead(b []byte, from int) (int, *Refusal) {
	if len(b) > 0 && !field.IsToken(b[:1]) {
		return 0, refuseMethod
	}
	for i := from; ; i++ {
		next := bytes.IndexByte(b[i:], '\n')
		if next < 0 {
			return 0, overlong(b)
		}
		i += next
		if i == 0 || b[i-1] != '\r' {
			return 0, refuseBareLF
		}
		if i >= 3 && b[i-2] == '\n' && b[i-3] == '\r' {
			if i >= limit.RequestHead {
				return 0, longHead(b[:i+1])
			}
			return i + 1, nil
		}
	}
}

// overlong judges a head that has not ended yet.
func overlong(b []byte) *Refusal {
	const longestMethodAndVersion = maxMethod + len("  HTTP/1.1\r")
	switch {
	case len(b) > limit.RequestURL+longestMethodAndVersion && bytes.IndexByte(b, '\n') < 0:
		return refuseURL
	case len(b) >= limit.RequestHead:
		return longHead(b)
	}
	return nil
}

const maxMethod = 32

// judge checks a whole head, its last empty line included, against RFC 9112
// without its leniencies, and says how the body is framed. fasthttp reads only
// what passed, so that it and any proxy before it see the same messages.
func judge(head []byte) (framing, *Refusal) {
	end := bytes.IndexByte(head, '\n')
	l, r := judgeLine(head[:end-1])
	if r != nil {
		return framing{}, r
	}
	f := fields{http10: l.http10}
	rest := head[end+1:]
	for n := 0; len(rest) > 2; n++ {
		if n == limit.Headers {
			return framing{}, refuseFields
		}
		end := bytes.IndexByte(rest, '\n')
		if r := f.judge(rest[:end-1], n+1); r != nil {
			return framing{}, r
		}
		rest = rest[end+1:]
	}
	return f.settle(l)
}

// requestLine is what the fields are compared with.
type requestLine struct {
	authority []byte // of an absolute target; nil otherwise
	http10    bool
}

func judgeLine(line []byte) (requestLine, *Refusal) {
	method, rest, ok1 := bytes.Cut(line, []byte{' '})
	target, version, ok2 := bytes.Cut(rest, []byte{' '})
	var l requestLine
	switch {
	case !ok1 || !ok2 || len(target) == 0 || bytes.IndexByte(version, ' ') >= 0:
		return l, refuseLine
	case len(method) > maxMethod || !field.IsToken(method):
		return l, refuseMethod
	case string(version) != "HTTP/1.1" && string(version) != "HTTP/1.0":
		return l, refuseVersion
	case string(method) == http.MethodConnect:
		return l, refuseTunnel
	case len(target) > limit.RequestURL:
		return l, refuseURL
	}
	l.http10 = version[len(version)-1] == '0'
	var r *Refusal
	l.authority, r = judgeTarget(method, target)
	return l, r
}

// judgeTarget accepts the forms a server is sent (RFC 9112 §3.2) and returns
// the authority of an absolute one.
func judgeTarget(method, target []byte) (authority []byte, r *Refusal) {
	for _, c := range target {
		if c <= ' ' || c == 0x7f || c == '#' {
			return nil, refuseTarget
		}
	}
	if target[0] == '/' || string(target) == "*" && string(method) == "OPTIONS" {
		return nil, nil
	}
	authority, _, ok := splitAbsolute(target)
	if !ok || !IsAuthority(authority) {
		return nil, refuseTarget
	}
	return authority, nil
}

// splitAbsolute takes http://authority/path apart; rest is "" without a path.
func splitAbsolute(target []byte) (authority, rest []byte, ok bool) {
	scheme, after, found := bytes.Cut(target, []byte("://"))
	if !found || !bytes.EqualFold(scheme, []byte("http")) && !bytes.EqualFold(scheme, []byte("https")) {
		return nil, nil, false
	}
	if i := bytes.IndexAny(after, "/?"); i >= 0 {
		return after[:i], after[i:], i > 0
	}
	return after, nil, len(after) > 0
}

// fields collects what the header says about framing and host.
type fields struct {
	http10, lengthSeen, chunked bool
	length                      int64
	host                        []byte // nil until seen
	last                        []byte // name of the field before
}

// judge takes line number n of the header, without its line end.
func (f *fields) judge(line []byte, n int) *Refusal {
	if line[0] == ' ' || line[0] == '\t' {
		return blame(n, "the field before, %.64q, must not be folded over lines", f.last)
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !field.IsToken(line[:colon]) {
		return blame(n, "the name %.64q is not a token directly followed by a colon", line[:max(colon, 0)])
	}
	f.last = line[:colon]
	value := TrimOWS(line[colon+1:])
	if !field.IsValue(value) {
		return blame(n, "the value of %.64q has a control character", f.last)
	}
	return f.take(line[:colon], value)
}

func (f *fields) take(name, value []byte) *Refusal {
	switch {
	case equalFold(name, "host"):
		return f.takeHost(value)
	case equalFold(name, "content-length"):
		return f.takeLength(value)
	case equalFold(name, "transfer-encoding"):
		if f.chunked || f.http10 || !equalFold(value, "chunked") {
			return refuseCoding
		}
		f.chunked = true
	case equalFold(name, "expect"):
		if !equalFold(value, "100-continue") {
			return refuseExpect
		}
	}
	return nil
}

func (f *fields) takeHost(value []byte) *Refusal {
	switch {
	case f.host != nil:
		return refuseHosts
	case len(value) == 0:
		return refuseNoHost
	case !IsAuthority(value):
		return refuseHost
	}
	f.host = value
	return nil
}

func (f *fields) takeLength(value []byte) *Refusal {
	const maxDigits = 18 // fits an int64
	switch {
	case f.lengthSeen:
		return refuseLengths
	case len(value) == 0 || len(value) > maxDigits:
		return refuseLength
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return refuseLength
		}
		f.length = f.length*10 + int64(c-'0')
	}
	f.lengthSeen = true
	return nil
}

// settle judges what only the whole head shows.
func (f *fields) settle(l requestLine) (framing, *Refusal) {
	switch {
	case f.lengthSeen && f.chunked:
		return framing{}, refuseBoth
	case f.host == nil && !f.http10:
		return framing{}, refuseNoHost
	case l.authority != nil && !bytes.EqualFold(l.authority, f.host):
		return framing{}, refuseAuthority
	}
	return framing{length: f.length, chunked: f.chunked}, nil
}
