package sdktest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// says adds to what the attempt says.
func (c *call) says(e said) int64 {
	if len(c.tx.said) == limits.SocketEffects {
		return int64(abi.Limit)
	}
	c.tx.said = append(c.tx.said, e)
	return 0
}

// to returns a status for the id of a socket.
func (c *call) to(id string) abi.Status {
	if c.host.socket(id) == nil {
		return abi.NotFound
	}
	return abi.OK
}

func checkTopic(name string) abi.Status {
	switch {
	case len(name) > limits.Topic:
		return abi.Limit
	case name == "" || !isName(name):
		return abi.Invalid
	}
	return abi.OK
}

func isName(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func content(topic string, data []byte, event string, flags uint32) (Content, abi.Status) {
	c := Content{Topic: topic, Data: slices.Clone(data), Binary: flags&abi.SocketBinary != 0, Event: event}
	switch {
	case len(data) > limits.SocketData || len(event) > limits.SocketName:
		return c, abi.Limit
	case flags&^abi.SocketBinary != 0 || !isName(event) || !c.Binary && !utf8.Valid(data):
		return c, abi.Invalid
	}
	return c, abi.OK
}

// first returns the first status that is none of OK.
func first(list ...abi.Status) abi.Status {
	for _, s := range list {
		if s < 0 {
			return s
		}
	}
	return abi.OK
}

func (c *call) noSockets() abi.Status {
	if c.host.Sockets == nil {
		return abi.Denied
	}
	return abi.OK
}

func (c *call) SocketSend(id string, data []byte, event string, flags uint32) int64 {
	sent, status := content("", data, event, flags)
	if status := first(c.noSockets(), status, c.to(id)); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnSocketSend, id: id, Content: sent})
}

func (c *call) SocketClose(id string, code uint32, reason string) int64 {
	if status := c.noSockets(); status < 0 {
		return int64(status)
	}
	switch {
	case len(reason) > limits.SocketReason:
		return int64(abi.Limit)
	case code != 0 && code != 1000 && (code < 3000 || code > 4999) || !utf8.ValidString(reason):
		return int64(abi.Invalid)
	}
	if code == 0 {
		code = 1000
	}
	if status := c.to(id); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnSocketClose, id: id, code: int(code), Content: Content{Data: []byte(reason)}})
}

func (c *call) SocketFollow(id, topic string) int64 {
	if status := first(c.noSockets(), checkTopic(topic), c.to(id)); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnSocketFollow, id: id, topic: topic})
}

func (c *call) SocketUnfollow(id, topic string) int64 {
	if status := first(c.noSockets(), checkTopic(topic), c.to(id)); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnSocketUnfollow, id: id, topic: topic})
}

func (c *call) SocketAttach(id, data string) int64 {
	if status := c.noSockets(); status < 0 {
		return int64(status)
	}
	switch {
	case len(data) > limits.SocketAttached:
		return int64(abi.Limit)
	case !utf8.ValidString(data):
		return int64(abi.Invalid)
	}
	if status := c.to(id); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnSocketAttach, id: id, Content: Content{Data: []byte(data)}})
}

func (c *call) Publish(topic string, data []byte, event string, flags uint32) int64 {
	published, status := content(topic, data, event, flags)
	if status := first(c.noSockets(), checkTopic(topic), status); status < 0 {
		return int64(status)
	}
	return c.says(said{kind: abi.FnPublish, Content: published})
}

func (c *call) TopicCount(topic string) (n int64) {
	if status := first(c.noSockets(), checkTopic(topic)); status < 0 {
		return int64(status)
	}
	for _, s := range c.host.sockets {
		if slices.Contains(s.Topics, topic) {
			n++
		}
	}
	return n
}
