package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Bounds of one commit of what is staged: half of what a commit takes.
const (
	stageOps     = store.MaxEffectOps / 2
	stageBytes   = store.MaxEffectBytes / 2
	stageRecords = store.MaxRecords / 2
)

// replace has fill stage data in a fresh key space, and then puts that in place of a
// plugin's. Until then nobody sees it, and what fails or is cut off by a crash leaves
// nothing.
func (s *Service) replace(ctx context.Context, name string, replace bool, by string, action plugin.Action, fill func(*staging) error) (out adminapi.DataMoved, err error) {
	p, err := s.registry.Installed(ctx, name)
	if err == nil && !replace {
		err = s.wantEmpty(p)
	}
	if err != nil {
		return out, err
	}
	space, err := s.registry.Stage(ctx)
	if err != nil {
		return out, err
	}
	defer func() {
		if late := s.registry.Unstage(context.WithoutCancel(ctx), space); err == nil {
			err = late
		}
	}()
	to := &staging{ctx: ctx, service: s, space: store.Space(space), quota: kv.Quota(p.Grant), blobs: s.receive(p.Grant)}
	defer to.blobs.end() // once the names are the plugin's
	if err := fill(to); err != nil {
		return out, err
	}
	if err := errors.Join(to.flush(), to.counters(), s.fits(p, to), to.blobs.check(ctx)); err != nil {
		return out, err
	}
	err = s.deployer.MoveData(ctx, name, registry.Data{Space: space, Action: action, Detail: said(to), Empty: !replace}, by)
	return adminapi.DataMoved{From: to.from, Revision: to.revision, Usage: to.Usage}, err
}

// wantEmpty refuses a plugin that has data, before work is done in vain.
func (s *Service) wantEmpty(p plugin.Plugin) error {
	snap, err := s.store.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	if empty, err := store.Empty(snap, store.Space(p.Keys())); err != nil || empty {
		return err
	}
	return registry.HasData(p.Name)
}

// fits refuses data with which the plugin's team would have more than it may.
func (s *Service) fits(p plugin.Plugin, to *staging) error {
	shared := s.shared(p.Name)
	if shared == nil {
		return nil
	}
	sum := to.Bytes
	for _, space := range shared.Spaces {
		if space == store.Space(p.Keys()) {
			continue // it is replaced
		}
		for _, account := range []store.Space{space, space.In(store.AreaQueue)} {
			if has, err := s.store.Usage(account); err == nil { // else it is being purged
				sum += has.Bytes
			}
		}
	}
	if sum > shared.Bytes {
		return fault.New(fault.Exhausted, "", fmt.Sprintf("with this data the plugins of team %q would have %d bytes, and may have %d; nothing was changed", shared.Name, sum, shared.Bytes))
	}
	return nil
}

// staging is data on its way into a fresh key space. It implements archive.Content.
type staging struct {
	adminapi.Usage

	ctx       context.Context
	service   *Service
	space     store.Space
	quota     store.Quota
	from      string // whose data it is
	revision  uint64
	dataOnly  bool
	blobs     receiving
	databases sqlite.Carry
	pieces    bool // have come, which no value follows

	area  store.Area
	ops   []store.Op // of area
	bytes int
	last  []byte // key
}

// Begin implements archive.Content.
func (t *staging) Begin(h archive.Header) error {
	known := t.service.header
	switch {
	case h.Plugin == "":
		return fault.New(fault.Invalid, "", "this is the backup of a whole server and not the data of one plugin; `wasmoor restore` brings it into an empty folder")
	case h.Layout > known.Layout || h.ABI > known.ABI:
		return fault.New(fault.Invalid, "", fmt.Sprintf("the data was exported by a newer wasmoor, %.50q; use that version", h.Program))
	case plugin.CheckName(h.Plugin) != nil:
		return fault.New(fault.Invalid, "", "the archive is damaged: it names no plugin")
	}
	t.from = h.Plugin
	return nil
}

// Settings implements archive.Content.
func (t *staging) Settings([]byte) error { return errNoPart }

// Module implements archive.Content.
func (t *staging) Module(string, []byte) error { return errNoPart }

// Blobs implements archive.Content: those of a plugin are in its store.
func (t *staging) Blobs(io.Reader) (count, size int64, err error) { return 0, 0, errNoPart }

var errNoPart = fault.New(fault.Invalid, "", "the archive holds what the data of a plugin does not have")

