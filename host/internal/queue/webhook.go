package queue

import (
	"github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Webhooks is the queue whose messages the host sends to URLs.
const Webhooks = webhook.Queue

// Webhook is what the body of a message of Webhooks holds.
type Webhook struct {
	URL     string
	Secret  string // name of the variable that has the key
	Account string // the receiver that has a key of its own; "" = it has that of all
	Body    []byte
}

// Append appends the encoding of w:
//
//	u8     version, 1
//	bytes  URL, Secret, Account: a uvarint length and the bytes
//	       Body, to the end
func (w *Webhook) Append(b []byte) []byte {
	b = append(b, version)
	for _, s := range []string{w.URL, w.Secret, w.Account} {
		b = appendString(b, s)
	}
	return append(b, w.Body...)
}

// ReadWebhook reads what Append wrote, sharing the memory of b for Body.
func ReadWebhook(b []byte) (w Webhook, err error) {
	d := reader{b: b}
	if d.byte() != version {
		return w, errWebhook
	}
	w.URL, w.Secret, w.Account = d.string(), d.string(), d.string()
	w.Body = d.b
	if d.bad {
		return Webhook{}, errWebhook
	}
	return w, nil
}

var errWebhook = fault.New(fault.Internal, "queue", "a webhook is malformed; the data directory is damaged")
