package nethttp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/wasmoor/wasmoor/sdk"
)

// newRequest returns what a server of net/http makes of r after http.StripPrefix.
func newRequest(ctx context.Context, r *sdk.Request) (*http.Request, error) {
	target := r.Path()
	if query := r.RawQuery(); query != "" {
		target += "?" + query
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	req := new(http.Request).WithContext(ctx)
	req.Method, req.URL, req.RequestURI = r.Method(), u, r.Mount()+target
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	req.Header = header(r)
	req.Host, req.RemoteAddr = r.Host(), net.JoinHostPort(r.Remote(), "0")
	req.Body, req.ContentLength = http.NoBody, r.BodySize()
	if req.ContentLength > 0 {
		req.Body = &body{from: r.Reader()}
	}
	if r.Scheme() == "https" {
		req.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: (&url.URL{Host: req.Host}).Hostname()}
	}
	req.Pattern = r.Pattern()
	for name, value := range r.PathValues() {
		req.SetPathValue(name, value)
	}
	return req, nil
}

// requestID is the field that the host and much middleware use for the id of a request.
const requestID = "X-Request-Id"

// header returns the fields of a request without Host, and with the id that
// the host's log and its response have.
func header(r *sdk.Request) http.Header {
	fields := 1
	for range r.Headers() {
		fields++
	}
	h, values := make(http.Header, fields), make([]string, 0, fields)
	for name, value := range r.Headers() {
		name = http.CanonicalHeaderKey(name)
		switch {
		case name == "Host" || name == requestID:
		case h[name] != nil:
			h[name] = append(h[name], value)
		default:
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	h[requestID] = append(values[len(values):], r.ID())
	return h
}

// body is the body of a request.
type body struct {
	from   io.Reader
	closed bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.from.Read(p)
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed = true
	return nil
}
