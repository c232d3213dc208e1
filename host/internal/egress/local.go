package egress

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// IsLocal reports whether a URL names a plugin of this server, however it is spelt. No
// service outside is called so.
func IsLocal(url string) bool {
	host := authority(url)
	host = host[strings.LastIndexByte(host, '@')+1:]
	host, _, _ = strings.Cut(host, ":")
	return plugin.IsInternal(host)
}

// Local is a call to a plugin of this server, judged as a call to a service outside is.
type Local struct {
	Method, Path, Query string
	Host                string     // as it was asked for, in lower case
	Header              []abi.Pair // that the callee gets, with names in lower case
	URL                 string     // for the answer
	Name                string     // for people and traces: the URL without its query

	fields fields
}

// ReadLocal reads a call that IsLocal. own is the host of the request for which it is
// made. why says for a person what is wrong.
func ReadLocal(r *abi.HTTPRequest, own string) (l Local, why string) {
	l.Method = cmp.Or(r.Method, http.MethodGet)
	if why := checkRequest(l.Method, r); why != "" {
		return l, why
	}
	t, why := parseTarget(r.URL)
	switch {
	case why != "":
		return l, why
	case t.origin.Scheme != "http" || t.origin.Port != 80:
		return l, "a plugin of this server is called with http:// and without a port"
	}
	if l.fields, why = readFields(r.Headers, t, own); why != "" {
		return l, why
	}
	l.Path, l.Query = cmp.Or(t.url.EscapedPath(), "/"), t.url.RawQuery
	l.Host, l.URL, l.Name = t.origin.Host, t.url.String(), nameOf(t)
	for _, f := range l.fields.given {
		f.Name = strings.ToLower(f.Name)
		if !field.IsForwarded(f.Name) { // the edge's to say
			l.Header = append(l.Header, f)
		}
	}
	return l, ""
}

// WrongLength says which length was announced for a body of that size, "" if none or the
// right one.
func (l *Local) WrongLength(size int) string { return l.fields.wrongLength(size) }

// BeginCall returns the id of the span of a call to a plugin of this server, and the
// fields by which the callee's request is a part of the same trace.
func (t Trace) BeginCall() (span [8]byte, header []abi.Pair) {
	t = t.checked()
	span, parent := t.begin()
	if parent != "" {
		header = append(header, abi.Pair{Name: "traceparent", Value: parent})
	}
	if t.Tracestate != "" {
		header = append(header, abi.Pair{Name: "tracestate", Value: t.Tracestate})
	}
	return span, header
}

// EndCall notes such a call that has its answer.
func (t Trace) EndCall(span [8]byte, l *Local, status int, start time.Time) {
	if t.Timeline != nil {
		t.Timeline.Call(trace.Call{Span: span, Method: l.Method, URL: l.Name, Host: l.Host, Port: 80, Status: status, Start: start, End: time.Now()})
	}
}
