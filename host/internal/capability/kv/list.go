package kv

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func list(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	prefix, okPrefix := mem.Range(args[0], args[1])
	after, okAfter := mem.Range(args[2], args[3])
	count, flags := uint32(args[4]), uint32(args[5])
	buf, okBuf := mem.Range(args[6], args[7])
	switch {
	case !okPrefix || !okAfter || !okBuf:
		return int64(abi.BadPointer)
	case !inv.Env.KV || inv.Tx == nil:
		return int64(denied(inv))
	case flags&^(abi.ListReverse|abi.ListKeysOnly|abi.ListSnapshot) != 0:
		return int64(abi.Invalid)
	}
	p := page{room: len(buf), limit: count, keysOnly: flags&abi.ListKeysOnly != 0}
	p.bytes = abi.AppendPageHeader(nil, 0, false)
	if err := inv.Tx.List(query(prefix, after, count, flags), p.add); err != nil {
		return refused(inv, err)
	}
	return p.finish(buf)
}

// query asks for one entry more than the guest does: it tells whether there are
// more.
func query(prefix, after []byte, count, flags uint32) store.Query {
	q := store.Query{Prefix: prefix, Reverse: flags&abi.ListReverse != 0, Untracked: flags&abi.ListSnapshot != 0}
	if len(after) > 0 {
		q.After = after
	}
	if count > 0 {
		q.Limit = int(count) + 1
	}
	return q
}

// page collects whole entries apart from guest memory: prefix and cursor lie
// there while they are in use, the guest may have let them overlap the buffer,
// and a list that fails half-way must have written nothing.
type page struct {
	bytes    []byte
	room     int    // most bytes of a page
	limit    uint32 // most entries; 0 = no limit
	keysOnly bool
	count    uint32
	more     bool
	needed   int // size of a page of one entry that does not fit; 0 = it does
}

func (p *page) add(key, value []byte) bool {
	entry := abi.Entry{Key: key, Value: value}
	size := len(p.bytes) + entrySize(entry, p.keysOnly)
	switch {
	case p.limit > 0 && p.count == p.limit:
		p.more = true
		return false
	case size > p.room && p.count == 0:
		p.needed = size
		return false
	case size > p.room:
		p.more = true
		return false
	}
	p.bytes = abi.AppendEntry(p.bytes, entry, p.keysOnly)
	p.count++
	return true
}

// finish copies the page to buf if it fits and returns its size.
func (p *page) finish(buf []byte) int64 {
	if p.needed > 0 {
		return int64(p.needed)
	}
	abi.AppendPageHeader(p.bytes[:0], p.count, p.more)
	return capability.Fill(buf, p.bytes)
}

func entrySize(e abi.Entry, keysOnly bool) int {
	const length = 4
	if keysOnly {
		return length + len(e.Key)
	}
	return length + len(e.Key) + length + len(e.Value)
}
