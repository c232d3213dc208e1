package kv

import (
	"iter"
	"unsafe"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Query says which keys to list.
type Query struct {
	Prefix string // of the keys; "" lists all
	// After is the cursor: the listing starts with the first key after it, in
	// the direction of the listing. "" starts at the beginning.
	After    string
	Limit    int  // how many entries at most; 0 = no bound
	Reverse  bool // from the highest key down
	KeysOnly bool // leave the values out: cheaper
	// Snapshot makes the request depend on nothing that is listed, as GetSnapshot
	// does: a change there by another request is no conflict.
	Snapshot bool
}

// Entry is a key and its value, nil if the query asked for keys only.
type Entry struct {
	Key   string
	Value []byte
}

// Bounds of one call. The first page goes through the small buffer every read
// shares, which is enough for most listings; the pages after it are larger.
const (
	pageBytes   = 16 << 10
	pageEntries = 1000
)

// List returns the entries q asks for, and whether there are more after them;
// then the last entry's key is the After of the next query. The caller may keep
// and change the entries. What was scanned is part of what the request has
// read: a key that another request adds to it meanwhile is a conflict.
func List(q Query) (entries []Entry, more bool, err error) {
	for page, err := range pages(q) {
		if err != nil {
			return nil, false, err
		}
		entries, more = append(entries, page.entries...), page.more
	}
	return entries, more, nil
}

// All ranges over the entries of q, reading page after page as it goes. An
// error ends it.
//
//	for entry, err := range kv.All(kv.Query{Prefix: "entry/"}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func All(q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for page, err := range pages(q) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, entry := range page.entries {
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// page is the result of one call; more is about the keys after it.
type page struct {
	entries []Entry
	more    bool
}

// pages ranges over the pages of q until its limit or the end of its keys.
func pages(q Query) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		left := q.Limit
		for read := readFirst; ; read = readNext {
			p, err := readPage(q, left, read)
			if !yield(p, err) || err != nil || !p.more {
				return
			}
			if left -= len(p.entries); q.Limit > 0 && left <= 0 {
				return
			}
			q.After = p.entries[len(p.entries)-1].Key
		}
	}
}

// reader gets the bytes of one page, which belong to it alone.
type reader func(call func(buf []byte) int64) ([]byte, abi.Status)

func readFirst(call func(buf []byte) int64) ([]byte, abi.Status) {
	return hostcall.Read(call)
}

func readNext(call func(buf []byte) int64) ([]byte, abi.Status) {
	return hostcall.ReadTo(make([]byte, pageBytes), call)
}

func readPage(q Query, left int, read reader) (page, error) {
	limit := uint32(pageEntries)
	if q.Limit > 0 {
		limit = uint32(min(left, pageEntries))
	}
	b, status := read(func(buf []byte) int64 {
		return hostcall.KVList(q.Prefix, q.After, limit, q.flags(), buf)
	})
	if status < 0 {
		return page{}, &Error{Op: "list", Key: q.Prefix, Status: status}
	}
	p, ok := decodePage(b, q.KeysOnly)
	if !ok || p.more && len(p.entries) == 0 {
		return page{}, &Error{Op: "list", Key: q.Prefix, Status: abi.Internal}
	}
	return p, nil
}

// decodePage reads a page whose entries are parts of b, so that a page costs one
// allocation however many entries it has. Nothing else holds b.
func decodePage(b []byte, keysOnly bool) (page, bool) {
	if len(b) < abi.PageHeaderSize {
		return page{}, false
	}
	count, p := uint32At(b), page{more: b[abi.PageHeaderSize-1] != 0}
	rest := b[abi.PageHeaderSize:]
	for range count {
		var key, value []byte
		var ok bool
		if key, rest, ok = cut(rest); !ok {
			return page{}, false
		}
		if !keysOnly {
			if value, rest, ok = cut(rest); !ok {
				return page{}, false
			}
		}
		p.entries = append(p.entries, Entry{Key: unsafe.String(unsafe.SliceData(key), len(key)), Value: value})
	}
	return p, true
}

// cut takes a string of the layout off b. Its capacity ends where it does:
// appending to a value never reaches the key after it.
func cut(b []byte) (text, rest []byte, ok bool) {
	const length = 4
	if len(b) < length {
		return nil, nil, false
	}
	n := uint32At(b)
	b = b[length:]
	if uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

func uint32At(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (q Query) flags() (flags uint32) {
	if q.Reverse {
		flags |= abi.ListReverse
	}
	if q.KeysOnly {
		flags |= abi.ListKeysOnly
	}
	if q.Snapshot {
		flags |= abi.ListSnapshot
	}
	return flags
}
