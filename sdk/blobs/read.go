package blobs

import (
	"errors"
	"io"
	"iter"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Reader reads the blob of a name. It is an io.ReadSeekCloser and an io.ReaderAt.
type Reader struct {
	Info
	next int64
}

// Open returns a reader of the blob of a name. The error is ErrNotFound if there is none.
func Open(name string) (*Reader, error) {
	info, ok, err := Stat(name)
	if err == nil && !ok {
		err = &Error{Op: "open", Name: name, Status: ErrNotFound}
	}
	if err != nil {
		return nil, err
	}
	return &Reader{Info: info}, nil
}

// Read reads on.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := hostcall.BlobRead(r.Name, r.next, p)
	if err := check("read", r.Name, n); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	r.next += n
	return int(n), nil
}

// ReadAt reads from an offset on.
func (r *Reader) ReadAt(p []byte, offset int64) (n int, err error) {
	at := Reader{Info: r.Info, next: offset}
	for n < len(p) && err == nil {
		var more int
		more, err = at.Read(p[n:])
		n += more
	}
	return n, err
}

var errSeek = errors.New("blob seek: before the start")

// Seek sets where Read reads on.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.next
	case io.SeekEnd:
		offset += r.Size
	}
	if offset < 0 {
		return 0, errSeek
	}
	r.next = offset
	return offset, nil
}

// Close does nothing: a reader ends with the request.
func (r *Reader) Close() error { return nil }

// Query says which names to list.
type Query struct {
	Prefix  string // of the names; "" lists all
	After   string // the listing starts with the first name after it; "" = at the beginning
	Reverse bool   // from the highest name down
}

// pageBytes is the room of a page.
const pageBytes = 16 << 10

// All ranges over the names of q in the order of their bytes, reading page after page as
// it goes. An error ends it.
func All(q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var flags uint32
		if q.Reverse {
			flags = abi.ListReverse
		}
		for more := true; more; {
			b, status := hostcall.ReadTo(make([]byte, pageBytes), func(buf []byte) int64 { return hostcall.BlobList(q.Prefix, q.After, 0, flags, buf) })
			var entries []abi.Entry
			if status >= 0 {
				var ok bool
				if entries, more, ok = abi.DecodePage(string(b), false); !ok {
					status = abi.Internal
				}
			}
			if status < 0 {
				yield(Info{}, &Error{Op: "list", Name: q.Prefix, Status: status, sizes: sized("the prefix", q.Prefix) + " or " + sized("the name to go on after", q.After)})
				return
			}
			for _, e := range entries {
				var head abi.Blob
				abi.DecodeBlob(string(e.Value), &head)
				if !yield(infoOf(string(e.Key), &head), nil) {
					return
				}
				q.After = string(e.Key)
			}
		}
	}
}
