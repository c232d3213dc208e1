// Package queue is the capability to send messages to the plugin's own queues, the
// tables [queue.NAME] of a manifest, and to those of the plugins that it may call. A
// message is a part of the attempt's effects. Package queue/delivery handles it. Package
// capabilities imports it.
package queue

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Name is that of the capability.
const Name = "queue"

// Unit returns the capability. Whoever declares a queue has it: messages have a quota
// of their own, and nothing outside the plugin is reached.
func Unit() capability.Unit {
	funcs := capability.OfPlugin(capability.Native(map[string]capability.Handler{abi.FnQueueSend: send}))
	return capability.Unit{
		Name: Name, Named: true, Read: read,
		Deployment: func(d capability.Deployment) invoke.State {
			s, _ := d.Settings.(Settings)
			return s
		},
		Native: funcs,
		Extism: capability.InBlocks(funcs, nil),
	}
}

// Keys returns the keys of the table of a queue.
func Keys() []string {
	return []string{"request", "attempts", "backoff", "concurrency", "retention", "deadline", "external"}
}

// hostKeys are those of the queue that the host handles itself.
func hostKeys() []string { return []string{"attempts", "backoff", "concurrency", "retention"} }

// MaxQueues is how many queues a manifest may have.
const MaxQueues = 32

// Settings are the queues of a manifest, by name.
type Settings []Declared

// Declared is a queue, and the request that handles its messages.
type Declared struct {
	queue.Queue
	Request manifest.Request // none of queue.Webhooks
}

// Webhooks reports whether the host sends the messages to URLs.
func (d *Declared) Webhooks() bool { return d.Name == queue.Webhooks }

// Close implements invoke.State.
func (Settings) Close() {}

