package sdk

import (
	"strconv"
	"unicode/utf8"
)

// StatusError is an error meant for the client. It is sent as a problem document
// (RFC 9457, application/problem+json).
type StatusError struct {
	Status int    // of the response, 400 to 599
	Title  string // the same for each problem of a kind; "" = the status's text
	Detail string // about this one; "" = none
}

// Error returns an error that a handler returns to answer with that status. The
// message goes to the client as it is. The writes of the request are dropped,
// unless Commit has been called.
func Error(status int, message string) error {
	return &StatusError{Status: status, Detail: message}
}

// Error returns the status, the title and the detail.
func (p *StatusError) Error() string {
	s := itoa(p.Status) + " " + p.title()
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

func (p *StatusError) title() string {
	if p.Title != "" {
		return p.Title
	}
	return statusText(p.Status)
}

// aboutBody are the header fields that describe a body, and go with it.
var aboutBody = [...]string{"Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Cache-Control"}

// write replaces the response by the problem. Fields that are not about the
// body it replaces stay: WWW-Authenticate, Retry-After, cookies.
func (p *StatusError) write(w *Response) {
	for _, name := range aboutBody {
		w.DelHeader(name)
	}
	w.SetHeader("Content-Type", "application/problem+json")
	w.SetStatus(p.Status)
	w.body = p.appendJSON(w.body[:0])
}

func (p *StatusError) appendJSON(b []byte) []byte {
	b = append(b, `{"title":`...)
	b = appendJSONString(b, p.title())
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	if p.Detail != "" {
		b = append(b, `,"detail":`...)
		b = appendJSONString(b, p.Detail)
	}
	return append(b, "}\n"...)
}

// appendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}

func itoa(n int) string { return strconv.Itoa(n) }

// statusText returns the reason phrase of a status of 400 or above (RFC 9110 and the
// registry).
func statusText(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 402:
		return "Payment Required"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 406:
		return "Not Acceptable"
	case 407:
		return "Proxy Authentication Required"
	case 408:
		return "Request Timeout"
	case 409:
		return "Conflict"
	case 410:
		return "Gone"
	case 411:
		return "Length Required"
	case 412:
		return "Precondition Failed"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 415:
		return "Unsupported Media Type"
	case 416:
		return "Range Not Satisfiable"
	case 417:
		return "Expectation Failed"
	case 421:
		return "Misdirected Request"
	case 422:
		return "Unprocessable Content"
	case 423:
		return "Locked"
	case 424:
		return "Failed Dependency"
	case 425:
		return "Too Early"
	case 426:
		return "Upgrade Required"
	case 428:
		return "Precondition Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 451:
		return "Unavailable For Legal Reasons"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	case 506:
		return "Variant Also Negotiates"
	case 507:
		return "Insufficient Storage"
	case 508:
		return "Loop Detected"
	case 510:
		return "Not Extended"
	case 511:
		return "Network Authentication Required"
	}
	return "Status " + itoa(status)
}
