package sdktest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/pattern"
)

// Socket is a socket of the fake host, of a client that Open stands for.
type Socket struct {
	// Answer is what the handler has answered the client who asked for the socket: 200
	// opened it.
	Answer *Result
	ID     string
	// Received is what the client has got, in order.
	Received []Content
	// Open says that it is not closed; Code and Reason are those with which it was.
	Open   bool
	Code   int
	Reason string

	Attachment string   // that the plugin has set
	Topics     []string // that it follows

	host    *Host
	request string // of its events; "" = none
	params  map[string]string
}

// Content is what was sent or published.
type Content struct {
	Topic  string // on which it was published, "" = it was sent on the socket alone
	Data   []byte
	Binary bool
	Event  string
}

// Text returns the data as a string.
func (c Content) Text() string { return string(c.Data) }

// said is what a handler does on sockets.
type said struct {
	kind  string // the host function
	id    string
	topic string
	code  int
	Content
}

// Open has a client ask for a WebSocket, with header fields like those of Send. A
// target that Sockets has no pattern for panics. The socket is not open where the handler
// refuses it; see Answer.
func (h *Host) Open(target string, fields ...string) *Socket {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, field := range fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			panic("sdktest: the header field " + strconv.Quote(field) + " is not like \"Name: value\"")
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	s := h.socketFor(r)
	if s == nil {
		panic("sdktest: Sockets has no pattern like \"GET /rooms/{id}\" for " + target)
	}
	s.Open, s.ID = true, "socket-"+strconv.Itoa(len(h.sockets)+1)
	h.sockets = append(h.sockets, s)
	s.Answer = s.event(r, map[string]string{"socket.event": "open"})
	if s.Answer.Status != http.StatusOK || s.Answer.Fault != "" {
		s.Open, s.Topics, s.Received = false, nil, nil // what was sent has nobody to go to
		return s
	}
	s.takeBody(s.Answer, true)
	return s
}

// socketFor returns a socket of the pattern that a request matches, nil = of none.
func (h *Host) socketFor(r *http.Request) *Socket {
	for text, request := range h.Sockets {
		p, err := pattern.Parse(text)
		if err != nil {
			panic("sdktest: " + err.Error())
		}
		var set pattern.Set[string]
		_ = set.Add(p, request) // the first cannot conflict
		m, ok := set.Match(r.Method, "", r.URL.EscapedPath(), nil)
		if !ok {
			continue
		}
		s := &Socket{host: h, request: m.Value, params: map[string]string{}}
		for _, param := range m.Params {
			s.params[param.Name] = param.Value
		}
		return s
	}
	return nil
}

// event has an event of the socket handled.
func (s *Socket) event(r *http.Request, attributes map[string]string) *Result {
	h := s.host
	trigger, before := h.Trigger, h.Attributes
	defer func() { h.Trigger, h.Attributes = trigger, before }()
	attributes["socket.id"], attributes["socket.kind"] = s.ID, "websocket"
	if s.Attachment != "" {
		attributes["socket.attachment"] = s.Attachment
	}
	h.Trigger, h.Attributes = abi.TriggerSocket, attributes
	return h.do(r, func(int) bool { return false })
}

// takeBody gives the client the body of an answer.
func (s *Socket) takeBody(res *Result, opened bool) {
	if len(res.Body) == 0 || res.Status == http.StatusNoContent || res.Status == http.StatusResetContent || !s.Open && !opened {
		return
	}
	c := Content{Data: slices.Clone(res.Body), Binary: !isText(res.Header.Get("Content-Type")) || !utf8.Valid(res.Body)}
	if opened { // before what the handler has sent itself
		s.Received = slices.Insert(s.Received, 0, c)
		return
	}
	s.Received = append(s.Received, c)
}

