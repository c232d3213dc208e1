package sdktest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// Call is a call that a handler has sent to another service.
type Call struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

// Upstream lets handlers call a service: those of its URL, or below it, go to
// h in place of the network. The longest URL that fits answers; any other
// origin is denied, as if it were not granted.
func (h *Host) Upstream(url string, answer http.Handler) {
	if h.upstreams == nil {
		h.upstreams = map[string]http.Handler{}
	}
	h.upstreams[strings.TrimSuffix(url, "/")] = answer
}

// Answer is a service that always answers the same.
func Answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// Failing is a service that gives no answer: calls end with that status,
// fetch.ErrTimeout or fetch.ErrUnreachable for instance.
func Failing(status abi.Status) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(status) })
}

// outbound is one handle.
type outbound struct {
	answer
	request abi.HTTPRequest
	lengths []string // what content-length says
	service http.Handler
	body    []byte
	sent    bool
	inside  bool // it is to another plugin
	head    abi.HTTPResponse
	rest    []byte // of the response's body
	got     int    // bytes of it that were read
}

func (h *Host) upstream(target string) http.Handler {
	best, answer := -1, http.Handler(nil)
	for prefix, handler := range h.upstreams {
		rest, ok := strings.CutPrefix(target, prefix)
		if ok && (rest == "" || strings.ContainsRune("/?#", rune(rest[0]))) && len(prefix) > best {
			best, answer = len(prefix), handler
		}
	}
	return answer
}

func (c *call) HTTPOpen(layout []byte) int64 {
	o := &outbound{}
	switch {
	case c.noCalls():
		return int64(abi.Denied)
	case len(layout) > limits.CallHead:
		return int64(abi.Limit)
	case !abi.DecodeHTTPRequest(string(layout), &o.request) || !validCall(&o.request) || !o.frame(c.head.Host):
		return int64(abi.Invalid)
	case len(c.sent) == limits.Calls:
		return int64(abi.Limit)
	}
	if status := o.find(c.host); status != abi.OK {
		return int64(status)
	}
	c.sent = append(c.sent, o)
	return int64(len(c.sent))
}

// validCall judges a call as the host does, except for the spellings of a host
// name: Upstream has those that are granted.
func validCall(r *abi.HTTPRequest) bool {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	return validURL(r.URL) && validMethod(r.Method) && len(r.Headers) <= limits.Headers &&
		r.Flags&^(abi.HTTPNoRedirect|abi.HTTPNoCache) == 0
}

