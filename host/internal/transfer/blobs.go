package transfer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability/blobs"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// pieceKey is of the bytes of a blob from offset on.
func pieceKey(d blob.Digest, offset int64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{kindBlob}, d[:]...), uint64(offset))
}

// holding is blobs that no sweep takes until release.
type holding map[blob.Digest]*blob.Held

func (h holding) release() {
	for _, held := range h {
		held.Release()
	}
}

// hold adds what a name has.
func (h holding) hold(ctx context.Context, s *blob.Store, r *names.Record) error {
	if held := h[r.Digest]; held != nil {
		if held.Size != r.Size {
			return fault.New(fault.Invalid, "", fmt.Sprintf("the data is damaged: two names say that blob %s has %d and %d bytes", r.Digest, held.Size, r.Size))
		}
		return nil
	}
	held, err := s.Hold(ctx, r.Digest, r.Size)
	if err == nil {
		h[r.Digest] = held
	}
	return err
}

// holdNamed holds the blobs that the names of a space have. Release what it returns, after
// an error too.
func (s *Service) holdNamed(ctx context.Context, snap store.Snapshot, space store.Space) (holding, error) {
	h := holding{}
	var wrong error
	err := snap.Scan(space.In(store.AreaBlobs), []byte{}, nil, false, func(key []byte, v store.Value) bool {
		r, named, err := names.Decode(key, v.Data)
		if wrong = errors.Join(ctx.Err(), err); wrong == nil && named {
			wrong = h.hold(ctx, s.blobs, &r)
		}
		return wrong == nil
	})
	return h, errors.Join(wrong, tooOld(err))
}

// send calls take with the bytes of each blob, in pieces and in the order of their
// digests.
func (h holding) send(ctx context.Context, take func(stream.Entry) error) error {
	for _, d := range slices.SortedFunc(maps.Keys(h), func(a, b blob.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		if err := sendBlob(ctx, h[d], take); err != nil {
			return err
		}
	}
	return nil
}

// sendBlob fails unless the bytes are those of the digest.
func sendBlob(ctx context.Context, held *blob.Held, take func(stream.Entry) error) error {
	r, err := held.Open(ctx, 0, -1)
	if fault.CodeOf(err) == fault.NotFound {
		return fault.Wrap(fault.Unavailable, "export", fmt.Sprintf("the bytes of blob %s are missing", held.Digest), err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	damaged := fault.New(fault.Internal, "export", fmt.Sprintf("the bytes of blob %s are damaged", held.Digest))
	_, whole, err := cargo.Send(r, held.Digest, make([]byte, min(cargo.PieceSize, held.Size+1)), func(offset int64, piece []byte) error {
		if offset+int64(len(piece)) > held.Size {
			return damaged
		}
		return take(stream.Entry{Key: pieceKey(held.Digest, offset), Value: piece})
	})
	if err == nil && !whole {
		err = damaged
	}
	return err
}

// receiving is the blobs of data that is staged. It belongs to one goroutine.
type receiving struct {
	store *blob.Store
	held  holding // what the names have
	used  names.Usage
	quota names.Quota
	came  map[blob.Digest]bool // bytes that were received

	writer *blob.Writer // nil = no blob is under way
	digest blob.Digest  // of that
}

// end forgets what is under way, and lets go.
func (r *receiving) end() {
	if r.writer != nil {
		r.writer.Abort()
	}
	r.held.release()
}

// name holds what an entry of the area of blobs names.
func (r *receiving) name(ctx context.Context, key, value []byte) error {
	record, named, err := names.Decode(key, value)
	if err != nil || record.Size < 0 {
		return fault.Wrap(fault.Invalid, "", "the data is damaged: the name of a blob cannot be read", err)
	}
	if !named {
		return nil
	}
	r.used.Count++
	r.used.Bytes += record.Size
	if r.used.Count > r.quota.Count || record.Size > r.quota.Bytes || r.used.Bytes > r.quota.Bytes {
		return fault.New(fault.Exhausted, "", fmt.Sprintf(
			"the data does not fit: the plugin may name %d blobs (blobs.count) of %d bytes (blobs.bytes), and the data names more; the data of the plugin is as it was", r.quota.Count, r.quota.Bytes))
	}
	return r.held.hold(ctx, r.store, &record)
}

// piece takes bytes of a blob that is named. They are in order.
func (r *receiving) piece(ctx context.Context, e stream.Entry) error {
	var d blob.Digest
	if len(e.Key) != 1+len(d)+8 {
		return errPieces
	}
	offset := binary.BigEndian.Uint64(e.Key[1+copy(d[:], e.Key[1:]):])
	held := r.held[d]
	switch {
	case held == nil || r.came[d]:
		return errPieces
	case r.writer == nil && offset == 0:
		var err error
		if r.writer, err = r.store.Create(blob.Account{}, held.Size); err != nil {
			return err
		}
		r.digest = d
	case r.writer == nil || d != r.digest || offset != uint64(r.writer.Size()) || len(e.Value) == 0:
		return errPieces
	}
	if r.writer.Size()+int64(len(e.Value)) > held.Size {
		return errPieces
	}
	if _, err := r.writer.Write(e.Value); err != nil || r.writer.Size() < held.Size {
		return err
	}
	return r.finish(ctx)
}

// finish keeps the blob that is under way.
func (r *receiving) finish(ctx context.Context) error {
	got, err := r.writer.Finish(ctx)
	r.writer = nil
	if err != nil {
		return err
	}
	defer got.Release() // it is held by its name
	if got.Digest != r.digest {
		return fault.New(fault.Invalid, "", fmt.Sprintf("the archive is damaged: the bytes of blob %s have the digest %s", r.digest, got.Digest))
	}
	r.came[got.Digest] = true
	return nil
}

var errPieces = fault.New(fault.Invalid, "", "the archive is damaged: the bytes of its blobs are not in order, or of none that it names")

// check wants the bytes of all names.
func (r *receiving) check(ctx context.Context) error {
	if r.writer != nil {
		return errPieces
	}
	missing, example, err := r.missing(ctx)
	if err != nil {
		return err
	}
	if missing == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "", fmt.Sprintf(
		"the data names %d blobs whose bytes neither come with it nor are on this server, such as %s; export it again with this version of wasmoor, or copy the blobs here first; nothing was changed", missing, example))
}

// asks is how many blobs a place is asked for at a time.
const asks = 16

// missing returns how many blobs are named whose bytes are neither here nor came, and one
// of them.
func (r *receiving) missing(ctx context.Context) (count int, example blob.Digest, err error) {
	all, asking := errgroup.WithContext(ctx)
	all.SetLimit(asks)
	var mu sync.Mutex
	for d := range r.held {
		if r.came[d] || asking.Err() != nil {
			continue
		}
		all.Go(func() error {
			there, err := r.store.Has(asking, d)
			if err != nil || there {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			count, example = count+1, d
			return nil
		})
	}
	err = all.Wait()
	return count, example, cmp.Or(err, ctx.Err())
}

// receive begins the blobs of data for a plugin with a grant. End it.
func (s *Service) receive(g plugin.Grant) receiving {
	return receiving{store: s.blobs, held: holding{}, quota: blobs.Quota(g), came: map[blob.Digest]bool{}}
}
