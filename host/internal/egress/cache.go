package egress

import (
	"bytes"
	"container/list"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of one plugin's response cache.
const (
	cacheBytes = 8 << 20
	cacheEntry = 1 << 20 // larger responses are not kept
	entryCost  = 1 << 10 // what an entry takes in addition to its body and headers
	fieldCost  = 128     // what a header field takes in addition to its text
)

// cache keeps responses to GET as RFC 9111 allows a private cache. It serves
// many users of a plugin, so a call that carries a user's authority
// (authorization, cookie) neither reads nor fills it, and an entry answers only
// calls whose every field of the guest's is the same: a secret may stand in any.
// Safe for concurrent use.
type cache struct {
	clock func() time.Time

	mu    sync.Mutex
	byURL map[string]*list.Element // of *entry
	order list.List                // front = used last
	size  int
}

func newCache(clock func() time.Time) *cache {
	return &cache{clock: clock, byURL: map[string]*list.Element{}}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byURL)
	c.order.Init()
	c.size = 0
}

// entry is a stored response. It is never changed.
type entry struct {
	url     string
	asked   http.Header // of the call it answered
	vary    []string    // what the response names in addition to the guest's own fields
	status  int
	header  http.Header
	body    []byte
	arrived time.Time
	age     time.Duration // on arrival
}

func (e *entry) ageAt(now time.Time) time.Duration { return e.age + max(0, now.Sub(e.arrived)) }

// cost is what the entry takes of memory, about. The call's header counts like
// the response's, and a field without a text too: guests and services choose
// how many there are.
func (e *entry) cost() int {
	n := entryCost + len(e.url) + cap(e.body) + headerCost(e.header) + headerCost(e.asked)
	for _, name := range e.vary {
		n += fieldCost + len(name)
	}
	return n
}

func headerCost(header http.Header) int {
	n := 0
	for name, values := range header {
		n += fieldCost + len(name)
		for _, v := range values {
			n += fieldCost + len(v)
		}
	}
	return n
}

func (e *entry) matches(header http.Header) bool {
	for _, name := range e.vary {
		if !slices.Equal(e.asked[name], header[name]) {
			return false
		}
	}
	return maps.EqualFunc(selecting(e.asked), selecting(header), slices.Equal)
}

// selecting returns the fields that tell calls apart.
func selecting(header http.Header) http.Header {
	out := maps.Clone(header)
	for _, name := range []string{"X-Request-Id", "Traceparent", "Tracestate", "Cache-Control"} {
		delete(out, name)
	}
	return out
}

// response makes a response of the entry.
func (e *entry) response(now time.Time) reply {
	header := e.header.Clone()
	header.Set("Age", strconv.FormatInt(int64(e.ageAt(now)/time.Second), 10))
	return reply{&http.Response{StatusCode: e.status, Header: header, Body: io.NopCloser(bytes.NewReader(e.body))}}
}

// roundTrip answers from the cache, or with send, whose response it may keep.
func (c *cache) roundTrip(o *outgoing, send func() (reply, error)) (reply, error) {
	if !usable(o) {
		resp, err := send()
		c.invalidate(o, resp)
		return resp, err
	}
	stored := c.find(o)
	if stored != nil && c.fresh(stored, o.header) {
		return stored.response(c.clock()), nil
	}
	plain := o.header
	if stored != nil {
		o.header = conditional(o.header, stored)
	}
	asked := c.clock()
	resp, err := send()
	o.header = plain
	if err != nil {
		return reply{}, err
	}
	if stored != nil && resp.StatusCode == http.StatusNotModified {
		_ = resp.Body.Close() // it has none
		updated := *stored
		updated.header = refresh(stored.header, resp.Header)
		updated.arrived = c.clock()
		updated.age = initialAge(resp.Header, asked, updated.arrived)
		if storable(updated.status, updated.header) {
			c.put(&updated)
		} else {
			c.drop(updated.url)
		}
		return updated.response(updated.arrived), nil
	}
	return c.keeping(o, resp, asked), nil
}

