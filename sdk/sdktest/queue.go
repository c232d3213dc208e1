package sdktest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/webhook"
)

// Message is a message of a queue at the fake host.
type Message struct {
	Queue, Key string
	ID         string // that its handler is told
	Body       []byte
	Sent       time.Time
	Due        time.Time // it is not handled before
	Attempts   int       // that have failed
	Dead       bool      // its handler answered 4xx

	id      string // of its sender
	webhook *Webhook
}

// Messages returns the messages of a queue in the order of sending, dead letters
// included: of one like "stock/mail", which is another plugin's, all that was sent. They
// are copies.
func (h *Host) Messages(queue string) (list []Message) {
	h.Store.mu.Lock()
	defer h.Store.mu.Unlock()
	for _, m := range h.Store.messages {
		if m.Queue == queue && m.webhook == nil {
			list = append(list, *m)
		}
	}
	return list
}

// Deliver has the first message of a queue handled that is due at Now and that no
// message of its key is ahead of. It returns the handler's response, nil when there
// is no such message. As at the real host an answer of 2xx is the message's end, 4xx
// makes a dead letter of it, and anything else leaves it for another Deliver. A queue
// that Queues does not have panics.
func (h *Host) Deliver(queue string) *Result {
	method, path, ok := strings.Cut(h.Queues[queue], " ")
	if !ok {
		panic("sdktest: Queues has no request like \"POST /queues/mail\" for the queue " + queue)
	}
	m := h.next(queue)
	if m == nil {
		return nil
	}
	trigger, attributes := h.Trigger, h.Attributes
	defer func() { h.Trigger, h.Attributes = trigger, attributes }()
	h.Trigger = abi.TriggerQueue
	h.Attributes = map[string]string{
		"queue.name": m.Queue, "queue.id": m.ID, "queue.attempt": strconv.Itoa(m.Attempts + 1),
		"queue.sent": strconv.FormatInt(m.Sent.UnixMilli(), 10),
	}
	if m.Key != "" {
		h.Attributes["queue.key"] = m.Key
	}
	res := h.do(httptest.NewRequest(method, path, strings.NewReader(string(m.Body))), retried)
	h.Store.mu.Lock()
	defer h.Store.mu.Unlock()
	switch {
	case res.Fault == "" && res.Status/100 == 2:
		h.Store.messages = slices.DeleteFunc(h.Store.messages, func(o *Message) bool { return o == m })
	case res.Fault == "" && res.Status/100 == 4 && !retried(res.Status):
		m.Attempts, m.Dead = m.Attempts+1, true
	default:
		m.Attempts++
	}
	return res
}

// retried reports whether a message is handled again after an answer, whose effects
// are dropped.
func retried(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status/100 != 2 && status/100 != 4
}

// next returns the message that Deliver handles.
func (h *Host) next(queue string) *Message {
	h.Store.mu.Lock()
	defer h.Store.mu.Unlock()
	ahead := map[string]bool{}
	for _, m := range h.Store.messages {
		if m.Queue != queue || m.Dead || m.Key != "" && ahead[m.Key] {
			continue
		}
		if !m.Due.After(h.Now) {
			return m
		}
		ahead[m.Key] = true
	}
	return nil
}

// names reports whether r is a request of a list.
func names(list map[string]string, r *http.Request) bool {
	for _, request := range list {
		if request == r.Method+" "+r.URL.EscapedPath() {
			return true
		}
	}
	return false
}

func (c *call) QueueSend(queue string, body []byte, key string, delay int64, id string) int64 {
	_, declared := c.host.Queues[queue]
	switch {
	case !declared && !c.host.has(queue):
		return int64(abi.Denied)
	case !declared || queue == webhook.Queue:
		return int64(abi.NotFound)
	case len(body) > limits.QueueBody || len(key) > limits.QueueKey || len(id) > limits.QueueKey:
		return int64(abi.Limit)
	case delay < 0 || !utf8.ValidString(key) || !utf8.ValidString(id):
		return int64(abi.Invalid)
	case delay > limits.QueueDelay || len(c.tx.messages)+len(c.tx.stamped) == limits.QueueSends:
		return int64(abi.Limit)
	}
	if id != "" {
		if c.host.Store.saw(queue, id) || slices.ContainsFunc(c.tx.messages, func(m *Message) bool { return m.Queue == queue && m.id == id }) {
			return abi.QueueRepeated
		}
	}
	c.tx.messages = append(c.tx.messages, &Message{
		Queue: queue, Key: key, Body: slices.Clone(body), Sent: c.tx.now, Due: c.tx.now.Add(milliseconds(delay)), id: id,
	})
	return abi.QueueSent
}

// has reports whether the manifest has queues at all, or for one of another plugin
// whether it may send there.
func (h *Host) has(queue string) bool {
	alias, _, other := strings.Cut(queue, "/")
	if !other {
		return len(h.Queues) > 0
	}
	for name := range h.Queues {
		if strings.HasPrefix(name, alias+"/") {
			return true
		}
	}
	return h.services[alias+internal] != nil
}

// saw reports whether a message with an id of its sender's was sent before.
func (s *Store) saw(queue, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[queue+"\x00"+id]
}

// keep takes in the messages of a transaction that commits. The caller holds mu.
func (s *Store) keep(t *tx) {
	for i, m := range t.messages {
		m.ID = strconv.Itoa(s.revision) + "-" + strconv.Itoa(i)
		if m.webhook != nil {
			m.webhook.ID = "msg_" + m.ID
		}
		s.messages = append(s.messages, m)
		if m.id != "" {
			s.seen[m.Queue+"\x00"+m.id] = true
		}
	}
}
