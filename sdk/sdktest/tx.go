package sdktest

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
)

type opKind int

const (
	opSet opKind = iota
	opDelete
	opAdd
)

// op is the net effect of a transaction on a key.
type op struct {
	kind  opKind
	value value
	delta int64
	at    int64 // offset of the versionstamp in the value; -1 = none
}

// apply returns the value that o makes of the stored v, which counts as absent
// once it has expired. An add keeps the expiry.
func (o op) apply(v value, now time.Time) (value, bool) {
	if o.kind != opAdd {
		return o.value, true
	}
	if !v.live(now) {
		v = value{}
	}
	n, ok := counter(v.data)
	if !ok {
		return v, false
	}
	n, ok = sum(n, o.delta)
	return value{data: counterValue(n), expires: v.expires}, ok
}

// span is an interval of keys, [from, to); to is the end if open.
type span struct {
	from, to string
	open     bool
}

func (s span) contains(key string) bool { return key >= s.from && (s.open || key < s.to) }

// tx is one attempt's view of the store.
type tx struct {
	snapshot map[string]value
	revision int
	now      time.Time
	writes   map[string]op
	stamped  []stampedOp
	messages []*Message // that are sent
	said     []said     // on sockets
	bytes    int
	read     map[string]bool
	ranges   []span
	names    *tx // of blobs; nil = it is of names itself
}

// isEmpty reports whether there is nothing to commit.
func (t *tx) isEmpty() bool {
	return len(t.writes)+len(t.stamped)+len(t.messages) == 0 && (t.names == nil || t.names.isEmpty())
}

// depends reports whether a change of key makes what was read untrue.
func (t *tx) depends(key string) bool {
	return t.read[key] || slices.ContainsFunc(t.ranges, func(s span) bool { return s.contains(key) })
}

// stampedOp is a write whose key has a versionstamp at an offset.
type stampedOp struct {
	op
	key   string // zero bytes where the stamp will be
	keyAt int64
}

// stamp returns s with a revision at an offset; -1 = nowhere.
func stamp[T string | []byte](s T, at int64, revision uint64) T {
	if at == abi.NoVersionstamp {
		return s
	}
	b := []byte(s)
	return T(slices.Concat(b[:at], binary.BigEndian.AppendUint64(nil, revision), b[at+abi.VersionstampSize:]))
}

// holdsStamp reports whether a versionstamp lies within n bytes, or is nowhere.
func holdsStamp(at int64, n int) bool {
	return at == abi.NoVersionstamp || at >= 0 && at <= int64(n)-abi.VersionstampSize
}

// get returns key as the transaction sees it, its own writes included.
func (t *tx) get(key string) ([]byte, abi.Status) {
	if o, ok := t.writes[key]; !ok || o.kind == opAdd {
		t.read[key] = true
	}
	return t.see(key)
}

func (t *tx) see(key string) ([]byte, abi.Status) {
	o, own := t.writes[key]
	if own && o.kind == opDelete {
		return nil, abi.NotFound
	}
	stored, ok := t.snapshot[key]
	if !own {
		if !ok || !stored.live(t.now) {
			return nil, abi.NotFound
		}
		return stored.data, abi.OK
	}
	v, ok := o.apply(stored, t.now)
	if !ok {
		return nil, abi.WrongType
	}
	return v.data, abi.OK
}

func (t *tx) set(key string, data []byte, ttl time.Duration) abi.Status {
	v := value{data: append([]byte{}, data...), expires: expiry(t.now, ttl)}
	return t.put(key, op{kind: opSet, value: v, at: abi.NoVersionstamp})
}

func (t *tx) setStamped(key string, data []byte, keyAt, at int64, ttl time.Duration) abi.Status {
	o := op{kind: opSet, value: value{data: append([]byte{}, data...), expires: expiry(t.now, ttl)}, at: at}
	if keyAt == abi.NoVersionstamp {
		return t.put(key, o)
	}
	s := stampedOp{op: o, key: stamp(key, keyAt, 0), keyAt: keyAt}
	i := slices.IndexFunc(t.stamped, func(other stampedOp) bool { return other.key == s.key && other.keyAt == keyAt })
	size := t.bytes + cost(key, o)
	if i >= 0 {
		size -= cost(key, t.stamped[i].op)
	}
	if size > limits.EffectBytes || i < 0 && (len(t.stamped) >= limits.Stamped || t.full()) {
		return abi.Limit
	}
	t.bytes = size
	if i >= 0 {
		t.stamped[i] = s
	} else {
		t.stamped = append(t.stamped, s)
	}
	return abi.OK
}