// usable reports whether a call may touch the cache.
func usable(o *outgoing) bool {
	if o.method != http.MethodGet || len(o.body) > 0 || directivesOf(o.header).has("no-store") {
		return false
	}
	for _, name := range []string{
		"Authorization", "Cookie", "Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range",
	} {
		if _, set := o.header[name]; set {
			return false
		}
	}
	return true
}

// fresh reports whether an entry answers without asking (RFC 9111 §4.2), as the
// request wants it.
func (c *cache) fresh(e *entry, asked http.Header) bool {
	age, want := e.ageAt(c.clock()), directivesOf(asked)
	if most, ok := want.age("max-age"); ok && age > most {
		return false
	}
	left := lifetime(e.header) - age
	if least, ok := want.age("min-fresh"); ok {
		left -= least
	}
	return left > 0 && !want.has("no-cache")
}

// conditional returns header with the entry's validators (§4.3.1).
func conditional(header http.Header, e *entry) http.Header {
	out := header.Clone()
	if tag := e.header.Get("Etag"); tag != "" {
		out.Set("If-None-Match", tag)
	}
	if date := e.header.Get("Last-Modified"); date != "" {
		out.Set("If-Modified-Since", date)
	}
	return out
}

// invalidate drops what an unsafe call has made doubtful (§4.4).
func (c *cache) invalidate(o *outgoing, resp reply) {
	safe := o.method == http.MethodGet || o.method == http.MethodHead || o.method == http.MethodOptions
	if safe || resp.Response == nil || resp.StatusCode >= 400 {
		return
	}
	c.drop(o.target.url.String())
}

func (c *cache) drop(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(url)
}

func (c *cache) find(o *outgoing) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byURL[o.target.url.String()]
	if !ok || !at.Value.(*entry).matches(o.header) {
		return nil
	}
	c.order.MoveToFront(at)
	return at.Value.(*entry)
}

// put keeps an entry and drops the ones used longest ago.
func (c *cache) put(e *entry) {
	if e.cost() > cacheEntry {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(e.url)
	c.byURL[e.url] = c.order.PushFront(e)
	c.size += e.cost()
	for c.size > cacheBytes {
		c.remove(c.order.Back().Value.(*entry).url)
	}
}

func (c *cache) remove(url string) {
	if at, ok := c.byURL[url]; ok {
		c.size -= at.Value.(*entry).cost()
		c.order.Remove(at)
		delete(c.byURL, url)
	}
}

// keeping returns the response with a body that is kept once it has been read
// to its end.
func (c *cache) keeping(o *outgoing, resp reply, asked time.Time) reply {
	if !storable(resp.StatusCode, resp.Header) {
		return resp
	}
	e := &entry{
		url: o.target.url.String(), asked: detached(o.header), vary: varies(resp.Header),
		status: resp.StatusCode, header: resp.Header.Clone(), arrived: c.clock(),
	}
	e.age = initialAge(resp.Header, asked, e.arrived)
	resp.Body = &recorder{ReadCloser: resp.Body, entry: e, cache: c}
	return resp
}

// detached returns a copy that shares no memory with header. The guest's fields
// are parts of one text, all of which the least of them would keep.
func detached(header http.Header) http.Header {
	out := make(http.Header, len(header))
	for name, values := range header {
		copied := make([]string, len(values))
		for i, v := range values {
			copied[i] = strings.Clone(v)
		}
		out[strings.Clone(name)] = copied
	}
	return out
}

// recorder copies a body as it is read.
type recorder struct {
	io.ReadCloser
	entry *entry
	cache *cache
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.entry == nil {
		return n, err
	}
	r.entry.body = append(r.entry.body, p[:n]...)
	switch {
	case len(r.entry.body) > cacheEntry || err != nil && err != io.EOF:
		r.entry = nil
	case err == io.EOF:
		r.cache.put(r.entry)
		r.entry = nil
	}
	return n, err
}
