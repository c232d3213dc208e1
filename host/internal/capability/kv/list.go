package kv

import (
	"bytes"

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
	case inv.Tx == nil:
		return int64(abi.Denied)
	case flags&^(abi.ListReverse|abi.ListKeysOnly) != 0:
		return int64(abi.Invalid)
	case len(prefix) > store.MaxKey || len(after) > store.MaxKey:
		return int64(abi.Limit)
	}
	p := page{buf: buf, limit: count, keysOnly: flags&abi.ListKeysOnly != 0}
	p.size = abi.PageHeaderSize
	if err := inv.Tx.List(query(prefix, after, count, flags), p.add); err != nil {
		return refused(inv, err)
	}
	return p.finish()
}

// query copies prefix and after: the page is written to guest memory while they
// are in use, and the guest may have let them overlap. One entry more than
// asked for tells whether there are more.
func query(prefix, after []byte, count, flags uint32) store.Query {
	q := store.Query{Prefix: bytes.Clone(prefix), Reverse: flags&abi.ListReverse != 0}
	if len(after) > 0 {
		q.After = bytes.Clone(after)
	}
	if count > 0 {
		q.Limit = int(count) + 1
	}
	return q
}

// page fills a guest's buffer with whole entries.
type page struct {
	buf      []byte
	limit    uint32 // 0 = none
	keysOnly bool
	count    uint32
	size     int // of the page so far, or of a page of one entry that does not fit
	more     bool
}

func (p *page) add(key, value []byte) bool {
	if p.limit > 0 && p.count == p.limit {
		p.more = true
		return false
	}
	entry := abi.Entry{Key: key, Value: value}
	size := p.size + entrySize(entry, p.keysOnly)
	if size > len(p.buf) {
		p.more = true
		if p.count == 0 {
			p.size = size
		}
		return false
	}
	abi.AppendEntry(p.buf[:p.size], entry, p.keysOnly)
	p.size = size
	p.count++
	return true
}

// finish writes the header when the page holds an entry or is empty and fits.
func (p *page) finish() int64 {
	if p.size <= len(p.buf) {
		abi.AppendPageHeader(p.buf[:0], p.count, p.more)
	}
	return int64(p.size)
}

func entrySize(e abi.Entry, keysOnly bool) int {
	const length = 4
	if keysOnly {
		return length + len(e.Key)
	}
	return length + len(e.Key) + length + len(e.Value)
}
