// Package stream is what commits change, as it leaves a store and is put into
// another: groups of entries, and their encoding. A group is what became durable
// together, so that a stream that ends after any group is a state that readers may
// have seen. Whoever puts it into a store decides nothing: what the quota, the
// counters and the sweeps made of a commit is in the entries.
package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Entry is one entry of the database below a store. A nil Value deletes the key.
type Entry struct{ Key, Value []byte }

// Group is what takes a store from one revision to a later one. Before 0 is the
// whole of a store, for an empty one.
type Group struct {
	Before, Revision store.Revision
	Time             time.Time // when it was durable
	Entries          iter.Seq2[Entry, error]
}

// Bounds of an entry: those of the store's layout, and then some.
const (
	maxKey   = 64 << 10
	maxValue = 16 << 20

	// maxRevision leaves room for the revisions of whoever goes on from there.
	maxRevision = 1 << 62
)

// Marks before each part of the encoding.
const (
	markEnd    = 0
	markGroup  = 1
	markSet    = 2
	markDelete = 3
)

// Writer encodes groups:
//
//	group:  01, uvarint before, uvarint revision, varint time in Unix ms
//	  set:    02, bytes key, bytes value
//	  delete: 03, bytes key
//	end:    00, uvarint of how many groups there were
//
// Bytes are a uvarint length and the bytes.
type Writer struct {
	out    *bufio.Writer
	groups uint64
	head   []byte
}

// NewWriter returns a writer to out. Close it.
func NewWriter(out io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(out, 64<<10)} }

// Write encodes a group.
func (w *Writer) Write(g Group) error {
	w.groups++
	b := append(w.head[:0], markGroup)
	b = binary.AppendUvarint(b, uint64(g.Before))
	b = binary.AppendUvarint(b, uint64(g.Revision))
	w.head = binary.AppendVarint(b, g.Time.UnixMilli())
	if _, err := w.out.Write(w.head); err != nil {
		return err
	}
	for e, err := range g.Entries {
		if err == nil {
			err = w.entry(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) entry(e Entry) error {
	mark := byte(markSet)
	if e.Value == nil {
		mark = markDelete
	}
	w.head = append(binary.AppendUvarint(append(w.head[:0], mark), uint64(len(e.Key))), e.Key...)
	if e.Value != nil {
		w.head = binary.AppendUvarint(w.head, uint64(len(e.Value)))
	}
	if _, err := w.out.Write(w.head); err != nil {
		return err
	}
	_, err := w.out.Write(e.Value)
	return err
}

// Close ends the encoding. It does not close what is below.
func (w *Writer) Close() error {
	if _, err := w.out.Write(binary.AppendUvarint([]byte{markEnd}, w.groups)); err != nil {
		return err
	}
	return w.out.Flush()
}

// Reader decodes what a Writer wrote.
type Reader struct {
	in     *bufio.Reader
	groups uint64
	next   byte // the mark that was read ahead
	begun  bool
	ended  bool
	err    error
}

// NewReader returns a reader of in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 64<<10)} }

// Next returns the next group, io.EOF after the last. Its Entries are to be read to
// their end before the next Next; they may be read once. Errors: Invalid (it is
// malformed, or ends early), those of what is below.
func (r *Reader) Next() (Group, error) {
	if !r.begun {
		r.begun = true
		r.mark()
	}
	switch {
	case r.err != nil:
		return Group{}, r.err
	case r.ended:
		return Group{}, io.EOF
	case r.next == markEnd:
		return Group{}, r.end()
	case r.next != markGroup:
		return Group{}, r.malformed("a group is missing")
	}
	r.groups++
	before, revision := r.uvarint(), r.uvarint()
	at, err := binary.ReadVarint(r.in)
	if err != nil {
		return Group{}, r.fail(err)
	}
	if revision > maxRevision && r.err == nil {
		return Group{}, r.malformed("revision %d is none", revision)
	}
	if revision <= before && r.err == nil {
		return Group{}, r.malformed("revision %d follows %d", revision, before)
	}
	r.mark()
	g := Group{Before: store.Revision(before), Revision: store.Revision(revision), Time: time.UnixMilli(at), Entries: r.entries}
	return g, r.err
}

func (r *Reader) end() error {
	if n := r.uvarint(); n != r.groups && r.err == nil {
		return r.malformed("%d groups are there, %d were written", r.groups, n)
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) && r.err == nil {
		return r.malformed("something follows its end")
	}
	r.ended = true
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

func (r *Reader) entries(yield func(Entry, error) bool) {
	for r.err == nil && (r.next == markSet || r.next == markDelete) {
		e := Entry{Key: r.bytes(maxKey)}
		if r.next == markSet {
			e.Value = r.bytes(maxValue)
		}
		r.mark()
		if r.err == nil && !yield(e, nil) {
			return
		}
	}
	if r.err != nil {
		yield(Entry{}, r.err)
	}
}

func (r *Reader) mark() {
	if r.err != nil {
		return
	}
	b, err := r.in.ReadByte()
	if err != nil {
		_ = r.fail(err)
		return
	}
	if r.next = b; b > markDelete {
		_ = r.malformed("%#x is no mark", b)
	}
}

func (r *Reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(r.in)
	if err != nil {
		_ = r.fail(err)
	}
	return v
}

func (r *Reader) bytes(most uint64) []byte {
	n := r.uvarint()
	if n > most {
		_ = r.malformed("an entry has %d bytes, at most %d", n, most)
	}
	if r.err != nil {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err != nil {
		_ = r.fail(err)
	}
	return b
}

// fail makes err the reader's last word.
func (r *Reader) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.malformed("it ends early")
	}
	r.err = err
	return err
}

func (r *Reader) malformed(format string, args ...any) error {
	r.err = fault.New(fault.Invalid, "read a stream of commits", fmt.Sprintf("it is malformed: "+format, args...))
	return r.err
}
