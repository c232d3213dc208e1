package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// The data of a plugin in an archive is one group of a stream, as in a backup. The key of
// an entry begins with what it is:
//
//	01, u8 area, key of the area    value: varint expiry in Unix ms, data
//
//	02, SHA-256, u64 offset         value: bytes of a blob from there on, at most 1 MiB
//
// Areas are in the order of store.Areas, and keys in theirs. The blobs follow: each that a
// name has once, in ascending order, whole. One of no bytes has an entry too.
const (
	kindKey  = 1
	kindBlob = 2
)

// Export records that all data of a plugin is sent, and returns what sends it as an
// archive (package archive): all areas at one revision, without expired values, and the
// bytes of the blobs that they name. What its writer has after an error is no archive.
func (s *Service) Export(ctx context.Context, name, by string) (send func(context.Context, io.Writer) error, err error) {
	p, err := s.registry.Plugin(ctx, name)
	if err == nil {
		err = s.registry.Note(ctx, plugin.Event{By: by, Action: plugin.ActionDataExport, Plugin: name})
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error { return s.send(ctx, w, p) }, nil
}

func (s *Service) send(ctx context.Context, w io.Writer, p plugin.Plugin) error {
	snap, err := s.store.Snapshot()
	if err != nil {
		return err
	}
	release := sync.OnceFunc(snap.Release)
	defer release()
	revision, space := snap.Revision(), store.Space(p.Keys())
	held, err := s.holdNamed(ctx, snap, space)
	defer held.release()
	if err != nil {
		return err
	}
	h := s.header
	h.Plugin, h.Created = p.Name, s.clock().UTC()
	a, err := archive.NewWriter(w, h)
	if err != nil {
		return err
	}
	defer a.Abandon()
	out := &reading{ctx: ctx, snap: snap, space: space, now: h.Created}
	var n int64
	err = a.Store(func(w io.Writer) error {
		to := stream.NewWriter(w)
		group := stream.Group{Revision: revision, Time: h.Created, Entries: func(yield func(stream.Entry, error) bool) {
			take := func(e stream.Entry) error {
				if n++; !yield(e, nil) {
					return errEnough
				}
				return nil
			}
			err := out.entries(take)
			release() // the bytes of blobs are no part of it, and may take long
			if err == nil {
				err = held.send(ctx, take)
			}
			if err != nil && !errors.Is(err, errEnough) {
				yield(stream.Entry{}, err)
			}
		}}
		return errors.Join(to.Write(group), to.Close())
	})
	if err != nil {
		return err
	}
	_, err = a.Finish(uint64(revision), n)
	return err
}

// errEnough is of whoever takes entries and takes no more.
var errEnough = errors.New("enough")

// reading reads areas of a key space at one revision.
type reading struct {
	ctx   context.Context
	snap  store.Snapshot
	space store.Space
	now   interface{ UnixMilli() int64 }
}

// entries calls take with each value that has not expired, as an entry.
func (r *reading) entries(take func(stream.Entry) error) error {
	all := store.Areas()
	return tooOld(r.areas(all[:], func(a store.Area, key []byte, v store.Value) error {
		e := stream.Entry{Key: append([]byte{kindKey, byte(a)}, key...)}
		e.Value = append(binary.AppendVarint(nil, v.Expires), v.Data...)
		return take(e)
	}))
}

// areas calls take with each value that has not expired, until it returns an error.
func (r *reading) areas(list []store.Area, take func(store.Area, []byte, store.Value) error) error {
	for _, a := range list {
		var wrong error
		err := r.snap.Scan(r.space.In(a), []byte{}, nil, false, func(key []byte, v store.Value) bool {
			if v.Expires != 0 && v.Expires <= r.now.UnixMilli() {
				return true
			}
			if wrong = r.ctx.Err(); wrong == nil {
				wrong = take(a, key, v)
			}
			return wrong == nil
		})
		if err = errors.Join(wrong, err); err != nil {
			return err
		}
	}
	return nil
}

// dataAreas are what a plugin has stored itself. In a copy of it nothing is sent, handled
// or made up for that was the original's to do.
var dataAreas = []store.Area{store.AreaKV, store.AreaSQL, store.AreaBlobs}

// Import puts the data of an archive in place of that of a plugin: all of it at once, or
// nothing; bytes of blobs that came before an error are left to the sweep. Where the plugin has data already, in.Replace has to say so; that data is
// removed. Errors: NotFound, Invalid (it is no archive of a plugin, damaged or cut off),
// Conflict (the plugin has data; a roll-out runs; messages are of a later revision than
// this store's; bytes of blobs are neither in the archive nor on this server),
// Exhausted (it does not fit), those of r.
func (s *Service) Import(ctx context.Context, in adminapi.DataImport, r io.Reader, by string) (adminapi.DataMoved, error) {
	return s.replace(ctx, in.Name, in.Replace, by, plugin.ActionDataImport, func(to *staging) error {
		to.dataOnly = in.DataOnly
		info, err := archive.Read(r, to)
		if err == nil && info.Revision != to.revision {
			err = fault.New(fault.Invalid, "", "the archive is damaged: its index says another revision than its data")
		}
		return err
	})
}

// Copy puts the keys, databases and blobs that one plugin has at one revision in place of
// the data of another, as Import does. The bytes of blobs have to be there. Nothing else of it is copied: no messages, events,
// schedules, vars or secrets.
func (s *Service) Copy(ctx context.Context, in adminapi.DataCopy, to, by string) (adminapi.DataMoved, error) {
	if in.From == to {
		return adminapi.DataMoved{}, fault.New(fault.Invalid, "", "a plugin's data cannot be copied to itself")
	}
	return s.replace(ctx, to, in.Replace, by, plugin.ActionDataCopy, func(to *staging) error {
		p, snap, err := s.open(ctx, in.From)
		if err != nil {
			return err
		}
		defer snap.Release()
		to.from, to.revision = in.From, uint64(snap.Revision())
		from := &reading{ctx: ctx, snap: snap, space: store.Space(p.Keys()), now: s.clock()}
		return tooOld(from.areas(dataAreas, to.add))
	})
}

// said is what the audit is told of data that was put in place.
func said(to *staging) string {
	return fmt.Sprintf("from %s at revision %d: %d keys, %d bytes", to.from, to.revision, to.Keys, to.Bytes)
}

// Verify reads an archive of a plugin's data to its end and returns an error unless it is
// whole.
func Verify(r io.Reader) (archive.Info, error) { return archive.Read(r, passing{}) }

// passing is what nothing comes of.
type passing struct{}

func (passing) Begin(archive.Header) error                     { return nil }
func (passing) Settings([]byte) error                          { return errNoPart }
func (passing) Module(string, []byte) error                    { return errNoPart }
func (passing) Blobs(io.Reader) (count, size int64, err error) { return 0, 0, errNoPart }
func (passing) Store(r io.Reader) (n int64, err error) {
	in := stream.NewReader(r)
	group, err := in.Next()
	if err != nil {
		return 0, err
	}
	for _, err := range group.Entries {
		if err != nil {
			return n, err
		}
		n++
	}
	_, err = io.Copy(io.Discard, r)
	return n, err
}
