// Package socket is what handlers say on sockets, before and after it leaves the
// process: the effects of an attempt, and the events of a topic that are kept. It runs
// nothing. Package capability/socket collects effects; package socket/hub delivers them.
//
// Events are kept in an area of the plugin's space (store.AreaTopics):
//
//	"e" topic "\x00" ID  an event
//	"f" topic "\x00"     the ID of the last event of the topic that was removed
//
// The first 8 bytes of an ID are the revision of the commit that published the event, so
// events lie in the order in which they were published.
package socket

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Kind is what an effect does.
type Kind uint8

// The kinds.
const (
	Send     Kind = iota // Data to Socket
	Close                // Socket, with Code and Name, the reason
	Follow               // Topic, by Socket
	Unfollow             // Topic, by Socket
	Attach               // Data to Socket, for its later events
	Publish              // Data to those that follow Topic
)

// Effect is one thing that a handler does on sockets.
type Effect struct {
	Kind   Kind
	Socket string
	Topic  string
	Name   string // of an event, or the reason of a Close
	Code   int
	Text   bool // else binary
	Data   []byte
	Index  uint16 // of a Publish that is kept, among those of its commit
	Kept   bool   // of a Publish: the commit keeps it
}

// ID names an event within its plugin. The zero ID is before all.
type ID struct {
	Revision store.Revision
	Index    uint16
}

// String returns the ID as clients see it.
func (id ID) String() string {
	return strconv.FormatUint(uint64(id.Revision), 10) + "-" + strconv.Itoa(int(id.Index))
}

// ParseID reads what String wrote, no other form.
func ParseID(text string) (id ID, ok bool) {
	revision, index, ok := strings.Cut(text, "-")
	r, err1 := strconv.ParseUint(revision, 10, 64)
	i, err2 := strconv.ParseUint(index, 10, 16)
	id = ID{store.Revision(r), uint16(i)}
	return id, ok && err1 == nil && err2 == nil && id.String() == text
}

// Before reports whether an event is older than another.
func (id ID) Before(other ID) bool {
	return id.Revision < other.Revision || id.Revision == other.Revision && id.Index < other.Index
}

// CheckTopic returns abi.OK for the name of a topic: UTF-8 without control characters.
func CheckTopic(name string) abi.Status {
	switch {
	case len(name) > limits.Topic:
		return abi.Limit
	case name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return abi.Invalid
	}
	return abi.OK
}

// Kept is how long the events of topics are kept.
type Kept struct {
	Topic  string // its name; or what names begin with, where Prefix is set
	Prefix bool
	Events int
	Age    time.Duration
}

// Covers reports whether it is about a topic.
func (k *Kept) Covers(topic string) bool {
	return k.Topic == topic || k.Prefix && strings.HasPrefix(topic, k.Topic)
}

// Event is one that is kept.
type Event struct {
	Name string
	Text bool
	Sent int64 // Unix milliseconds
	Data []byte
}

const idSize = 8 + 2

const (
	kindEvent = 'e'
	kindFloor = 'f'
)

const version = 1

func under(kind byte, topic string) []byte {
	return append(append([]byte{kind}, topic...), 0)
}

func (id ID) append(b []byte) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(b, uint64(id.Revision)), id.Index)
}