// Store implements archive.Content.
func (t *staging) Store(r io.Reader) (n int64, err error) {
	in := stream.NewReader(r)
	group, err := in.Next()
	if errors.Is(err, io.EOF) || err == nil && group.Before != 0 {
		err = fault.New(fault.Invalid, "", "the archive is damaged: it does not hold the data of a plugin")
	}
	if err != nil {
		return 0, err
	}
	t.revision = uint64(group.Revision)
	for e, err := range group.Entries {
		if err == nil {
			err = t.entry(e)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return n, fault.New(fault.Invalid, "", "the archive is damaged: something follows its data")
	}
	return n, t.flush()
}

// entry takes one of an archive.
func (t *staging) entry(e stream.Entry) error {
	if len(e.Key) > 0 && e.Key[0] == kindBlob {
		t.pieces = true
		return t.blobs.piece(t.ctx, e)
	}
	if len(e.Key) < 3 || e.Key[0] != kindKey || !store.Area(e.Key[1]).Known() {
		return fault.New(fault.Invalid, "", "the archive is damaged, or of a newer wasmoor: it has an entry of a kind that this one does not know")
	}
	area, key := store.Area(e.Key[1]), e.Key[2:]
	expires, n := binary.Varint(e.Value)
	if n <= 0 || expires < 0 || len(key) > store.MaxKey || len(e.Value)-n > store.MaxValue {
		return fault.New(fault.Invalid, "", "the archive is damaged: it has an entry that no store takes")
	}
	if t.pieces || area < t.area || area == t.area && t.last != nil && bytes.Compare(key, t.last) <= 0 {
		return fault.New(fault.Invalid, "", "the archive is damaged: its entries are not in order")
	}
	if t.dataOnly && !slices.Contains(dataAreas, area) {
		return nil
	}
	if now := t.service.store.Published(); (area == store.AreaQueue || area == store.AreaTopics) && t.revision > uint64(now) {
		return fault.New(fault.Conflict, "", fmt.Sprintf(
			"the data is of revision %d and this server is at %d, so that new messages and events would be mixed up with those of the archive; bring it in with --data-only, without them", t.revision, now))
	}
	v := store.Value{Data: e.Value[n:], Expires: expires}
	if v.ExpiredAt(t.service.clock()) {
		return nil
	}
	return t.add(area, key, v)
}

// add stages a value, in ascending order of area and key.
func (t *staging) add(area store.Area, key []byte, v store.Value) error {
	if area == store.AreaBlobs {
		if names.IsCounter(key) {
			return nil // it is counted anew
		}
		if err := t.blobs.name(t.ctx, key, v.Data); err != nil {
			return err
		}
	}
	if area == store.AreaSQL {
		data, goes, err := t.databases.Take(key, v.Data)
		if err != nil || !goes {
			return err
		}
		v.Data = data
	}
	op := store.Op{Kind: store.OpSet, Key: bytes.Clone(key), Value: store.Value{Data: bytes.Clone(v.Data), Expires: v.Expires}}
	most := stageOps
	if area == store.AreaRecords {
		most = stageRecords
	}
	full := stageBytes
	if area == store.AreaRecords {
		full = store.MaxRecordBytes / 2
	}
	if len(t.ops) > 0 && (area != t.area || len(t.ops) >= most || t.bytes+op.Size() > full) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	t.area, t.last = area, op.Key
	t.ops, t.bytes = append(t.ops, op), t.bytes+op.Size()
	t.Keys, t.Bytes = t.Keys+1, t.Bytes+int64(len(op.Key)+len(op.Value.Data))
	return nil
}

// counters stages how much the names of blobs use: what an archive says of that is not
// believed.
func (t *staging) counters() error {
	if t.blobs.used.Count == 0 {
		return nil
	}
	t.area, t.ops = store.AreaBlobs, names.Counters(t.blobs.used)
	for _, op := range t.ops {
		t.Keys, t.Bytes = t.Keys+1, t.Bytes+int64(len(op.Key)+len(op.Value.Data))
	}
	return t.flush()
}

// flush commits what is collected.
func (t *staging) flush() error {
	if len(t.ops) == 0 {
		return nil
	}
	part := store.Part{Space: t.space.In(t.area), Ops: t.ops}
	switch t.area {
	case store.AreaRecords:
		part = store.Part{Space: t.space, Quota: t.quota, Records: t.ops}
	case store.AreaQueue: // it is counted apart
		part.Quota = store.Quota{Keys: queue.MaxHeld, Bytes: queue.MaxHeldBytes}
	default:
		part.Quota = t.quota
	}
	_, err := t.service.store.Commit(t.ctx, &store.Effects{Read: t.service.store.Published(), Now: t.service.clock(), Parts: []store.Part{part}})
	if fault.CodeOf(err) == fault.Exhausted {
		err = fault.Wrap(fault.Exhausted, "", "the data does not fit: "+fault.MessageOf(err)+"; the data of the plugin is as it was", err)
	}
	t.ops, t.bytes = t.ops[:0:0], 0
	return err
}