// Of returns the queues of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// Find returns a queue by its name.
func (s Settings) Find(name string) (Declared, bool) {
	i := slices.IndexFunc(s, func(d Declared) bool { return d.Name == name })
	if i < 0 {
		return Declared{}, false
	}
	return s[i], true
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Values of a queue whose table does not say.
const (
	defaultAttempts    = 5
	defaultConcurrency = 8
	defaultRetention   = 7 * 24 * time.Hour
)

var defaultBackoff = [2]time.Duration{time.Second, 5 * time.Minute}

// Values of the queue of webhooks. A receiver that is down for a weekend gets them all:
// the attempts of one take three and a half days at most, and 41 hours on average.
const (
	webhookAttempts    = 20
	webhookConcurrency = 32
)

var webhookBackoff = [2]time.Duration{5 * time.Second, 12 * time.Hour}

// Most of what a table may say.
const (
	maxAttempts    = 100
	maxConcurrency = 256
	maxBackoff     = 24 * time.Hour
	maxRetention   = 30 * 24 * time.Hour
)

// read reads [queue.NAME].
func read(t manifest.Table) (any, plugin.Terms) {
	s := Settings{} // not nil: there is the table
	names := t.Names()
	if len(names) > MaxQueues {
		t.Fail("", "%d queues are above the maximum of %d", len(names), MaxQueues)
		return s, nil
	}
	for _, name := range names {
		keys := Keys()
		if name == queue.Webhooks {
			keys = hostKeys()
		}
		one, ok := t.Sub(name, keys...)
		switch {
		case !nameForm.MatchString(name):
			t.Fail(name, "a queue's name has 1 to 63 characters of a-z, 0-9, _ and -, and begins with a letter")
		case ok:
			s = append(s, declared(one, name))
		}
	}
	return s, nil
}

func declared(t manifest.Table, name string) Declared {
	d := Declared{Queue: queue.Queue{
		Name: name, Attempts: defaultAttempts, Backoff: defaultBackoff, Concurrency: defaultConcurrency, Retention: defaultRetention,
	}}
	if d.Webhooks() {
		d.Attempts, d.Backoff, d.Concurrency = webhookAttempts, webhookBackoff, webhookConcurrency
	} else {
		d.Request = t.Request("request", "POST /queues/"+name)
	}
	if n, ok := t.Count("attempts", maxAttempts); ok {
		d.Attempts = int(n)
	}
	if n, ok := t.Count("concurrency", maxConcurrency); ok {
		d.Concurrency = int(n)
	}
	if text, ok := t.String("backoff"); ok {
		if d.Backoff, ok = parseBackoff(text); !ok {
			t.Fail("backoff", `%.40q is not two times of at most 24h, the first of them not above the second; write e.g. "1s..5m"`, text)
		}
	}
	if r, ok := t.Days("retention", maxRetention); ok {
		d.Retention = r
	}
	d.Deadline, _ = t.Duration("deadline", queue.MaxDeadline)
	switch text, ok := t.String("external"); {
	case !ok || text == "at-least-once":
	case text == "at-most-once":
		d.AtMostOnce = true
	default:
		t.Fail("external", `%.40q is unknown; write "at-least-once", or "at-most-once" to begin no message twice`, text)
	}
	return d
}

func parseBackoff(text string) (b [2]time.Duration, ok bool) {
	least, most, found := strings.Cut(text, "..")
	if !found {
		most = least
	}
	for i, part := range []string{least, most} {
		d, err := time.ParseDuration(part)
		if err != nil || d < time.Millisecond || d > maxBackoff {
			return b, false
		}
		b[i] = d
	}
	return b, b[0] <= b[1]
}

// sendCost is about how many bytes a message takes in addition to its body, which is
// there twice: in the transaction, and as it goes to disk.
const sendCost = 1 << 10

func send(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	name, okName := mem.Range(args[0], args[1])
	body, okBody := mem.Range(args[2], args[3])
	key, okKey := mem.Range(args[4], args[5])
	delay := int64(args[6])
	id, okID := mem.Range(args[7], args[8])
	if !okName || !okBody || !okKey || !okID {
		return int64(abi.BadPointer)
	}
	to, status, why := receiver(inv, string(name))
	switch {
	case why != "":
		inv.Notice(invoke.NoQueue, "queue_send is refused: "+why)
		return int64(status)
	case len(body) > limits.QueueBody || len(key) > limits.QueueKey || len(id) > limits.QueueKey:
		return int64(abi.Limit)
	case delay < 0 || !utf8.Valid(key) || !utf8.Valid(id):
		return int64(abi.Invalid)
	case delay > limits.QueueDelay:
		return int64(abi.Limit)
	}
	return to.put(inv, Message{Key: string(key), ID: string(id), Delay: delay, Body: body})
}

// box is a queue that gets messages of an attempt.
type box struct {
	part *store.Tx
	from string // the plugin that sends, if it is another; "" = the queue's own
	Declared
}

// receiver returns the queue of a name, which is that of a queue of the plugin, or an
// alias of [services], a slash and that of a queue there. Else it returns a status and why.
func receiver(inv *invoke.Invocation, name string) (to box, status abi.Status, why string) {
	alias, of, other := strings.Cut(name, "/")
	if other {
		return outside(inv, alias, of)
	}
	settings, declared := inv.Env.States.Of(Name).(Settings)
	if !declared || inv.Tx == nil || settings == nil {
		return to, abi.Denied, "the manifest has no queue; add a table like [queue.mail] to wasmoor.toml"
	}
	if to.Declared, why = settings.open("the manifest", name); why != "" {
		return to, abi.NotFound, why
	}
	to.part = queue.Part(inv.Tx, inv.Env.Space)
	return to, abi.OK, ""
}

// outside is receiver for a queue of another plugin.
func outside(inv *invoke.Invocation, alias, of string) (to box, status abi.Status, why string) {
	inv.Look(invoke.LookedAtOthers) // whether they serve, and have the queue
	may, _ := inv.Env.States.Of(service.Name).(*service.Services)
	plugin, why := may.Granted(alias)
	switch {
	case why != "":
		return to, abi.Denied, why
	case may.Find == nil || inv.Tx == nil:
		return to, abi.Unavailable, "there are no other plugins here"
	}
	found, err := may.Find(inv, plugin)
	if err != nil {
		return to, abi.Unavailable, fault.MessageOf(err)
	}
	if to.Declared, why = Of(found.Manifest).open("the manifest of "+plugin, of); why != "" {
		return to, abi.NotFound, why
	}
	to.part, to.from = queue.PartOf(inv.Tx, found.Space, found.Shared), inv.Env.Plugin
	return to, abi.OK, ""
}

// open returns a queue that handlers send to, or says why there is none.
func (s Settings) open(where, name string) (d Declared, why string) {
	d, ok := s.Find(name)
	switch {
	case !ok:
		return d, fmt.Sprintf("%s has no [queue.%.63s]", where, name)
	case d.Webhooks():
		return d, "webhook_send sends what goes into the queue " + queue.Webhooks + ", of the plugin itself"
	}
	return d, ""
}

// Message is what is put into a queue.
type Message struct {
	Key, ID string // "" = none
	Delay   int64  // milliseconds
	Body    []byte // only read
}

// Put has the attempt send a message to a queue of its own plugin, which is within the
// limits, and returns what the guest is told.
func Put(inv *invoke.Invocation, q *Declared, what Message) int64 {
	return (&box{part: queue.Part(inv.Tx, inv.Env.Space), Declared: *q}).put(inv, what)
}

func (to *box) put(inv *invoke.Invocation, what Message) int64 {
	index := to.part.Stamps() // of all its messages in the transaction, of whichever invocation
	if index >= limits.QueueSends {
		return int64(abi.Limit)
	}
	if !inv.Hold(sendCost + 2*len(what.Body)) {
		return int64(abi.Internal)
	}
	var nonce [4]byte
	inv.World().Random(nonce[:])
	m := queue.Message{
		Queue: to.Name, Key: what.Key, Nonce: binary.BigEndian.Uint32(nonce[:]), Sent: inv.Start.UnixMilli(), From: to.from, Body: what.Body,
	}
	if what.Delay > 0 {
		m.Due = m.Sent + min(what.Delay, math.MaxInt64-m.Sent)
	}
	dropped, err := queue.Send(to.part, uint16(index), &m, what.ID, to.Retention)
	switch {
	case err != nil:
		return refused(inv, err)
	case dropped:
		return abi.QueueRepeated
	}
	return int64(abi.OK)
}

// refused is the guest's status for an error of the transaction.
func refused(inv *invoke.Invocation, err error) int64 {
	switch fault.CodeOf(err) {
	case fault.TooLarge:
		return int64(abi.Limit)
	case fault.Conflict: // dispatch runs the handler again
		return int64(abi.Internal)
	}
	inv.Fail(err)
	return int64(abi.Internal)
}
