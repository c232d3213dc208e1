package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Copy fills the unused key space to with what from holds in all its areas, as
// one snapshot shows it, in commits of a bounded size. Nobody should look into
// to meanwhile: the caller points at it in one commit of its own, then drops
// from. After an error, also one of ctx, it drops to, which is partly filled.
// Values keep their expiry; the expired are copied too. Errors by fault code:
// Invalid (to is in use), Deadline (ctx), those of Snapshot and Commit; Conflict
// when the copy takes longer than a snapshot stays readable.
func Copy(ctx context.Context, s Store, from, to Space) error {
	u, err := s.Usage(to)
	if err != nil {
		return err
	}
	if u != (Usage{}) {
		return fault.New(fault.Invalid, "copy a key space", fmt.Sprintf("space %d is in use", to))
	}
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	c := &copying{ctx: ctx, store: s, snap: snap, read: snap.Revision()}
	for _, area := range Areas() {
		if err := c.area(from.In(area), to.In(area)); err != nil {
			return err
		}
	}
	return nil
}

// copying is a copy under way.
type copying struct {
	ctx   context.Context
	store Store
	snap  Snapshot
	read  Revision // of the last commit
	ops   []Op
	bytes int
}

// area copies one area in as many commits as it takes.
func (c *copying) area(from, to Space) error {
	for next, more := []byte{}, true; more; {
		c.ops, c.bytes, more = c.ops[:0], 0, false
		err := c.snap.Scan(from, next, nil, false, func(key []byte, v Value) bool {
			op := Op{Key: bytes.Clone(key), Value: v} // data lives as long as the snapshot
			if more = !c.fits(&op, to.Area()); more {
				next = op.Key
				return false
			}
			c.ops = append(c.ops, op)
			return true
		})
		if err != nil {
			return err
		}
		if err := c.commit(to); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether op goes into the next commit, and counts it.
func (c *copying) fits(op *Op, area Area) bool {
	most, mostBytes := MaxEffectOps, MaxEffectBytes
	if area == AreaRecords {
		most, mostBytes = MaxRecords, MaxRecordBytes
	}
	if len(c.ops) == most || c.bytes+op.Size() > mostBytes {
		return false
	}
	c.bytes += op.Size()
	return true
}

func (c *copying) commit(to Space) (err error) {
	p := Part{Space: to, Ops: c.ops}
	if to.Area() == AreaRecords {
		p = Part{Space: to.Owner(), Records: c.ops}
	}
	e := &Effects{Read: c.read, Now: time.Now(), Parts: []Part{p}}
	c.read, err = c.store.Commit(c.ctx, e)
	return err
}
