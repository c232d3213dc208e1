package egress

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/egress/address"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// maxRedirects is how many redirects a call follows.
const maxRedirects = 5

// userAgent is sent unless the guest names itself.
const userAgent = "wasmoor"

// follow runs a call to the response's head, through redirects.
func (c *Client) follow(ctx context.Context, o *outgoing) (reply, *failure) {
	for hop := 0; ; hop++ {
		resp, err := c.hop(ctx, o)
		if err != nil {
			return reply{}, explain(o.target, err)
		}
		if resp.StatusCode < 200 || resp.StatusCode > 599 {
			_ = resp.Body.Close() // it is not looked at
			return reply{}, &failure{abi.Unreachable, o.target.String() + " answered with a status outside 200 to 599"}
		}
		location, ok := o.follows(resp)
		if !ok {
			return o.blinded(resp)
		}
		_ = resp.Body.Close() // it is not looked at
		if hop == maxRedirects {
			return reply{}, &failure{abi.Unreachable, "there are too many redirects"}
		}
		if f := c.redirect(o, resp.StatusCode, location); f != nil {
			return reply{}, f
		}
	}
}

// hop sends the call once to where it stands, through cache, retries and
// breaker.
func (c *Client) hop(ctx context.Context, o *outgoing) (reply, error) {
	send := func() (reply, error) {
		req := o.request(ctx)
		return c.guarded(ctx, o.target, c.cfg.Idempotent || isIdempotent(o.method), func() (reply, error) {
			way := c.way(o.target.origin)
			if way == nil {
				return reply{}, address.ErrForbidden // Open and redirect have asked before
			}
			resp, err := way.RoundTrip(o.again(req)) //nolint:bodyclose // the session closes it
			return reply{resp}, err
		})
	}
	if !c.cfg.Cache || o.flags&abi.HTTPNoCache != 0 || len(o.blinds.at(o.target.origin)) > 0 { // nobody else's call is the same
		return send()
	}
	return c.cfg.State.cache.roundTrip(o, send)
}

// outgoing is a call on its way: it changes with each redirect.
type outgoing struct {
	fields
	method string
	target target
	header http.Header
	body   []byte
	flags  uint32
	blinds *Blinds // that the host puts in, nil = none
}

func (o *outgoing) request(ctx context.Context) *http.Request {
	header, given := o.filled()
	req := &http.Request{
		Method: o.method, URL: o.target.url, Host: o.target.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(o.body) > 0 {
		req.ContentLength = int64(len(o.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o.body)), nil }
	}
	return req.WithContext(arranged(ctx, given))
}

// again returns the request with its body from the start.
func (o *outgoing) again(req *http.Request) *http.Request {
	if req.GetBody == nil {
		return req
	}
	fresh := *req
	fresh.Body, _ = req.GetBody() // never fails
	return &fresh
}

// follows returns where a response sends the call.
func (o *outgoing) follows(resp reply) (string, bool) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		location := resp.Header.Get("Location")
		return location, location != "" && o.flags&abi.HTTPNoRedirect == 0
	}
	return "", false
}

// redirect turns o to the location of a response, which is judged like a URL of
// the guest's.
func (c *Client) redirect(o *outgoing, status int, location string) *failure {
	next, why := locate(o.target, location)
	switch {
	case o.blinds.in(location):
		return &failure{abi.Denied, "a redirect of " + o.target.String() + " is not followed: its location holds a blind secret"}
	case why != "":
		return &failure{abi.Denied, "a redirect of " + o.target.String() + " is not followed: " + why}
	case o.target.origin.Scheme == "https" && next.origin.Scheme != "https":
		return &failure{abi.Denied, "a redirect of " + o.target.String() + " is not followed: it leads from https to http"}
	case !c.covers(next.origin):
		return &failure{abi.Denied, "a redirect of " + o.target.String() + " is not followed: " + next.origin.String() + " is not granted"}
	}
	o.header = o.header.Clone()
	if status == http.StatusSeeOther && o.method != http.MethodHead ||
		(status == http.StatusMovedPermanently || status == http.StatusFound) && o.method == http.MethodPost {
		o.method, o.body = http.MethodGet, nil
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"} {
			o.header.Del(name) // they describe the body that is gone
		}
	}
	if next.origin != o.target.origin {
		keepHarmless(o.header)
	}
	o.target = next
	return nil
}

// locate resolves a Location against where it came from, as browsers do.
func locate(from target, location string) (target, string) {
	if len(location) > limit.RequestURL {
		return target{}, "its location is too long"
	}
	u, err := from.url.Parse(field.EscapeLocation(location))
	if err != nil {
		return target{}, "its location cannot be read"
	}
	return parseTarget(u.String())
}

// keepHarmless drops every field another origin must not see: an application
// may put secrets into any name.
func keepHarmless(header http.Header) {
	for name := range header {
		switch name {
		case "Accept", "Accept-Language", "Accept-Encoding", "Content-Type", "User-Agent", "X-Request-Id", "Traceparent", "Tracestate":
		default:
			delete(header, name)
		}
	}
}