// full reports whether no more keys may be written.
func (t *tx) full() bool { return len(t.writes)+len(t.stamped) >= limits.Effects }

func (t *tx) add(key string, delta int64) abi.Status {
	own, ok := t.writes[key]
	switch {
	case !ok:
		return t.put(key, op{kind: opAdd, delta: delta, at: abi.NoVersionstamp})
	case own.kind == opAdd:
		own.delta, ok = sum(own.delta, delta)
	case own.kind == opDelete:
		own = op{kind: opSet, value: value{data: counterValue(delta)}, at: abi.NoVersionstamp}
	case own.at != abi.NoVersionstamp:
		ok = false // the value is not known yet
	default:
		own.value, ok = op{kind: opAdd, delta: delta, at: abi.NoVersionstamp}.apply(own.value, t.now)
	}
	if !ok {
		return abi.WrongType
	}
	return t.put(key, own)
}

func (t *tx) put(key string, o op) abi.Status {
	old, found := t.writes[key]
	size := t.bytes + cost(key, o)
	if found {
		size -= cost(key, old)
	}
	if size > limits.EffectBytes || !found && t.full() {
		return abi.Limit
	}
	t.bytes = size
	t.writes[key] = o
	return abi.OK
}

func cost(key string, o op) int {
	if o.kind == opAdd {
		return len(key) + abi.CounterSize
	}
	return len(key) + len(o.value.data)
}

// list fills buf with entries until limit or buf is full.
func (t *tx) list(prefix, after string, limit int, flags uint32, buf []byte) int64 {
	reverse, keysOnly := flags&abi.ListReverse != 0, flags&abi.ListKeysOnly != 0
	var entries []byte
	count, last, more := 0, "", false
	for _, key := range t.keys(prefix, after, reverse) {
		data, status := t.see(key)
		if status == abi.NotFound {
			continue
		}
		if status < 0 {
			return int64(status)
		}
		if t.names == nil {
			data = []byte(abi.NewReader(string(data)).String()) // without the bytes of the blob
		}
		entry := abi.AppendEntry(nil, abi.Entry{Key: []byte(key), Value: data}, keysOnly)
		size := abi.PageHeaderSize + len(entries) + len(entry)
		if more = count == limit && limit > 0 || size > len(buf); more {
			if count == 0 {
				return int64(size)
			}
			break
		}
		entries = append(entries, entry...)
		count, last = count+1, key
	}
	if flags&abi.ListSnapshot == 0 {
		t.scanned(prefix, after, last, reverse, more)
	}
	page := append(abi.AppendPageHeader(nil, uint32(count), more), entries...)
	if len(page) <= len(buf) {
		copy(buf, page)
	}
	return int64(len(page))
}

// keys returns the keys of the snapshot and of the own writes that a list walks.
func (t *tx) keys(prefix, after string, reverse bool) []string {
	var keys []string
	add := func(key string) {
		if !strings.HasPrefix(key, prefix) {
			return
		}
		if after == "" || !reverse && key > after || reverse && key < after {
			keys = append(keys, key)
		}
	}
	for key := range t.snapshot {
		add(key)
	}
	for key := range t.writes {
		add(key)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}

// scanned makes the walked part of a prefix a dependency.
func (t *tx) scanned(prefix, after, last string, reverse, more bool) {
	s := prefixSpan(prefix)
	switch {
	case after == "":
	case reverse:
		s.to, s.open = after, false
	case after >= s.from:
		s.from = after + "\x00"
	}
	switch {
	case !more:
	case reverse:
		s.from = last
	default:
		s.to, s.open = last+"\x00", false
	}
	t.ranges = append(t.ranges, s)
}

func prefixSpan(prefix string) span {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return span{from: prefix, to: string(end[:i+1])}
		}
	}
	return span{from: prefix, open: true}
}
