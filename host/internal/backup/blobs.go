package backup

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// pieceKey is the length of the keys of a piece. The bytes of blobs are one group of a
// stream: the key of an entry is the digest of a blob and the offset of the bytes in its
// value.
const pieceKey = len(blob.Digest{}) + 8

// blobs writes the bytes of blobs. Those that are not there, or are damaged, are counted as
// missing: a backup without them is better than none.
func (s *Source) blobs(ctx context.Context, a *archive.Writer, list []blob.Digest) error {
	return a.Blobs(func(w io.Writer) (done archive.Blobs, err error) {
		if s.BlobsIn != "" || len(list) == 0 {
			return archive.Blobs{Place: s.BlobsIn}, nil
		}
		out := stream.NewWriter(w)
		err = out.Write(stream.Group{Revision: 1, Time: s.Clock(), Entries: func(yield func(stream.Entry, error) bool) {
			p := &sending{ctx: ctx, store: s.Blobs, rests: s.Serves, buf: make([]byte, cargo.PieceSize), yield: yield}
			for _, d := range list {
				if err := p.send(d, &done); err != nil {
					yield(stream.Entry{}, err)
					return
				}
			}
		}})
		if err == nil {
			err = out.Close()
		}
		return done, err
	})
}

// sending is blobs on their way into a stream.
type sending struct {
	ctx   context.Context
	store *blob.Store
	rests bool
	buf   []byte
	yield func(stream.Entry, error) bool
}

func (p *sending) send(d blob.Digest, done *archive.Blobs) error {
	r, err := p.store.Open(p.ctx, d, 0, -1)
	if fault.CodeOf(err) == fault.NotFound {
		done.Missing++
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	began := time.Now()
	size, whole, err := cargo.Send(r, d, p.buf, func(offset int64, piece []byte) error {
		if err := p.ctx.Err(); err != nil {
			return gaveUp(err)
		}
		key := binary.BigEndian.AppendUint64(append(make([]byte, 0, pieceKey), d[:]...), uint64(offset))
		if !p.yield(stream.Entry{Key: key, Value: piece}, nil) {
			return fault.New(fault.Internal, "back up", "the stream takes no more")
		}
		if p.rests && len(piece) == len(p.buf) {
			time.Sleep(min(time.Since(began), 10*slice))
		}
		began = time.Now()
		return nil
	})
	switch {
	case err != nil:
		return err
	case !whole: // who reads it finds the same
		done.Missing++
	default:
		done.Count, done.Bytes = done.Count+1, done.Bytes+size
	}
	return nil
}

// receiving puts the bytes of blobs into a store, or only checks them.
type receiving struct {
	store *blob.Store // nil: nothing is kept
	count int64
	bytes int64

	digest blob.Digest // of the blob under way
	size   int64       // bytes of it so far; below 0 = none is under way
	sum    hash.Hash
	writer *blob.Writer
}

// Blobs implements archive.Content.
func (l *landing) Blobs(r io.Reader) (count, size int64, err error) {
	in := stream.NewReader(r)
	g, err := in.Next()
	if err != nil {
		return 0, 0, err
	}
	to := &receiving{store: l.to.Blobs, size: -1}
	defer to.abort()
	for e, err := range g.Entries {
		if err == nil {
			err = to.piece(l.ctx, e)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if err := to.finish(l.ctx); err != nil {
		return 0, 0, err
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return 0, 0, errors.Join(fault.New(fault.Invalid, "", "the backup is damaged: its blobs do not end where they should"), err)
	}
	return to.count, to.bytes, nil
}

func (p *receiving) piece(ctx context.Context, e stream.Entry) (err error) {
	if len(e.Key) != pieceKey {
		return errPiece
	}
	d := blob.Digest(e.Key[:len(blob.Digest{})])
	offset := binary.BigEndian.Uint64(e.Key[len(d):])
	if offset == 0 {
		if err := p.finish(ctx); err != nil {
			return err
		}
		p.digest, p.size, p.sum = d, 0, sha256.New()
		if p.store != nil {
			if p.writer, err = p.store.Create(blob.Account{}, math.MaxInt64); err != nil {
				return err
			}
		}
	}
	if p.size < 0 || d != p.digest || offset != uint64(p.size) {
		return errPiece
	}
	_, _ = p.sum.Write(e.Value) // never fails
	p.size += int64(len(e.Value))
	if p.writer != nil {
		_, err = p.writer.Write(e.Value)
	}
	return err
}

var errPiece = fault.New(fault.Invalid, "", "the backup is damaged: the bytes of its blobs are not in order")

// finish keeps the blob that is under way, unless it was damaged where it was backed up.
func (p *receiving) finish(ctx context.Context) error {
	defer p.abort()
	if p.size < 0 || blob.Digest(p.sum.Sum(nil)) != p.digest {
		return nil
	}
	p.count, p.bytes = p.count+1, p.bytes+p.size
	if p.writer == nil {
		return nil
	}
	held, err := p.writer.Finish(ctx)
	held.Release()
	return err
}

func (p *receiving) abort() {
	if p.writer != nil {
		p.writer.Abort()
	}
	p.writer, p.size = nil, -1
}