func validURL(text string) bool {
	unescaped := func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }
	u, err := url.Parse(text)
	return err == nil && len(text) <= limits.RequestURL && !strings.ContainsFunc(text, unescaped) &&
		(u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func validMethod(name string) bool {
	return field.IsToken(name) && !strings.EqualFold(name, http.MethodConnect) && !strings.EqualFold(name, http.MethodTrace)
}

// frame takes the fields that the host sets out of the header, and reports whether
// those are as the host sets them; content-length shows when the call is sent.
// host may be that of the handler's own request.
func (o *outbound) frame(own string) bool {
	target, _ := url.Parse(o.request.URL) // it is valid
	var options []string                  // of connection
	kept := make([]abi.Pair, 0, len(o.request.Headers))
	for _, f := range o.request.Headers {
		framing := field.FramingOf(f.Name, f.Value)
		isHost, isExpect := strings.EqualFold(f.Name, "host"), strings.EqualFold(f.Name, "expect")
		switch {
		case !field.IsToken(f.Name), !field.IsValue(f.Value), framing == field.Refused,
			isHost && !isHostOf(f.Value, target) && (own == "" || f.Value != own),
			isExpect && !strings.EqualFold(f.Value, "100-continue"):
			return false
		case framing == field.Length:
			o.lengths = append(o.lengths, f.Value)
		case framing == field.End && !isHost && !isExpect:
			kept = append(kept, f)
		case strings.EqualFold(f.Name, "connection"):
			options = append(options, f.Value)
		}
	}
	o.request.Headers = field.DropNominated(kept, options)
	return true
}

func isHostOf(value string, target *url.URL) bool {
	port := map[string]string{"http": ":80", "https": ":443"}[target.Scheme]
	bare := func(s string) string { return strings.TrimSuffix(strings.ToLower(s), port) }
	return bare(value) == bare(target.Host)
}

// noCalls reports whether the plugin has no grant for calls.
func (c *call) noCalls() bool { return len(c.host.upstreams)+len(c.host.services) == 0 }

// open returns an open call, or why there is none.
func (c *call) open(n uint32) (*outbound, abi.Status) {
	switch {
	case c.noCalls():
		return nil, abi.Denied
	case n == 0 || int64(n) > int64(len(c.sent)) || c.sent[n-1] == nil:
		return nil, abi.NotFound
	}
	return c.sent[n-1], abi.OK
}

// bodies returns how much the requests hold that are neither sent nor closed.
func (c *call) bodies() (bytes int) {
	for _, o := range c.sent {
		if o != nil && !o.sent {
			bytes += len(o.body)
		}
	}
	return bytes
}

func (c *call) HTTPWrite(handle uint32, data []byte) int64 {
	o, status := c.open(handle)
	switch {
	case status != abi.OK:
		return int64(status)
	case o.sent:
		return int64(abi.Invalid)
	case len(o.body)+len(data) > limits.CallBody, c.bodies()+len(data) > limits.CallBodies:
		return int64(abi.Limit)
	}
	o.body = append(o.body, data...)
	return 0
}

func (c *call) HTTPSend(layout []byte) int64 {
	switch {
	case c.noCalls():
		return int64(abi.Denied)
	case len(layout) > limits.CallHead:
		return int64(abi.Limit)
	}
	handles, ok := abi.DecodeHandles(string(layout), nil)
	if !ok {
		return int64(abi.Invalid)
	}
	for i, n := range handles {
		switch o, status := c.open(n); {
		case status != abi.OK:
			return int64(status)
		case o.sent || slices.Contains(handles[:i], n):
			return int64(abi.Invalid)
		}
	}
	answered := int64(0)
	for _, n := range handles {
		o := c.sent[n-1]
		if !o.framed() || !o.inside && c.answers.give(o, c.host.Idempotent) {
			if c.answers.diverged != "" {
				return int64(abi.Internal) // a host ends the handler
			}
		} else {
			c.send(o)
		}
		if o.head.Failure == 0 {
			answered++
		}
	}
	return answered
}

// maxRedirects is how many redirects a call follows.
const maxRedirects = 5

// framed reports whether the body has the length that the header says. If not, the
// call has failed.
func (o *outbound) framed() bool {
	for _, value := range o.lengths {
		if !field.IsLength(value, int64(len(o.body))) {
			o.sent, o.head = true, abi.HTTPResponse{URL: o.request.URL}
			o.fail(abi.Invalid, "the header \"content-length\" says "+strconv.Quote(value)+", and the body has "+strconv.Itoa(len(o.body))+" bytes")
			return false
		}
	}
	return true
}

// send asks the service, and those that its answers redirect to.
func (c *call) send(o *outbound) {
	o.sent = true
	for hop := 0; ; hop++ {
		o.head = abi.HTTPResponse{URL: o.request.URL}
		w := c.ask(o)
		if w == nil {
			return
		}
		location, redirected := o.location(w)
		switch {
		case !redirected:
			o.take(w)
			return
		case hop == maxRedirects:
			o.fail(abi.Unreachable, "there are too many redirects")
			return
		case !c.redirect(o, w.Code, location):
			o.fail(abi.Denied, "a redirect is not followed: "+location+" is not granted")
			return
		}
	}
}

func (o *outbound) fail(status abi.Status, reason string) {
	o.head.Failure, o.head.Reason = uint32(-status), reason
}

// ask sends one request, and returns nil if there was no answer.
func (c *call) ask(o *outbound) (w *httptest.ResponseRecorder) {
	r := httptest.NewRequest(o.request.Method, o.request.URL, bytes.NewReader(o.body))
	for _, f := range o.request.Headers {
		r.Header.Add(f.Name, f.Value)
	}
	c.result.Calls = append(c.result.Calls, Call{Method: r.Method, URL: o.request.URL, Header: r.Header.Clone(), Body: string(o.body)})
	defer func() {
		if p := recover(); p != nil {
			status, ok := p.(abi.Status)
			if o.inside {
				w = failed()
				return
			}
			if !ok {
				panic(p)
			}
			o.fail(status, "the service fails in this test")
			w = nil
		}
	}()
	w = httptest.NewRecorder()
	o.service.ServeHTTP(w, r)
	return w
}

// take keeps the answer.
func (o *outbound) take(w *httptest.ResponseRecorder) {
	o.head.Status, o.whole = uint32(w.Code), w.Body.Bytes()
	o.rest = o.whole
	header := w.Result().Header
	for _, name := range sortedNames(header) {
		for _, v := range header[name] {
			o.head.Headers = append(o.head.Headers, abi.Pair{Name: strings.ToLower(name), Value: v})
		}
	}
}

// location returns where an answer sends the call on to.
func (o *outbound) location(w *httptest.ResponseRecorder) (string, bool) {
	switch location := w.Header().Get("Location"); w.Code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return location, location != "" && !o.inside && o.request.Flags&abi.HTTPNoRedirect == 0
	}
	return "", false
}

