package capability

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// ListFlags are the flags of a list.
const ListFlags = abi.ListReverse | abi.ListKeysOnly | abi.ListSnapshot

// Query asks for one entry more than the guest does: it tells whether there are
// more.
func Query(prefix, after []byte, count, flags uint32) store.Query {
	q := store.Query{Prefix: prefix, Reverse: flags&abi.ListReverse != 0, Untracked: flags&abi.ListSnapshot != 0}
	if len(after) > 0 {
		q.After = after
	}
	if count > 0 {
		q.Limit = int(count) + 1
	}
	return q
}

// Page collects whole entries apart from guest memory: prefix and cursor lie
// there while they are in use, the guest may have let them overlap the buffer,
// and a list that fails half-way must have written nothing.
type Page struct {
	bytes    []byte
	room     int    // most bytes of a page
	limit    uint32 // most entries; 0 = no limit
	keysOnly bool
	count    uint32
	more     bool
	needed   int // size of a page of one entry that does not fit; 0 = it does
}

// NewPage returns an empty page of at most count entries, 0 = as many as fit into room
// bytes.
func NewPage(room int, count, flags uint32) *Page {
	return &Page{bytes: abi.AppendPageHeader(nil, 0, false), room: room, limit: count, keysOnly: flags&abi.ListKeysOnly != 0}
}

// Add appends an entry, and reports whether there may be another.
func (p *Page) Add(key, value []byte) bool {
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

// Finish copies the page to buf if it fits and returns its size.
func (p *Page) Finish(buf []byte) int64 {
	if p.needed > 0 {
		return int64(p.needed)
	}
	abi.AppendPageHeader(p.bytes[:0], p.count, p.more)
	return Fill(buf, p.bytes)
}

func entrySize(e abi.Entry, keysOnly bool) int {
	const length = 4
	if keysOnly {
		return length + len(e.Key)
	}
	return length + len(e.Key) + length + len(e.Value)
}