func idOf(b []byte) ID {
	return ID{store.Revision(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint16(b[8:])}
}

// append appends the encoding of e:
//
//	u8       version, 1; u8 flags, 1 = Text
//	varint   Sent
//	bytes    Name: a uvarint length and the bytes
//	         Data, to the end
func (e *Event) append(b []byte) []byte {
	flags := byte(0)
	if e.Text {
		flags = 1
	}
	b = binary.AppendVarint(append(b, version, flags), e.Sent)
	b = append(binary.AppendUvarint(b, uint64(len(e.Name))), e.Name...)
	return append(b, e.Data...)
}

var errDamaged = fault.New(fault.Internal, "topic", "an event is malformed; the data directory is damaged")

// decode reads what append wrote, and shares its memory.
func decode(b []byte) (e Event, err error) {
	if len(b) < 2 || b[0] != version {
		return e, errDamaged
	}
	e.Text = b[1] == 1
	sent, n := binary.Varint(b[2:])
	if n <= 0 {
		return e, errDamaged
	}
	b = b[2+n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return e, errDamaged
	}
	e.Sent, e.Name, e.Data = sent, string(b[n:n+int(size)]), b[n+int(size):]
	return e, nil
}

// Part returns the part of a transaction that is the events of a space.
func Part(tx *store.Tx, space store.Space) *store.Tx {
	return tx.Part(space.In(store.AreaTopics), store.Quota{})
}

// Keep has the commit keep an event, as number index of its publications.
func Keep(part *store.Tx, topic string, index uint16, e *Event) error {
	key := under(kindEvent, topic)
	at := len(key)
	key = binary.BigEndian.AppendUint16(append(key, make([]byte, 8)...), index)
	return part.SetStamped(key, e.append(nil), int64(at), abi.NoVersionstamp, 0)
}

// Read calls yield for the events of a topic that are kept and newer than after, in
// order, until it returns false. What it passes is the callee's. complete says that none
// of them was removed.
func Read(snap store.Snapshot, space store.Space, topic string, after ID, yield func(ID, Event) bool) (complete bool, err error) {
	floor, ok, err := snap.Get(space.In(store.AreaTopics), under(kindFloor, topic))
	if err != nil {
		return false, err
	}
	complete = !ok || len(floor.Data) != idSize || !after.Before(idOf(floor.Data))
	var bad error
	from := append(after.append(under(kindEvent, topic)), 0)
	err = snap.Scan(space.In(store.AreaTopics), from, end(topic), false, func(key []byte, v store.Value) bool {
		var e Event
		if e, bad = decode(bytes.Clone(v.Data)); bad != nil || len(key) < idSize {
			return false
		}
		return yield(idOf(key[len(key)-idSize:]), e)
	})
	if err == nil {
		err = bad
	}
	return complete, err
}

// end is after all events of a topic.
func end(topic string) []byte {
	b := under(kindEvent, topic)
	b[len(b)-1] = 1
	return b
}

// Old returns the events of a topic that were published before a time, the oldest first,
// at most most of them.
func Old(snap store.Snapshot, space store.Space, topic string, before time.Time, most int) (old []ID, err error) {
	err = snap.Scan(space.In(store.AreaTopics), under(kindEvent, topic), end(topic), false, func(key []byte, v store.Value) bool {
		if e, bad := decode(v.Data); bad == nil && e.Sent >= before.UnixMilli() || len(old) == most {
			return false
		}
		old = append(old, idOf(key[len(key)-idSize:]))
		return true
	})
	return old, err
}

// Excess returns the events of a topic that are older than the newest keep, the oldest
// first, at most most of them.
func Excess(snap store.Snapshot, space store.Space, topic string, keep, most int) (old []ID, err error) {
	n := 0
	err = snap.Scan(space.In(store.AreaTopics), under(kindEvent, topic), end(topic), true, func(key []byte, _ store.Value) bool {
		if n++; n > keep {
			old = append(old, idOf(key[len(key)-idSize:]))
		}
		return true
	})
	slices.Reverse(old)
	return old[:min(len(old), most)], err
}

// floorAge is for how long a topic remembers which events were removed. Whoever comes
// back later than that is not told that some are missing.
const floorAge = 30 * 24 * time.Hour

// Forget has the commit remove events of a topic, which are in order.
func Forget(part *store.Tx, topic string, old []ID) error {
	for _, id := range old {
		if err := part.Delete(id.append(under(kindEvent, topic))); err != nil {
			return err
		}
	}
	return part.Set(under(kindFloor, topic), old[len(old)-1].append(nil), floorAge)
}

// Topics calls yield for each topic of which events are kept.
func Topics(snap store.Snapshot, space store.Space, yield func(topic string) bool) error {
	from := []byte{kindEvent}
	for {
		topic, found := "", false
		err := snap.Scan(space.In(store.AreaTopics), from, []byte{kindEvent + 1}, false, func(key []byte, _ store.Value) bool {
			if len(key) > 2+idSize {
				topic, found = string(key[1:len(key)-idSize-1]), true
			}
			return false
		})
		if err != nil || !found || !yield(topic) {
			return err
		}
		from = end(topic)
	}
}
