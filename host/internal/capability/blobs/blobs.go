// Package blobs is the capability to keep bytes too large for a value: under names of the
// plugin, given in the transaction of a request, in the host's store of blobs. Package
// capabilities imports it.
package blobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Name is that of the capability.
const Name = invoke.Blobs

// Unit returns the capability. Store has the bytes; nil = there are none here.
func Unit(store *blob.Store) capability.Unit {
	funcs, ofCalls := functions(), capability.OfPlugin(capability.Waiting(map[string]capability.Waiter{abi.FnBlobFetch: fetch}))
	return capability.Unit{
		Name: Name, Keys: []string{"count", "bytes", manifest.ReasonKey}, Read: ask, Terms: readTerms, Free: Terms{},
		Deployment: func(d capability.Deployment) invoke.State {
			granted, ok := d.Grant.(Terms)
			if !ok || d.Ask == nil {
				return nil
			}
			return Granted{Store: store, Quota: granted.quota()}
		},
		Native: slices.Concat(funcs, ofCalls, []capability.Func{read()}), // a plugin of Extism has no handles of calls
		Extism: append(capability.InBlocks(funcs, map[string]uint64{abi.FnBlobStat: firstHead, abi.FnBlobList: firstPage}), readBlock()),
	}
}

// Room that Extism's functions give an answer before they know its size.
const (
	firstHead = 512
	firstPage = 64 << 10
)

// Granted is what a deployment has under Name that may use blobs.
type Granted struct {
	Store *blob.Store // nil = there are none here
	Quota names.Quota
}

// Close implements invoke.State.
func (Granted) Close() {}

// functions returns the host functions that both ABIs have.
func functions() []capability.Func {
	return capability.OfPlugin(append(
		capability.Native(map[string]capability.Handler{
			abi.FnBlobStat: stat, abi.FnBlobList: list, abi.FnBlobDelete: remove, abi.FnBlobDrop: drop,
		}),
		capability.Waiting(map[string]capability.Waiter{
			abi.FnBlobCreate: create, abi.FnBlobWrite: write, abi.FnBlobPut: put, abi.FnBlobAnswer: answer,
		})...))
}

// blobs is what a call acts on.
type blobs struct {
	Granted
	inv  *invoke.Invocation
	part *store.Tx
}

// enter returns what a call acts on, or the status of one that may not be made.
func enter(inv *invoke.Invocation) (b blobs, status abi.Status) {
	granted, ok := inv.Env.States.Of(Name).(Granted)
	switch {
	case !ok || inv.Tx == nil:
		inv.Notice(invoke.NoBlobs, "blobs are refused: the manifest has no [blobs]; add the line [blobs] to wasmoor.toml")
		return b, abi.Denied
	case granted.Store == nil:
		return b, abi.Unavailable
	}
	return blobs{Granted: granted, inv: inv, part: names.Part(inv.Tx, inv.Env.Space)}, abi.OK
}

// named is enter for a call about a name, which is at args[0] and args[1].
func named(inv *invoke.Invocation, mem capability.Memory, args []uint64) (b blobs, name []byte, status abi.Status) {
	name, ok := mem.Range(args[0], args[1])
	if !ok {
		return b, nil, abi.BadPointer
	}
	if b, status = enter(inv); status != abi.OK {
		return b, nil, status
	}
	return b, name, check(name)
}

// find is named for a name that is to be there.
func find(inv *invoke.Invocation, mem capability.Memory, args []uint64) (b blobs, name []byte, r names.Record, status abi.Status) {
	b, name, status = named(inv, mem, args)
	if status != abi.OK {
		return b, nil, r, status
	}
	r, ok, err := names.Get(b.part, name)
	switch {
	case err != nil:
		return b, nil, r, b.refused(err)
	case !ok:
		return b, nil, r, abi.NotFound
	}
	return b, name, r, abi.OK
}

// refused is the guest's status for an error. What the guest has done is in its own log,
// what the host could not do too, with its cause, which the guest does not learn.
func (b *blobs) refused(err error) abi.Status {
	switch fault.CodeOf(err) {
	case "":
		return abi.OK
	case fault.TooLarge:
		b.inv.Notice(invoke.BlobLimit, "a blob is refused: "+fault.MessageOf(err))
		return abi.Limit
	case fault.Conflict: // dispatch runs the handler again
		return abi.Internal
	case fault.Exhausted, fault.Unavailable, fault.Denied, fault.Deadline:
		b.inv.Fail(err)
		return abi.Unavailable
	}
	b.inv.Fail(err)
	return abi.Internal
}

// wait does what waits for the disk or for a service, and leaves the processor to others
// meanwhile. The error ends the guest: its time is over.
func wait(ctx context.Context, do func()) error {
	late := runq.Of(ctx).Wait(ctx, do)
	return cmp.Or(ctx.Err(), late)
}

func stat(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	buf, ok := mem.Range(args[2], args[3])
	if !ok {
		return int64(abi.BadPointer)
	}
	_, _, r, status := find(inv, mem, args)
	if status != abi.OK {
		return int64(status)
	}
	return capability.Fill(buf, head(&r))
}

// head is what a guest is told of a blob.
func head(r *names.Record) []byte {
	return abi.AppendBlob(nil, &abi.Blob{
		Size: uint64(r.Size), Created: r.Created, Digest: string(r.Digest[:]), Type: r.Type, Metadata: string(r.Metadata),
	})
}

func list(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	prefix, okPrefix := mem.Range(args[0], args[1])
	after, okAfter := mem.Range(args[2], args[3])
	count, flags := uint32(args[4]), uint32(args[5])
	buf, okBuf := mem.Range(args[6], args[7])
	if !okPrefix || !okAfter || !okBuf {
		return int64(abi.BadPointer)
	}
	b, status := enter(inv)
	switch {
	case status != abi.OK:
		return int64(status)
	case len(prefix) > limits.BlobName || len(after) > limits.BlobName:
		return int64(abi.Limit)
	case flags&^capability.ListFlags != 0:
		return int64(abi.Invalid)
	}
	p := capability.NewPage(len(buf), count, flags)
	err := names.List(b.part, capability.Query(prefix, after, count, flags), func(name []byte, r *names.Record) bool {
		return p.Add(name, head(r))
	})
	if err != nil {
		return int64(b.refused(err))
	}
	return p.Finish(buf)
}

func remove(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	b, name, status := named(inv, mem, args)
	if status != abi.OK {
		return int64(status)
	}
	before, had, err := names.Delete(b.part, name)
	if had {
		b.took(name, &before)
	}
	return int64(b.written(err, len(name)))
}

// writeCost is about how many bytes a write takes in addition to name and record.
const writeCost = 600

// written counts the memory of a write of n bytes.
func (b *blobs) written(err error, n int) abi.Status {
	if err == nil && !b.inv.Hold(2*n+writeCost) {
		return abi.Internal
	}
	return b.refused(err)
}

// lost is why the bytes of a name are not there: since its snapshot the name has gone, and
// a sweep has come.
func lost(name []byte, r *names.Record, err error) error {
	if fault.CodeOf(err) != fault.NotFound {
		return err
	}
	return fault.Wrap(fault.Internal, "read blob", fmt.Sprintf("the bytes of %.80q, blob %s, are not there", name, r.Digest), err)
}
