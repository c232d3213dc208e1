package transfer

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Bounds of what one call counts: a client that wants to know more calls again.
const (
	countKeys  = 50_000
	countBytes = 64 << 20
)

// areas are what a person is told of, by their names.
var areas = map[store.Area]string{
	store.AreaKV: "kv", store.AreaSQL: "sql", store.AreaBlobs: "blobs", store.AreaQueue: "queue",
	store.AreaTopics: "topics", store.AreaCron: "cron", store.AreaRecords: "records",
}

// Sizes counts what the areas of a plugin hold, from a cursor on, and at most so much
// that nobody waits for it. Errors: Invalid (the cursor).
func (s *Service) Sizes(ctx context.Context, name, after string) (adminapi.Sizes, error) {
	var out adminapi.Sizes
	area, from, err := readCursor(after)
	if err != nil {
		return out, err
	}
	p, snap, err := s.open(ctx, name)
	if err != nil {
		return out, err
	}
	defer snap.Release()
	space, quota := store.Space(p.Keys()), kv.Quota(p.Grant)
	out.Quota = adminapi.Usage{Keys: quota.Keys, Bytes: quota.Bytes}
	for _, account := range []store.Space{space, space.In(store.AreaQueue)} {
		has, err := s.store.Usage(account)
		if err != nil {
			return out, err
		}
		out.Total.Keys, out.Total.Bytes = out.Total.Keys+has.Keys, out.Total.Bytes+has.Bytes
	}
	c := &counting{ctx: ctx, snap: snap, most: s.countKeys}
	all := store.Areas()
	for _, a := range all[slices.Index(all[:], area):] {
		size, err := c.count(space.In(a), from)
		if err != nil {
			return out, tooOld(err)
		}
		out.Areas = append(out.Areas, adminapi.AreaSize{Area: areas[a], Usage: size})
		if c.last != nil {
			out.Next = base64.RawURLEncoding.EncodeToString(append([]byte{byte(a)}, c.last...))
			break
		}
		from = nil
	}
	return out, nil
}

// counting counts until it has done enough.
type counting struct {
	ctx   context.Context
	snap  store.Snapshot
	keys  int
	most  int // of them
	bytes int64
	last  []byte // the last key that was counted before it had done enough; nil = it has not
}

// count counts the keys of an area after one.
func (c *counting) count(space store.Space, after []byte) (size adminapi.Usage, err error) {
	from := []byte{}
	if after != nil {
		from = append(slices.Clone(after), 0)
	}
	err = c.snap.Scan(space, from, nil, false, func(key []byte, v store.Value) bool {
		n := int64(len(key) + len(v.Data))
		size.Keys, size.Bytes = size.Keys+1, size.Bytes+n
		c.keys, c.bytes = c.keys+1, c.bytes+n
		if c.keys >= c.most || c.bytes >= countBytes {
			c.last = slices.Clone(key)
		}
		return c.last == nil && c.ctx.Err() == nil
	})
	if err == nil {
		err = c.ctx.Err()
	}
	return size, err
}

// readCursor reads where to count on.
func readCursor(text string) (store.Area, []byte, error) {
	if text == "" {
		return store.Areas()[0], nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 2 || !store.Area(b[0]).Known() || len(b) > 1+store.MaxKey {
		return 0, nil, fault.New(fault.Invalid, "", fmt.Sprintf("%.100q is no cursor; take next of the answer before", text))
	}
	return store.Area(b[0]), b[1:], nil
}
