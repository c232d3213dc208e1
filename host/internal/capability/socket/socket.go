// Package socket is the capability to speak on sockets: the tables [[socket]] and
// [[topic]] of a manifest. What a handler says is collected with the attempt, and leaves
// once its effects are durable. Package socket/hub delivers it. Package capabilities
// imports it.
package socket

import (
	"slices"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Names of the tables, and of what the capability keeps.
const (
	Name      = "socket"
	TopicName = "topic"
)

// Hub is what has the sockets. Its methods are safe for concurrent use.
type Hub interface {
	// Has reports whether a plugin has a socket, one that is being opened too.
	Has(plugin, id string) bool
	// Count returns how many sockets of a plugin follow a topic.
	Count(plugin, topic string) int
	// Say delivers effects of a plugin after those before, and returns at once; left is
	// called when they are on their way. revision is that of their commit, 0 without one.
	Say(plugin string, effects []socket.Effect, revision store.Revision, left func())
}

// Unit returns the capability. Whoever declares a socket has it: it takes what requests
// of clients take, and reaches nothing outside the plugin. A nil Hub has no sockets.
func Unit(hub Hub) capability.Unit {
	funcs := capability.OfPlugin(capability.Native(map[string]capability.Handler{
		abi.FnSocketSend: send, abi.FnSocketClose: closeIt, abi.FnSocketFollow: follow, abi.FnSocketUnfollow: unfollow,
		abi.FnSocketAttach: attach, abi.FnPublish: publish, abi.FnTopicCount: count,
	}))
	return capability.Unit{
		Name: Name, List: true, Read: read,
		Keys: []string{"pattern", "request", "max", "message", "origins"},
		Deployment: func(d capability.Deployment) invoke.State {
			s, _ := d.Settings.(Settings)
			return Serving(hub, s)
		},
		Native: funcs,
		Extism: capability.InBlocks(funcs, nil),
	}
}

// Topics returns the unit of topics whose events are kept, which has no functions.
func Topics() capability.Unit {
	return capability.Unit{
		Name: TopicName, List: true, Read: readTopics, Keys: []string{"name", "keep", "age"},
		Deployment: func(d capability.Deployment) invoke.State {
			k, _ := d.Settings.(Kept)
			return k
		},
	}
}

// Close implements invoke.State.
func (Kept) Close() {}

// Serving returns what a deployment with sockets has of the capability.
func Serving(hub Hub, declared Settings) invoke.State { return &serving{hub: hub, declared: declared} }

// Opens returns the socket that a request to a deployment opens which has found a route,
// -1 = the whole mount, and its path values; nil = it opens none. kept are the topics of
// which events are kept.
func Opens(env *invoke.Env, route int, method, path string, params []abi.Pair) (d *Declared, values []abi.Pair, kept Kept) {
	s, _ := env.States.Of(Name).(*serving)
	if s == nil || len(s.declared) == 0 {
		return nil, nil, nil
	}
	d, values = s.declared.Opens(route, method, path, params)
	kept, _ = env.States.Of(TopicName).(Kept)
	return d, values, kept
}

// serving is what a deployment has of it.
type serving struct {
	hub      Hub // nil = no sockets
	declared Settings
}

// Close implements invoke.State.
func (*serving) Close() {}

// outbox is what an attempt says. It implements invoke.Effect.
type outbox struct {
	plugin  string
	hub     Hub
	effects []socket.Effect
	left    chan struct{} // nil until Committed
}

// Close implements invoke.State.
func (*outbox) Close() {}

// Committed implements invoke.Effect.
func (o *outbox) Committed(revision store.Revision) {
	if o.hub == nil || len(o.effects) == 0 {
		return
	}
	o.left = make(chan struct{})
	o.hub.Say(o.plugin, o.effects, revision, func() { close(o.left) })
}

// Left implements invoke.Effect.
func (o *outbox) Left() {
	if o.left != nil {
		<-o.left
	}
}

// of returns what the deployment has, nil if its manifest has no socket.
func of(inv *invoke.Invocation, name string) *serving {
	s, _ := inv.Env.States.Of(Name).(*serving)
	if s == nil || s.declared == nil {
		inv.Notice(invoke.NoSocket, name+" is refused: the manifest has no socket; add a table like [[socket]] to wasmoor.toml")
		return nil
	}
	return s
}

// effectCost is about how many bytes an effect takes in addition to its texts.
const effectCost = 256

// say adds an effect to those of the attempt.
func (s *serving) say(inv *invoke.Invocation, e socket.Effect) int64 {
	o, _ := inv.State(Name).(*outbox)
	if o == nil {
		o = &outbox{plugin: inv.Env.Plugin, hub: s.hub}
		if inv.Env.Preview {
			o.hub = nil // those who follow are the plugin's, and not its preview's
		}
		inv.Keep(Name, o)
	}
	if len(o.effects) == limits.SocketEffects {
		return int64(abi.Limit)
	}
	if !inv.Hold(effectCost + len(e.Data) + len(e.Socket) + len(e.Topic) + len(e.Name)) {
		return int64(abi.Internal)
	}
	o.effects = append(o.effects, e)
	return int64(abi.OK)
}

// to returns the socket that a range names.
func (s *serving) to(inv *invoke.Invocation, id []byte) (string, abi.Status) {
	inv.Look(invoke.LookedAtSockets)
	if len(id) > limits.SocketID || s.hub == nil || !s.hub.Has(inv.Env.Plugin, string(id)) {
		return "", abi.NotFound
	}
	return string(id), abi.OK
}

// event reads what is sent.
func event(e *socket.Effect, data, name []byte, flags uint64) abi.Status {
	switch {
	case len(data) > limits.SocketData || len(name) > limits.SocketName:
		return abi.Limit
	case flags&^uint64(abi.SocketBinary) != 0 || !isName(name):
		return abi.Invalid
	}
	e.Text = flags&uint64(abi.SocketBinary) == 0
	if e.Text && !utf8.Valid(data) {
		return abi.Invalid
	}
	e.Name, e.Data = string(name), slices.Clone(data)
	return abi.OK
}

// isName reports whether a line of an event stream may have it.
func isName(name []byte) bool {
	return utf8.Valid(name) && !slices.ContainsFunc(name, func(c byte) bool { return c < ' ' || c == 0x7f })
}

func send(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	id, ok1 := mem.Range(args[0], args[1])
	data, ok2 := mem.Range(args[2], args[3])
	name, ok3 := mem.Range(args[4], args[5])
	if !ok1 || !ok2 || !ok3 {
		return int64(abi.BadPointer)
	}
	s := of(inv, abi.FnSocketSend)
	if s == nil {
		return int64(abi.Denied)
	}
	e := socket.Effect{Kind: socket.Send}
	var status abi.Status
	if status = event(&e, data, name, args[6]); status < 0 {
		return int64(status)
	}
	if e.Socket, status = s.to(inv, id); status < 0 {
		return int64(status)
	}
	return s.say(inv, e)
}

func closeIt(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	id, ok1 := mem.Range(args[0], args[1])
	reason, ok2 := mem.Range(args[3], args[4])
	if !ok1 || !ok2 {
		return int64(abi.BadPointer)
	}
	s := of(inv, abi.FnSocketClose)
	code := int(args[2])
	switch {
	case s == nil:
		return int64(abi.Denied)
	case len(reason) > limits.SocketReason:
		return int64(abi.Limit)
	case code != 0 && code != 1000 && (code < 3000 || code > 4999) || !utf8.Valid(reason):
		return int64(abi.Invalid)
	}
	if code == 0 {
		code = 1000
	}
	to, status := s.to(inv, id)
	if status < 0 {
		return int64(status)
	}
	return s.say(inv, socket.Effect{Kind: socket.Close, Socket: to, Code: code, Name: string(reason)})
}

func follow(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	return following(inv, mem, args, abi.FnSocketFollow, socket.Follow)
}

func unfollow(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	return following(inv, mem, args, abi.FnSocketUnfollow, socket.Unfollow)
}

func following(inv *invoke.Invocation, mem capability.Memory, args []uint64, name string, kind socket.Kind) int64 {
	id, ok1 := mem.Range(args[0], args[1])
	topic, ok2 := mem.Range(args[2], args[3])
	if !ok1 || !ok2 {
		return int64(abi.BadPointer)
	}
	s := of(inv, name)
	if s == nil {
		return int64(abi.Denied)
	}
	if status := socket.CheckTopic(string(topic)); status < 0 {
		return int64(status)
	}
	to, status := s.to(inv, id)
	if status < 0 {
		return int64(status)
	}
	return s.say(inv, socket.Effect{Kind: kind, Socket: to, Topic: string(topic)})
}

func attach(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	id, ok1 := mem.Range(args[0], args[1])
	data, ok2 := mem.Range(args[2], args[3])
	if !ok1 || !ok2 {
		return int64(abi.BadPointer)
	}
	s := of(inv, abi.FnSocketAttach)
	switch {
	case s == nil:
		return int64(abi.Denied)
	case len(data) > limits.SocketAttached:
		return int64(abi.Limit)
	case !utf8.Valid(data):
		return int64(abi.Invalid)
	}
	to, status := s.to(inv, id)
	if status < 0 {
		return int64(status)
	}
	return s.say(inv, socket.Effect{Kind: socket.Attach, Socket: to, Data: slices.Clone(data)})
}

func publish(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	topic, ok1 := mem.Range(args[0], args[1])
	data, ok2 := mem.Range(args[2], args[3])
	name, ok3 := mem.Range(args[4], args[5])
	if !ok1 || !ok2 || !ok3 {
		return int64(abi.BadPointer)
	}
	s := of(inv, abi.FnPublish)
	if s == nil {
		return int64(abi.Denied)
	}
	e := socket.Effect{Kind: socket.Publish, Topic: string(topic)}
	if status := socket.CheckTopic(e.Topic); status < 0 {
		return int64(status)
	}
	if status := event(&e, data, name, args[6]); status < 0 {
		return int64(status)
	}
	result := s.say(inv, e)
	if result < 0 {
		return result
	}
	return keep(inv, &e)
}

// keep has the commit keep what is published, where the manifest says so.
func keep(inv *invoke.Invocation, e *socket.Effect) int64 {
	topics, _ := inv.Env.States.Of(TopicName).(Kept)
	if topics.Find(e.Topic) == nil || inv.Tx == nil || inv.Env.Preview {
		return int64(abi.OK)
	}
	part := socket.Part(inv.Tx, inv.Env.Space)
	index := uint16(part.Stamps()) // of all its events in the transaction, of whichever invocation
	o := inv.State(Name).(*outbox) //nolint:forcetypeassert // say has just kept it
	said := &o.effects[len(o.effects)-1]
	said.Kept, said.Index = true, index
	err := socket.Keep(part, e.Topic, index, &socket.Event{
		Name: e.Name, Text: e.Text, Sent: inv.Start.UnixMilli(), Data: e.Data,
	})
	if err == nil {
		return int64(abi.OK)
	}
	o.effects = o.effects[:len(o.effects)-1]
	switch fault.CodeOf(err) {
	case fault.TooLarge:
		return int64(abi.Limit)
	case fault.Conflict: // dispatch runs the handler again
		return int64(abi.Internal)
	}
	inv.Fail(err)
	return int64(abi.Internal)
}

func count(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	topic, ok := mem.Range(args[0], args[1])
	if !ok {
		return int64(abi.BadPointer)
	}
	inv.Look(invoke.LookedAtSockets)
	s := of(inv, abi.FnTopicCount)
	if s == nil {
		return int64(abi.Denied)
	}
	if status := socket.CheckTopic(string(topic)); status < 0 {
		return int64(status)
	}
	if s.hub == nil {
		return 0
	}
	return int64(s.hub.Count(inv.Env.Plugin, string(topic)))
}