// redirect turns the call to another URL, which is judged as the first was.
func (c *call) redirect(o *outbound, status int, location string) bool {
	from, _ := url.Parse(o.request.URL)
	to, err := from.Parse(field.EscapeLocation(location))
	if err != nil || len(location) > limits.RequestURL || !validURL(to.String()) || from.Scheme == "https" && to.Scheme != "https" {
		return false
	}
	service := c.host.upstream(to.String())
	if service == nil {
		return false
	}
	if status == http.StatusSeeOther && o.request.Method != http.MethodHead ||
		(status == http.StatusMovedPermanently || status == http.StatusFound) && o.request.Method == http.MethodPost {
		o.request.Method, o.body = http.MethodGet, nil
		o.dropHeaders(func(name string) bool {
			return slices.Contains([]string{"content-type", "content-encoding", "content-language", "content-location"}, name)
		})
	}
	if from.Scheme != to.Scheme || from.Host != to.Host {
		o.dropHeaders(func(name string) bool {
			return !slices.Contains([]string{"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}, name)
		})
	}
	o.request.URL, o.service = to.String(), service
	return true
}

func (o *outbound) dropHeaders(drop func(name string) bool) {
	o.request.Headers = slices.DeleteFunc(slices.Clone(o.request.Headers), func(f abi.Pair) bool { return drop(strings.ToLower(f.Name)) })
}

// sentCall returns a call that was sent.
func (c *call) sentCall(handle uint32) (*outbound, abi.Status) {
	o, status := c.open(handle)
	if status == abi.OK && !o.sent {
		return nil, abi.Invalid
	}
	return o, status
}

func (c *call) HTTPHead(handle uint32, buf []byte) int64 {
	o, status := c.sentCall(handle)
	if status != abi.OK {
		return int64(status)
	}
	return fill(buf, abi.AppendHTTPResponse(nil, &o.head))
}

func (c *call) HTTPRead(handle uint32, buf []byte) int64 {
	o, status := c.sentCall(handle)
	switch {
	case status != abi.OK:
		return int64(status)
	case o.head.Failure != 0:
		return -int64(o.head.Failure)
	}
	room := limits.ResponseBody - o.got
	if room == 0 && len(o.rest) > 0 {
		return int64(abi.Limit)
	}
	n := copy(buf[:min(len(buf), room)], o.rest)
	o.rest, o.got = o.rest[n:], o.got+n
	c.answers.read(o)
	return int64(n)
}

func (c *call) HTTPClose(handle uint32) int64 {
	_, status := c.open(handle)
	if status == abi.OK {
		c.sent[handle-1] = nil
	}
	return int64(status)
}
