// Package queue is the messages of plugins in the store: how they are kept, what a
// transaction does with them, and in which order they are handled. It has no clock and
// runs nothing; package queue/delivery does. Package capability/queue sends.
//
// All of a plugin's queues share an area of its space (store.AreaQueue), which is
// counted apart:
//
//	"m" ID              a message that waits, or is being handled
//	"x" queue "\x00" ID a dead letter, until its retention is over
//	"d" queue "\x00" From "\x00" id
//	                    an id that a sender gave, for as long: it drops its repeats
//	"p" queue           the queue is paused
//
// The first 8 bytes of an ID are the revision of the commit that sent the message. So
// messages lie in the order in which they were sent, new ones after all that anybody
// has seen, and whoever looks for them passes none that is gone.
package queue

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Bounds of what the queues of a plugin hold, all together: messages, dead letters and
// ids of senders, and their bytes. Each message that waits takes some 200 bytes of
// the host's memory.
const (
	MaxHeld      = 100_000
	MaxHeldBytes = 256 << 20
)

// MaxDeadline bounds how long a message may be handled.
const MaxDeadline = 15 * time.Minute

// Queue is what a manifest says of a queue.
type Queue struct {
	Name        string
	Attempts    int              // runs that may fail
	Backoff     [2]time.Duration // before the second attempt, and at most
	Concurrency int              // messages that are handled at a time
	Retention   time.Duration    // of dead letters, and of ids of senders
	Deadline    time.Duration    // 0 = the route's
	AtMostOnce  bool             // no message is begun twice
}

// ID names a message within its plugin, for ever. IDs sort by the order of sending.
type ID [idSize]byte

const idSize = 8 + 2

// NewID returns the ID of message number index of the commit with a revision.
func NewID(sent store.Revision, index uint16) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(sent))
	binary.BigEndian.PutUint16(id[8:], index)
	return id
}

// String returns the ID as people write it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Sent returns the revision of the commit that sent the message.
func (id ID) Sent() store.Revision { return store.Revision(binary.BigEndian.Uint64(id[:8])) }

// ParseID reads what String wrote, or what Message.Public returned.
func ParseID(text string) (id ID, err error) {
	text, _, _ = strings.Cut(text, "-")
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != idSize {
		return id, fault.New(fault.Invalid, "", fmt.Sprintf("%.64q is not the id of a message; list them with: wasmoor queue peek NAME QUEUE", text))
	}
	return ID(b), nil
}

// Message is a message in the store.
type Message struct {
	Queue    string
	Key      string // messages that share one are handled in order; "" = none
	Nonce    uint32 // random, so that an id is not used again after a restore
	Sent     int64  // Unix milliseconds
	Due      int64  // not handled before then, Unix milliseconds
	Attempts int    // that have failed
	Started  bool   // it has been begun, where that happens once only
	Problem  string // with which the last attempt failed; "" = none has
	From     string // the plugin that sent it; "" = its own, or an operator
	Body     []byte
}

// Public returns the id that the handler passes on.
func (m *Message) Public(id ID) string { return fmt.Sprintf("%s-%08x", id, m.Nonce) }

// Chain names the messages that are handled in order with m: those of its sender that
// share its key. "" = none.
func (m *Message) Chain() string {
	if m.Key == "" {
		return ""
	}
	return m.From + "\x00" + m.Key
}

// maxProblem bounds Problem, in bytes.
const maxProblem = 300

const version = 1

const (
	flagStarted = 1 << iota
	flagFrom
)

// append appends the encoding of m:
//
//	u8       version, 1; u8 flags, 1 = Started, 2 = there is From
//	u32      Nonce, big-endian
//	uvarint  Attempts, varint Sent, varint Due
//	bytes    Queue, Key, Problem, From if it is there: a uvarint length and the bytes
//	         Body, to the end
func (m *Message) append(b []byte) []byte {
	flags := byte(0)
	if m.Started {
		flags = flagStarted
	}
	if m.From != "" {
		flags |= flagFrom
	}
	b = binary.BigEndian.AppendUint32(append(b, version, flags), m.Nonce)
	b = binary.AppendUvarint(b, uint64(m.Attempts))
	b = binary.AppendVarint(binary.AppendVarint(b, m.Sent), m.Due)
	for _, s := range []string{m.Queue, m.Key, m.Problem[:min(len(m.Problem), maxProblem)]} {
		b = appendString(b, s)
	}
	if m.From != "" {
		b = appendString(b, m.From)
	}
	return append(b, m.Body...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads what append wrote, sharing the memory of b for Body.
func decode(b []byte) (m Message, err error) {
	d := reader{b: b}
	if d.byte() != version {
		return m, errDamaged
	}
	flags := d.byte()
	m.Started = flags&flagStarted != 0
	m.Nonce = d.u32()
	m.Attempts = int(d.uvarint())
	m.Sent, m.Due = d.varint(), d.varint()
	m.Queue, m.Key, m.Problem = d.string(), d.string(), d.string()
	if flags&flagFrom != 0 {
		m.From = d.string()
	}
	m.Body = d.b
	if d.bad {
		return Message{}, errDamaged
	}
	return m, nil
}

var errDamaged = fault.New(fault.Internal, "queue", "a message is malformed; the data directory is damaged")

// reader takes values off the front of b. Once something is bad, all that follows
// is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.bad = true
		return
	}
	r.take(n)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > limits.QueueBody {
		r.bad = true
		return ""
	}
	return string(r.take(int(n)))
}

// Kinds of keys in the area.
const (
	kindMessage = 'm'
	kindDead    = 'x'
	kindSeen    = 'd'
	kindPause   = 'p'
)

// Messages is what the keys of messages begin with.
func Messages() []byte { return []byte{kindMessage} }

// MessageKey returns the key of a message.
func MessageKey(id ID) []byte { return append([]byte{kindMessage}, id[:]...) }

// IDOf returns the message of a key.
func IDOf(key []byte) (id ID, ok bool) {
	if len(key) != 1+idSize || key[0] != kindMessage {
		return id, false
	}
	return ID(key[1:]), true
}

func deadKey(queue string, id ID) []byte { return append(under(kindDead, queue), id[:]...) }

// under returns what the keys of a kind begin with in a queue.
func under(kind byte, queue string) []byte {
	return append(append([]byte{kind}, queue...), 0)
}

func pauseKey(queue string) []byte { return append([]byte{kindPause}, queue...) }

// Part returns the part of a transaction that is the queues of a space.
func Part(tx *store.Tx, space store.Space) *store.Tx { return PartOf(tx, space, nil) }

// PartOf is Part, of a space that shares something with others.
func PartOf(tx *store.Tx, space store.Space, shared *store.Shared) *store.Tx {
	return tx.Part(space.In(store.AreaQueue), store.Quota{Keys: MaxHeld, Bytes: MaxHeldBytes, Shared: shared})
}