// isText reports whether a body of a type is sent as text. One that says nothing is.
func isText(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	kind = strings.TrimSpace(kind)
	switch kind {
	case "", "application/json", "application/xml", "application/javascript", "application/x-ndjson", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

var hole = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}`)

// eventRequest makes the request of an event.
func (s *Socket) eventRequest(body []byte) *http.Request {
	method, path, ok := strings.Cut(s.request, " ")
	if !ok {
		panic("sdktest: Sockets has no request like \"POST /rooms/{id}/events\" for the socket")
	}
	path = hole.ReplaceAllStringFunc(path, func(h string) string {
		return url.PathEscape(s.params[strings.TrimSuffix(h[1:len(h)-1], "...")])
	})
	return httptest.NewRequest(method, path, strings.NewReader(string(body)))
}

// Say has the client send a text, and returns how the handler answers. As at the real host
// an answer of 400 and above closes the socket.
func (s *Socket) Say(text string) *Result { return s.say([]byte(text), "text") }

// SayBinary is Say for a message that is no text.
func (s *Socket) SayBinary(data []byte) *Result { return s.say(data, "binary") }

func (s *Socket) say(data []byte, kind string) *Result {
	if !s.Open {
		panic("sdktest: the socket is not open")
	}
	res := s.event(s.eventRequest(data), map[string]string{"socket.event": "message", "socket.type": kind})
	switch {
	case res.Fault == "" && res.Status < 300:
		s.takeBody(res, false)
	case res.Fault == "" && res.Status < 500:
		s.close(1008, "the message was refused")
	case res.Fault != "" && res.Status == http.StatusServiceUnavailable:
		s.close(1013, "the service cannot answer just now")
	default:
		s.close(1011, "the message was not handled")
	}
	return res
}

// Leave has the client close the socket, 1006 standing for one that is gone without a
// word. It returns how the handler answers, nil where the socket has no events.
func (s *Socket) Leave(code int, reason string) *Result {
	s.close(code, reason)
	return s.tellClosed("client")
}

// Closed has the handler told of a socket that the plugin has closed. It returns how the
// handler answers, nil where the socket has no events.
func (s *Socket) Closed() *Result { return s.tellClosed("host") }

func (s *Socket) tellClosed(by string) *Result {
	if s.request == "" {
		return nil
	}
	return s.event(s.eventRequest(nil), map[string]string{
		"socket.event": "close", "socket.code": strconv.Itoa(s.Code), "socket.reason": s.Reason, "socket.by": by,
	})
}

func (s *Socket) close(code int, reason string) {
	if s.Open {
		s.Open, s.Code, s.Reason, s.Topics = false, code, reason, nil
	}
}

// Published returns what was published on a topic, in order.
func (h *Host) Published(topic string) (list []Content) {
	for _, c := range h.published {
		if c.Topic == topic {
			list = append(list, c)
		}
	}
	return list
}

// say does what a handler has said, once its effects are there.
func (h *Host) say(list []said) {
	for _, e := range list {
		if e.kind == abi.FnPublish {
			h.published = append(h.published, e.Content)
			for _, s := range h.sockets {
				if slices.Contains(s.Topics, e.Topic) {
					s.Received = append(s.Received, e.Content)
				}
			}
			continue
		}
		if s := h.socket(e.id); s != nil {
			s.do(&e)
		}
	}
}

func (s *Socket) do(e *said) {
	switch e.kind {
	case abi.FnSocketSend:
		s.Received = append(s.Received, e.Content)
	case abi.FnSocketClose:
		s.close(e.code, e.Text())
	case abi.FnSocketFollow:
		switch {
		case slices.Contains(s.Topics, e.topic):
		case len(s.Topics) == limits.SocketTopics:
			s.close(1008, "it follows too many topics")
		default:
			s.Topics = append(s.Topics, e.topic)
		}
	case abi.FnSocketUnfollow:
		s.Topics = slices.DeleteFunc(s.Topics, func(t string) bool { return t == e.topic })
	case abi.FnSocketAttach:
		s.Attachment = e.Text()
	}
}

// socket returns an open socket.
func (h *Host) socket(id string) *Socket {
	for _, s := range h.sockets {
		if s.ID == id && s.Open {
			return s
		}
	}
	return nil
}

// isSocketEvent reports whether a request is one of a socket's events, which no client
// makes.
func (h *Host) isSocketEvent(r *http.Request) bool {
	for _, request := range h.Sockets {
		p, err := pattern.Parse(request)
		if request == "" || err != nil {
			continue
		}
		var set pattern.Set[struct{}]
		_ = set.Add(p, struct{}{})
		if _, ok := set.Match(r.Method, "", r.URL.EscapedPath(), nil); ok {
			return true
		}
	}
	return false
}
