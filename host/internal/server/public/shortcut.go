package public

import (
	"bytes"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// shortcut answers a request from the cache, as serveRequest would: it appends the answer,
// or nothing where there is more to it. It is a wire.Shortcut.
func (p *Public) shortcut(b, head []byte, peer net.Addr, now time.Time) (answer []byte) {
	method, target, lines, ok := cutHead(head)
	if !ok || !p.cfg.Cache.Knows(target) {
		return nil
	}
	c := p.exchanges.Get().(*exchange)
	c.start = now
	defer func() {
		if reason := recover(); reason != nil { // serveRequest answers
			p.log.Error("panic in the server", "request_id", c.id, "reason", reason, "stack", string(debug.Stack()))
			answer = nil
		}
		p.settle(c)
	}()
	p.read(c, method, target, lines, peer)
	if !p.isShort(c) {
		return nil
	}
	c.asked = c.asksFor()
	c.asked.Most = maxShort
	a := p.cfg.Cache.Find(&c.asked)
	if a == nil {
		return nil
	}
	status, size, has := a.Status, len(a.Body), a.NotModified(c.headers)
	if has {
		status = http.StatusNotModified
	}
	if bodyless(status) {
		size = 0
	}
	b = append(b, a.Head(has, func() []byte { return c.headOf(a, status) })...)
	b = append(p.dates.appendLine(b, now), headerAge+": "...)
	b = strconv.AppendInt(b, int64(max(0, c.start.Sub(a.Made)/time.Second)), 10)
	b = append(append(append(b, "\r\nX-Request-Id: "...), c.id...), "\r\n\r\n"...)
	if size > 0 && c.method != http.MethodHead {
		b = append(b, a.Body...)
	}
	p.report(c, status, size)
	return b
}

// maxShort is the size, in bytes, of the largest body that takes the shortcut. A client that
// reads nothing holds a copy of it.
const maxShort = 8 << 10

// cutHead takes a head apart, if it may be that of a hit.
func cutHead(head []byte) (method, target, lines []byte, ok bool) {
	method = head[:bytes.IndexByte(head, ' ')]
	if string(method) != http.MethodGet && string(method) != http.MethodHead {
		return nil, nil, nil, false
	}
	end := bytes.IndexByte(head, '\n') + 1
	target, ok = bytes.CutSuffix(head[len(method)+1:end], []byte(" HTTP/1.1\r\n"))
	return method, target, head[end:], ok
}

// isShort finds the route of a request, and reports whether an answer of the cache is all
// that there is to say.
func (p *Public) isShort(c *exchange) bool {
	slashes, r := wire.CheckPath(c.path)
	if r != nil || !c.head.IsPlain() || p.findUpload(c) != nil {
		return false
	}
	c.match = p.cfg.Routes.Route(c.method, c.routeHost, c.path, c.params[:0], c)
	m := &c.match
	switch {
	case m.Deployment == nil, slashes && !m.EncodedSlashes, m.Upload != nil, m.CORS != nil, m.Preview, c.newCookie != "":
		return false
	}
	return !p.asksLive(c) && p.asksCache(c)
}

// headOf is the head of a hit, but for what differs from hit to hit, which goes at its end.
func (c *exchange) headOf(a *cache.Answer, status int) []byte {
	var h fasthttp.ResponseHeader
	c.setAnswer(&h, a, statusHit)
	h.SetStatusCode(status)
	if !bodyless(status) {
		h.SetContentLength(len(a.Body))
	}
	before, rest, _ := bytes.Cut(h.Header(), []byte("\r\nDate: "))
	_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
	head := append(bytes.Clone(before), "\r\n"...)
	return append(head, bytes.TrimSuffix(rest, []byte("\r\n"))...)
}

// dates has the line of a header that says when it is, which is made once a second.
type dates struct{ last atomic.Pointer[dateLine] }

type dateLine struct {
	second int64
	text   []byte
}

func (d *dates) appendLine(b []byte, now time.Time) []byte {
	line := d.last.Load()
	if line == nil || line.second != now.Unix() {
		line = &dateLine{now.Unix(), now.UTC().AppendFormat(nil, "Date: "+http.TimeFormat+"\r\n")}
		d.last.Store(line)
	}
	return append(b, line.text...)
}
