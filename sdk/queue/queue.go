// Package queue sends messages to the plugin's own queues and to those of plugins that
// it may call, and reads what a handler is told of a message. A message is an effect
// of the request: it is sent if the request commits, and not at all if it does not. It
// is handled by an ordinary request, which the manifest names:
//
//	[queue.mail]
//	request = "POST /queues/mail"
//
//	err := queue.Send("mail", body) // in any handler
//
//	routes.HandleFunc("POST /queues/mail", func(w *sdk.Response, r *sdk.Request) error {
//		d, ok := queue.From(r)
//		...
//	})
//
// The handler answers 2xx, and what it wrote commits together with the fact that the
// message is handled. An answer of 4xx makes a dead letter of the message; 408, 425, 429
// and everything else is tried again, and what the handler wrote is dropped. So
// what a handler writes here happens once for each message. A call to another service
// may happen again: pass Delivery.ID on as its Idempotency-Key.
//
// With [services] in the manifest, "stock/mail" is the queue "mail" of the plugin that
// the name stock stands for. The message is there with the sender's commit, and handled
// as one of the other plugin.
package queue

import (
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: the delay is negative, or the key or the id is no UTF-8.
	ErrInvalid = abi.Invalid
	// ErrNotFound: the manifest, of the plugin that gets the message, has no such queue.
	ErrNotFound = abi.NotFound
	// ErrUnavailable: no request is being served, or the other plugin does not serve or
	// takes no writes for now.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the manifest has no queue at all, or the other plugin is not granted.
	ErrDenied = abi.Denied
	// ErrLimit: the body has more than 256 KiB, the key or the id more than 255 bytes, the
	// delay is over 365 days, or the request has sent 100 messages.
	ErrLimit = abi.Limit
)

// MaxBody is how many bytes a message has at most.
const MaxBody = 256 << 10

// Error is a message that was not sent.
type Error struct {
	Queue  string
	Status abi.Status // below zero
}

// Error names the queue and the reason.
func (e *Error) Error() string {
	return `queue send "` + e.Queue + `": ` + e.Status.String() + e.why()
}

func (e *Error) why() string {
	other := strings.Contains(e.Queue, "/")
	switch {
	case e.Status == ErrLimit:
		return ": a body over 256 KiB, a key or an id over 255 bytes, a delay over 365 days, or more than 100 messages in a request"
	case e.Status == ErrDenied && other:
		return ": [services] in wasmoor.toml has no such name, or the operator has not granted it"
	case e.Status == ErrNotFound && other:
		return ": the other plugin has no such queue"
	case e.Status == ErrUnavailable && other:
		return ": the other plugin does not serve, or takes no writes for now"
	case e.Status == ErrNotFound || e.Status == ErrDenied:
		return ": the manifest has no such queue; add [queue.NAME] to wasmoor.toml"
	case e.Status == ErrUnavailable:
		return ": call it while a request is served"
	}
	return ""
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

// Options are what else a message has.
type Options struct {
	// Key puts the messages of this plugin that share it in order: each is handled once
	// the one before it is done, or a dead letter.
	Key string
	// Delay is for how long the message waits at least, in whole milliseconds.
	Delay time.Duration
	// ID drops the message if this plugin sent one with the same id to the queue before,
	// within the queue's retention.
	ID string
}

// Send sends a message to a queue when the request commits.
func Send(name string, body []byte) error {
	_, err := SendWith(name, body, Options{})
	return err
}

// SendWith is Send with options. It reports whether the message is sent: false without
// an error when its ID was there before.
func SendWith(name string, body []byte, o Options) (sent bool, err error) {
	result := hostcall.QueueSend(name, body, o.Key, o.Delay.Milliseconds(), o.ID)
	if result < 0 {
		return false, &Error{Queue: name, Status: abi.Status(result)}
	}
	return result == abi.QueueSent, nil
}

// Delivery is what a handler is told of a message. Its body is the request's.
type Delivery struct {
	Queue string
	From  string // the other plugin that sent it; "" = none
	// ID is the same in every attempt and of no other message: pass it on as
	// Idempotency-Key.
	ID      string
	Key     string
	Attempt int // 1 is the first
	Sent    time.Time
}

// From returns the message that a request delivers; false for any other request.
func From(r *sdk.Request) (Delivery, bool) {
	if r.Trigger() != abi.TriggerQueue {
		return Delivery{}, false
	}
	attempt, _ := strconv.Atoi(r.Attribute("queue.attempt"))
	sent, _ := strconv.ParseInt(r.Attribute("queue.sent"), 10, 64)
	return Delivery{
		Queue: r.Attribute("queue.name"), From: r.Attribute("queue.from"), ID: r.Attribute("queue.id"), Key: r.Attribute("queue.key"), Attempt: attempt, Sent: time.UnixMilli(sent),
	}, true
}
