// Package socket speaks on the plugin's sockets: WebSockets and event streams of clients,
// which the host keeps. The plugin sleeps while nothing happens on them. All that it says
// is an effect of the request: it leaves if the request commits, in the order of the
// commits, and not at all if it does not.
//
//	[[socket]]
//	pattern = "GET /rooms/{id}"
//	request = "POST /rooms/{id}/events"
//
//	routes.HandleFunc("GET /rooms/{id}", func(w *sdk.Response, r *sdk.Request) error {
//		e, _ := socket.From(r) // e.Kind is socket.Open
//		return socket.Follow(e.ID, "room:"+r.PathValue("id"))
//	})
//
//	routes.HandleFunc("POST /rooms/{id}/events", func(w *sdk.Response, r *sdk.Request) error {
//		e, _ := socket.From(r)
//		if e.Kind == socket.Message {
//			text, err := r.Body(socket.MaxData)
//			...
//			return socket.Publish("room:"+r.PathValue("id"), text)
//		}
//		return nil
//	})
//
// An answer of 200 opens the socket, and any other refuses it. What such an answer has
// as its body goes to the client first. The body of an answer to a message goes back on
// its socket, and an answer of 400 and above closes that. The events of one socket come
// one after the other, the close last.
package socket

import (
	"strconv"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: a text is no UTF-8, the name of a topic or an event has control
	// characters, or the code is none that a plugin may close with.
	ErrInvalid = abi.Invalid
	// ErrNotFound: the plugin has no such socket, or not any more.
	ErrNotFound = abi.NotFound
	// ErrUnavailable: no request is being served.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the manifest has no socket at all.
	ErrDenied = abi.Denied
	// ErrLimit: there is too much of something, see the constants.
	ErrLimit = abi.Limit
)

// Limits.
const (
	MaxData       = 256 << 10 // bytes of what is sent or published
	MaxTopic      = 255       // bytes of the name of a topic
	MaxAttachment = 2 << 10   // bytes
	MaxEffects    = 1000      // calls of this package in a request
)

// Error is something that was not said.
type Error struct {
	Call   string // of the host, such as "socket_send"
	Of     string // id of a socket, or name of a topic
	Status abi.Status
}

// Error names the call and the reason.
func (e *Error) Error() string {
	return e.Call + " " + strconv.Quote(e.Of) + ": " + e.Status.String() + why(e.Status)
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

func why(s abi.Status) string {
	switch s {
	case ErrDenied:
		return ": the manifest has no socket; add [[socket]] to wasmoor.toml"
	case ErrNotFound:
		return ": there is no such socket, or not any more"
	case ErrLimit:
		return ": data over 256 KiB, a topic over 255 bytes, an attachment over 2 KiB, or more than 1000 calls in a request"
	case ErrUnavailable:
		return ": call it while a request is served"
	}
	return ""
}

func result(call, of string, n int64) error {
	if n < 0 {
		return &Error{call, of, abi.Status(n)}
	}
	return nil
}

// Content is what is sent or published.
type Content struct {
	Data []byte
	// Binary says that Data is no text. An event stream has it in base64.
	Binary bool
	// Event names the event in an event stream, "" = "message". A WebSocket has no names.
	Event string
}

func (c *Content) flags() uint32 {
	if c.Binary {
		return abi.SocketBinary
	}
	return 0
}

// Send sends a text to the client of a socket.
func Send(id string, text []byte) error { return SendContent(id, Content{Data: text}) }

// SendContent is Send for data of any kind.
func SendContent(id string, c Content) error {
	return result(abi.FnSocketSend, id, hostcall.SocketSend(id, c.Data, c.Event, c.flags()))
}

// Publish sends a text to the clients of all sockets that follow a topic.
func Publish(topic string, text []byte) error { return PublishContent(topic, Content{Data: text}) }

// PublishContent is Publish for data of any kind.
func PublishContent(topic string, c Content) error {
	return result(abi.FnPublish, topic, hostcall.Publish(topic, c.Data, c.Event, c.flags()))
}

// Close closes a socket after all that was sent on it. The code is 1000, or one from 3000
// to 4999; 0 = 1000.
func Close(id string, code int, reason string) error {
	return result(abi.FnSocketClose, id, hostcall.SocketClose(id, uint32(max(code, 0)), reason))
}

// Follow has a socket get what is published on a topic, from the commit on.
func Follow(id, topic string) error {
	return result(abi.FnSocketFollow, id, hostcall.SocketFollow(id, topic))
}

// Unfollow ends that.
func Unfollow(id, topic string) error {
	return result(abi.FnSocketUnfollow, id, hostcall.SocketUnfollow(id, topic))
}

// Attach sets a text that the later events of a socket carry, such as who its client is.
func Attach(id, text string) error {
	return result(abi.FnSocketAttach, id, hostcall.SocketAttach(id, text))
}

// Count returns how many sockets follow a topic at this moment.
func Count(topic string) (int, error) {
	n := hostcall.TopicCount(topic)
	return int(max(n, 0)), result(abi.FnTopicCount, topic, n)
}

// Kind is what happens on a socket.
type Kind string

// The kinds.
const (
	Open    Kind = "open"    // a client asks for one
	Message Kind = "message" // it says something, the body of the request
	Closed  Kind = "close"   // it is over
)

// Event is what a handler is told of a socket.
type Event struct {
	Kind       Kind
	ID         string // of the socket: whoever has it may send to it, and nobody guesses it
	WebSocket  bool   // else an event stream, which has no messages
	Binary     bool   // of a message
	Attachment string // what Attach has set
	// Code and Reason are those of a close. ByClient says that the client has left; 1006
	// is the code of one that is gone without a word.
	Code     int
	Reason   string
	ByClient bool
}

// From returns what happens on a socket; false for a request of another kind.
func From(r *sdk.Request) (Event, bool) {
	if r.Trigger() != abi.TriggerSocket {
		return Event{}, false
	}
	code, _ := strconv.Atoi(r.Attribute("socket.code"))
	return Event{
		Kind: Kind(r.Attribute("socket.event")), ID: r.Attribute("socket.id"), WebSocket: r.Attribute("socket.kind") == "websocket",
		Binary: r.Attribute("socket.type") == "binary", Attachment: r.Attribute("socket.attachment"),
		Code: code, Reason: r.Attribute("socket.reason"), ByClient: r.Attribute("socket.by") == "client",
	}, true
}
