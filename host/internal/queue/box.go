package queue

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// The functions below act on a Part. What they return and take is the caller's.

// Send has the commit keep m, as message number index of the transaction. An id of
// the sender's, "" = none, drops m if another with it was sent within keep, and
// reports that.
func Send(part *store.Tx, index uint16, m *Message, id string, keep time.Duration) (dropped bool, err error) {
	if id != "" {
		seen := append(append(under(kindSeen, m.Queue), m.From...), 0)
		seen = append(seen, id...)
		if _, dropped, err = part.Get(seen); dropped || err != nil {
			return dropped, err
		}
		if err := part.Set(seen, nil, keep); err != nil {
			return false, err
		}
	}
	key := append([]byte{kindMessage}, make([]byte, idSize)...)
	binary.BigEndian.PutUint16(key[1+8:], index)
	return false, part.SetStamped(key, m.append(nil), 1, abi.NoVersionstamp, 0)
}

// Get returns a message that waits or is being handled. That it is there, or not, is
// a read of the transaction.
func Get(part *store.Tx, id ID) (Message, bool, error) {
	data, ok, err := part.Get(MessageKey(id))
	if !ok || err != nil {
		return Message{}, false, err
	}
	m, err := decode(bytes.Clone(data))
	return m, err == nil, err
}

// Read is Get in a snapshot.
func Read(snap store.Snapshot, space store.Space, id ID) (Message, bool, error) {
	return read(snap, space, MessageKey(id))
}

// ReadDead is Read of a dead letter of a queue.
func ReadDead(snap store.Snapshot, space store.Space, queue string, id ID) (Message, bool, error) {
	return read(snap, space, deadKey(queue, id))
}

func read(snap store.Snapshot, space store.Space, key []byte) (Message, bool, error) {
	v, ok, err := snap.Get(space.In(store.AreaQueue), key)
	if !ok || err != nil {
		return Message{}, false, err
	}
	m, err := decode(bytes.Clone(v.Data))
	return m, err == nil, err
}

// Done has the commit forget a message that was handled.
func Done(part *store.Tx, id ID) error { return part.Delete(MessageKey(id)) }

// Put has the commit keep what has changed of a message.
func Put(part *store.Tx, id ID, m *Message) error { return part.Set(MessageKey(id), m.append(nil), 0) }

// Bury has the commit make a dead letter of a message, for so long.
func Bury(part *store.Tx, id ID, m *Message, keep time.Duration) error {
	if err := part.Delete(MessageKey(id)); err != nil {
		return err
	}
	return part.Set(deadKey(m.Queue, id), m.append(nil), keep)
}

// Revive has the commit make a message of a dead letter again, as if it had never
// been tried. It keeps its id, and with that its place.
func Revive(part *store.Tx, queue string, id ID) (m Message, ok bool, err error) {
	data, ok, err := part.Get(deadKey(queue, id))
	if !ok || err != nil {
		return m, false, err
	}
	if m, err = decode(bytes.Clone(data)); err != nil {
		return m, false, err
	}
	m.Attempts, m.Due, m.Started = 0, 0, false
	if err := part.Delete(deadKey(queue, id)); err != nil {
		return m, false, err
	}
	return m, true, Put(part, id, &m)
}

// Forget has the commit delete a dead letter.
func Forget(part *store.Tx, queue string, id ID) error { return part.Delete(deadKey(queue, id)) }

// Pause has the commit keep a queue from being handled, or let it go on, and reports
// whether that changes anything.
func Pause(part *store.Tx, queue string, paused bool) (changed bool, err error) {
	_, is, err := part.Get(pauseKey(queue))
	switch {
	case err != nil || is == paused:
		return false, err
	case paused:
		return true, part.Set(pauseKey(queue), nil, 0)
	}
	return true, part.Delete(pauseKey(queue))
}

// Paused returns which queues of a space are paused.
func Paused(snap store.Snapshot, space store.Space) (map[string]bool, error) {
	paused := map[string]bool{}
	err := snap.Scan(space.In(store.AreaQueue), []byte{kindPause}, []byte{kindPause + 1}, false, func(key []byte, _ store.Value) bool {
		paused[string(key[1:])] = true
		return true
	})
	return paused, err
}

// Scan calls yield for the messages of a space after one, the zero ID before all, in
// order, until it returns false. Body is valid within the call.
func Scan(snap store.Snapshot, space store.Space, after ID, yield func(ID, *Message) bool) error {
	from := append(MessageKey(after), 0)
	return scan(snap, space, from, []byte{kindMessage + 1}, time.Time{}, yield)
}

// Dead is Scan for the dead letters of a queue that are not over at now.
func Dead(snap store.Snapshot, space store.Space, queue string, after ID, now time.Time, yield func(ID, *Message) bool) error {
	end := under(kindDead, queue)
	end[len(end)-1] = 1
	return scan(snap, space, append(deadKey(queue, after), 0), end, now, yield)
}

// CountDead returns how many dead letters each queue of a space has at now.
func CountDead(snap store.Snapshot, space store.Space, now time.Time) (map[string]int, error) {
	count := map[string]int{}
	err := snap.Scan(space.In(store.AreaQueue), []byte{kindDead}, []byte{kindDead + 1}, false, func(key []byte, v store.Value) bool {
		if i := bytes.IndexByte(key, 0); i > 0 && !v.ExpiredAt(now) {
			count[string(key[1:i])]++
		}
		return true
	})
	return count, err
}

func scan(snap store.Snapshot, space store.Space, from, to []byte, now time.Time, yield func(ID, *Message) bool) error {
	var bad error
	err := snap.Scan(space.In(store.AreaQueue), from, to, false, func(key []byte, v store.Value) bool {
		if len(key) < idSize || v.ExpiredAt(now) {
			return true
		}
		var m Message
		if m, bad = decode(v.Data); bad != nil {
			return false
		}
		return yield(ID(key[len(key)-idSize:]), &m)
	})
	if err == nil {
		err = bad
	}
	return err
}
