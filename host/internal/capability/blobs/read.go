package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// reading is the blob that an attempt reads, and where it is: who reads one from its start
// to its end asks the place for it once.
type reading struct {
	held *blob.Held // nil = none
	r    io.ReadCloser
	next int64
}

func (r *reading) close() {
	if r.held == nil {
		return
	}
	_ = r.r.Close()
	r.held.Drop()
	*r = reading{}
}

// at makes ready to read a blob from an offset on.
func (r *reading) at(ctx context.Context, store *blob.Store, d blob.Digest, size, offset int64) error {
	if r.held != nil && r.held.Digest == d && r.next == offset {
		return nil
	}
	r.close()
	held, err := store.Hold(ctx, d, size)
	if err != nil {
		return err
	}
	body, err := held.Open(ctx, offset, -1)
	if err != nil {
		held.Drop()
		return err
	}
	*r = reading{held: held, r: body, next: offset}
	return nil
}

// fill reads until buf is full or the blob ends.
func (r *reading) fill(buf []byte) (int, error) {
	n, err := io.ReadFull(r.r, buf)
	r.next += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

// read is blob_read of the native ABI.
func read() capability.Func {
	return capability.OfPlugin(capability.Waiting(map[string]capability.Waiter{
		abi.FnBlobRead: func(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
			buf, ok := mem.Range(args[3], args[4])
			if !ok {
				return int64(abi.BadPointer), nil
			}
			return readAt(ctx, inv, mem, args, func(left int64) []byte { return buf[:min(int64(len(buf)), left)] })
		},
	}))[0]
}

// readAt copies bytes of the blob that args name, from the offset there on, to where room
// says for so many bytes that are left.
func readAt(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64, room func(left int64) []byte) (int64, error) {
	b, name, record, status := find(inv, mem, args)
	offset := int64(args[2])
	switch {
	case status != abi.OK:
		return int64(status), nil
	case offset < 0:
		return int64(abi.Invalid), nil
	case offset >= record.Size:
		return 0, nil
	}
	a, n := b.attempt(), 0
	var err error
	late := wait(ctx, func() {
		if err = a.reading.at(ctx, b.Store, record.Digest, record.Size, offset); err == nil {
			buf := room(record.Size - offset)
			if n, err = a.reading.fill(buf); n == 0 && err == nil && len(buf) > 0 {
				err = fault.New(fault.Internal, "read blob", fmt.Sprintf("%.80q, blob %s, ends at %d bytes of %d", name, record.Digest, offset, record.Size))
			}
		}
	})
	if late != nil {
		return 0, late
	}
	if err != nil {
		a.reading.close()
		return int64(b.refused(lost(name, &record, err))), nil
	}
	return int64(n), nil
}

// readBlock is blob_read for plugins of Extism: in place of a buffer it takes how many
// bytes are read at most, and returns a block, 0 at the end.
func readBlock() capability.Func {
	return capability.Func{
		Module: capability.ExtismUser, Name: abi.FnBlobRead, Params: []abi.Type{abi.I64, abi.I64, abi.I64}, Results: []abi.Type{abi.I64},
		Call: func(ctx context.Context, g *capability.Guest, args []uint64) (uint64, error) {
			if err := g.Serving(); err != nil {
				return 0, err
			}
			name, ok := g.Blocks.Block(args[0])
			if !ok && args[0] != 0 {
				return capability.Result(abi.BadPointer), nil
			}
			most := min(args[2], uint64(g.Blocks.Limit()))
			block := g.Blocks.Alloc(most)
			if block == 0 {
				return capability.Result(abi.Limit), nil
			}
			buf, _ := g.Blocks.Block(block)
			n, err := readAt(ctx, g.Inv, g.Blocks.Bytes(), []uint64{args[0], uint64(len(name)), args[1]}, func(left int64) []byte {
				return buf[:min(int64(len(buf)), left)]
			})
			if n <= 0 || err != nil {
				g.Blocks.Free(block)
				return uint64(n), err
			}
			g.Blocks.Shrink(block, int(n))
			return block, nil
		},
	}
}

func answer(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	disposition, ok := mem.Range(args[2], args[3])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	b, name, record, status := find(inv, mem, args)
	switch {
	case status != abi.OK:
		return int64(status), nil
	case len(disposition) > limits.BlobDisposition:
		return int64(abi.Limit), nil
	case !field.IsValue(string(disposition)):
		return int64(abi.Invalid), nil
	}
	var held *blob.Held
	var err error
	if late := wait(ctx, func() { held, err = b.Store.Hold(ctx, record.Digest, record.Size) }); late != nil {
		held.Release()
		return 0, late
	}
	if err != nil {
		return int64(b.refused(err)), nil
	}
	inv.Reply.SetBlob(&blob.Answer{
		Held: held, Name: string(name), Type: record.Type, Disposition: string(disposition), Created: record.Created,
	})
	return int64(abi.OK), nil
}
