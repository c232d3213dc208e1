package sdktest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/webhook"
)

// Webhook is a webhook that waits at the fake host.
type Webhook struct {
	URL             string
	Secret, Account string // as they were given
	ID              string // its webhook-id
	Body            []byte
	Sent            time.Time

	key webhook.Secret
}

// Header returns the header fields with which the webhook is sent at a time.
func (w *Webhook) Header(at time.Time) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, http.CanonicalHeaderKey(webhook.HeaderID): {w.ID},
		http.CanonicalHeaderKey(webhook.HeaderTimestamp): {strconv.FormatInt(at.Unix(), 10)},
		http.CanonicalHeaderKey(webhook.HeaderSignature): {w.key.Sign(w.ID, at, w.Body)},
	}
}

// Webhooks returns the webhooks that requests have sent, in the order of sending. The
// fake host keeps them, and calls nobody. They are copies.
func (h *Host) Webhooks() (list []Webhook) {
	h.Store.mu.Lock()
	defer h.Store.mu.Unlock()
	for _, m := range h.Store.messages {
		if m.webhook != nil {
			list = append(list, *m.webhook)
		}
	}
	return list
}

func (c *call) WebhookSend(to string, body []byte, secret string, account string) int64 {
	_, declared := c.host.Queues[webhook.Queue]
	value, known := c.host.Secrets[secret]
	if !known {
		value, known = c.host.Config[secret]
	}
	switch {
	case !declared || c.noCalls() && !c.host.Public:
		return int64(abi.Denied)
	case len(to) > limits.RequestURL || len(body) > limits.QueueBody || len(account) > limits.QueueKey:
		return int64(abi.Limit)
	case !utf8.ValidString(account) || !validURL(to):
		return int64(abi.Invalid)
	case c.host.upstream(to) == nil && !c.host.public(to):
		return int64(abi.Denied)
	case !known:
		return int64(abi.NotFound)
	}
	key, err := webhook.Parse(value)
	if err != nil {
		return int64(abi.Invalid)
	}
	if len(c.tx.messages)+len(c.tx.stamped) == limits.QueueSends {
		return int64(abi.Limit)
	}
	c.tx.messages = append(c.tx.messages, &Message{Queue: webhook.Queue, Sent: c.tx.now, webhook: &Webhook{
		URL: to, Secret: secret, Account: account, Body: slices.Clone(body), Sent: c.tx.now, key: key.For(account),
	}})
	return int64(abi.OK)
}

// public reports whether a URL is granted by the word public, as far as its text tells.
func (h *Host) public(target string) bool {
	u, err := url.Parse(target)
	return h.Public && err == nil && !strings.HasSuffix("."+strings.ToLower(u.Hostname()), ".wasmoor.internal")
}
