package blobs

import (
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// attempt is what an attempt has under Name: the blobs that it has begun, and the one
// that it reads.
type attempt struct {
	writers map[uint32]*blob.Writer
	last    uint32 // handle that was given
	reading reading
}

// Close implements invoke.State.
func (a *attempt) Close() {
	for _, w := range a.writers {
		w.Abort()
	}
	a.reading.close()
}

func (b *blobs) attempt() *attempt {
	if kept, ok := b.inv.State(Name).(*attempt); ok {
		return kept
	}
	made := &attempt{writers: map[uint32]*blob.Writer{}}
	b.inv.Keep(Name, made)
	return made
}

func create(_ context.Context, inv *invoke.Invocation, _ capability.Memory, _ []uint64) (int64, error) {
	b, status := enter(inv)
	if status != abi.OK {
		return int64(status), nil
	}
	a := b.attempt()
	if len(a.writers) >= limits.BlobWriters {
		return int64(b.refused(fault.New(fault.TooLarge, "put blob", "8 blobs have been begun and not ended"))), nil
	}
	room, err := names.Room(b.part, b.Quota)
	if err != nil {
		return int64(b.refused(err)), nil
	}
	w, err := b.Store.Create(b.account(), room)
	if err != nil {
		return int64(b.refused(err)), nil
	}
	a.last++
	a.writers[a.last] = w
	return int64(a.last), nil
}

// writer returns a blob that was begun.
func writer(inv *invoke.Invocation, handle uint64) (b blobs, w *blob.Writer, status abi.Status) {
	if b, status = enter(inv); status != abi.OK {
		return b, nil, status
	}
	w, ok := b.attempt().writers[uint32(handle)]
	if !ok {
		return b, nil, abi.NotFound
	}
	return b, w, abi.OK
}

func write(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	data, ok := mem.Range(args[1], args[2])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	b, w, status := writer(inv, args[0])
	if status != abi.OK {
		return int64(status), nil
	}
	var err error
	if late := wait(ctx, func() { _, err = w.Write(data) }); late != nil {
		return 0, late
	}
	return int64(b.refused(err)), nil
}

// fetchPiece is how much of a response's body is in memory on its way into a blob.
const fetchPiece = 64 << 10

func fetch(ctx context.Context, inv *invoke.Invocation, _ capability.Memory, args []uint64) (int64, error) {
	b, w, status := writer(inv, args[0])
	if status != abi.OK {
		return int64(status), nil
	}
	before := w.Size()
	if !inv.Hold(fetchPiece) {
		return int64(abi.Internal), nil
	}
	for buf := make([]byte, fetchPiece); ; {
		n, status, err := outbound.ReadBody(ctx, inv, uint32(args[1]), buf)
		switch {
		case err != nil || status != abi.OK:
			return int64(status), err
		case n == 0:
			return w.Size() - before, nil
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return int64(b.refused(err)), nil
		}
	}
}

func drop(inv *invoke.Invocation, _ capability.Memory, args []uint64) int64 {
	b, w, status := writer(inv, args[0])
	if status != abi.OK {
		return int64(status)
	}
	w.Abort()
	delete(b.attempt().writers, uint32(args[0]))
	return int64(abi.OK)
}

func put(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	name, okName := mem.Range(args[1], args[2])
	typ, okType := mem.Range(args[3], args[4])
	metadata, okMetadata := mem.Range(args[5], args[6])
	if !okName || !okType || !okMetadata {
		return int64(abi.BadPointer), nil
	}
	b, status := enter(inv)
	if status != abi.OK {
		return int64(status), nil
	}
	finish, status := b.finisher(uint32(args[0]))
	if status != abi.OK {
		return int64(status), nil
	}
	if status := checkPut(name, typ, metadata); status != abi.OK {
		return int64(status), nil
	}
	var held *blob.Held
	var err error
	if late := wait(ctx, func() { held, err = finish(ctx) }); late != nil {
		held.Drop()
		return 0, late
	}
	if fault.CodeOf(err) == fault.Internal { // the file of the request's body
		return 0, err
	}
	if err != nil {
		return int64(b.refused(err)), nil
	}
	record := names.Record{Digest: held.Digest, Size: held.Size, Created: inv.Start.UnixMilli(), Type: string(typ), Metadata: metadata}
	first, err := b.hold(held)
	if err != nil {
		return int64(b.refused(err)), nil
	}
	before, had, err := names.Put(b.part, name, &record, b.Quota)
	if had {
		b.took(name, &before)
	}
	b.gave(name, &record)
	if fault.CodeOf(err) == fault.Exhausted { // of the quota, and not of the disk
		if first {
			b.drop(held)
		}
		err = fault.New(fault.TooLarge, "put blob", fault.MessageOf(err))
	}
	if status := b.written(err, len(name)+len(typ)+len(metadata)); status != abi.OK {
		return int64(status), nil
	}
	return record.Size, nil
}

// checkPut says what is wrong with what a name is to have.
func checkPut(name, typ, metadata []byte) abi.Status {
	switch {
	case len(typ) > limits.BlobType || len(metadata) > limits.BlobMetadata:
		return abi.Limit
	case !field.IsValue(string(typ)):
		return abi.Invalid
	}
	return check(name)
}

// check says what is wrong with a name.
func check(name []byte) abi.Status {
	switch {
	case len(name) > limits.BlobName:
		return abi.Limit
	case len(name) == 0 || !utf8.Valid(name):
		return abi.Invalid
	}
	return abi.OK
}

// finisher returns what makes a blob of a handle, which is void from then on.
func (b *blobs) finisher(handle uint32) (finish func(context.Context) (*blob.Held, error), status abi.Status) {
	if handle == 0 {
		return b.body, abi.OK
	}
	a := b.attempt()
	w, ok := a.writers[handle]
	if !ok {
		return nil, abi.NotFound
	}
	return func(ctx context.Context) (*blob.Held, error) {
		delete(a.writers, handle)
		return w.Finish(ctx)
	}, abi.OK
}

// body makes a blob of the body of the request. Another attempt has it already.
func (b *blobs) body(ctx context.Context) (*blob.Held, error) {
	root := b.inv.Caller() == nil
	if kept := b.holds(); root && kept.body != nil {
		if held := kept.held[*kept.body]; held != nil {
			return held.Again(), nil
		}
	}
	room, err := names.Room(b.part, b.Quota)
	if err != nil {
		return nil, err
	}
	body := &b.inv.Request.Body
	if body.Size() > room {
		return nil, fault.New(fault.TooLarge, "put blob", "the body has more bytes than there is room for (blobs.bytes)")
	}
	held, err := b.keep(ctx, body)
	if err != nil {
		return nil, err
	}
	if root {
		b.holds().body = &held.Digest
	}
	return held, nil
}

// keep makes a blob of a body: of the file where it lies in one, whose digest is known.
func (b *blobs) keep(ctx context.Context, body *invoke.Body) (*blob.Held, error) {
	if file, sum := body.File(); file != nil {
		return b.Store.Adopt(ctx, b.account(), file, sum, body.Size())
	}
	return b.Store.Put(ctx, b.account(), &untrusted{ctx: ctx, r: io.NewSectionReader(body, 0, body.Size())}, body.Size())
}

// untrusted reads the body of a request until ctx ends. An error of its file is the
// host's.
type untrusted struct {
	ctx context.Context
	r   io.Reader
}

func (u *untrusted) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(fault.Internal, "blob_put", "the file of a request's body cannot be read", err)
	}
	return n, err
}
