package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func auditKey(number uint64) []byte { return fmt.Appendf(nil, "%s%020d", prefixAudit, number) }

// Audited is an event that was recorded, and its hash.
type Audited struct {
	plugin.Event
	Hash string
}

// audit records e in the same commit as the change it tells of, as the next link of
// the chain.
func (tx *records) audit(e plugin.Event) error {
	c, err := tx.chain()
	if err != nil {
		return err
	}
	e.Number, e.Prev, e.Time = c.end.Number+1, c.end.Prev(), tx.now()
	e.Changes = plugin.Few(e.Changes)
	e.Token, e.Address, e.Request = tx.actor.Token, tx.actor.Address, tx.actor.Request
	line, err := json.Marshal(newEventRecord(e))
	if err != nil {
		return fault.Wrap(fault.Internal, "write the registry", "an event", err)
	}
	if err := tx.Set(auditKey(e.Number), line, 0); err != nil {
		return err
	}
	c.end = audit.Point{Number: e.Number, Hash: audit.Hash(line)}
	tx.audited = append(tx.audited, Audited{e, c.end.Hash})
	return put(tx, keyChain, newChainRecord(c))
}

// chain returns where the events begin and end. Where they are all from before the
// chain they have no hash.
func (tx *records) chain() (chain, error) {
	c, ok, err := get[chainRecord](tx, keyChain)
	if err != nil || ok {
		return c, err
	}
	var first plugin.Event
	q := store.Query{Prefix: []byte(prefixAudit), Limit: 1}
	if err := walk[eventRecord](tx, q, func(e plugin.Event) bool { first = e; return true }); err != nil {
		return c, err
	}
	last, _, err := newest[eventRecord](tx, prefixAudit)
	c.begin.Number, c.end.Number = max(first.Number, 1)-1, last.Number
	return c, err
}

// forget removes the oldest events up to a number, as many as one commit does, and
// keeps the hash of the last of them: there the chain begins then. It reports
// whether more are left to remove.
func (tx *records) forget(upTo uint64) (more bool, err error) {
	c, err := tx.chain()
	if err != nil || c.begin.Number >= upTo {
		return false, err
	}
	upTo, last := min(upTo, c.begin.Number+removeStep), upTo
	line, ok, err := tx.Get(auditKey(upTo))
	if err != nil {
		return false, err
	}
	var e eventRecord
	if !ok || json.Unmarshal(line, &e) != nil {
		return false, fault.New(fault.Internal, "prune the audit", fmt.Sprintf("event %d is missing or damaged; see: wasmoor audit verify", upTo))
	}
	for number := c.begin.Number + 1; number <= upTo; number++ {
		if err := tx.Delete(auditKey(number)); err != nil {
			return false, err
		}
	}
	c.begin = audit.Point{Number: upTo}
	if e.Prev != "" {
		c.begin.Hash = audit.Hash(line)
	}
	return upTo < last, put(tx, keyChain, newChainRecord(c))
}

// OnAudited has f called with each event once it is durable. Call it before the
// first change. f must not wait.
func (r *Registry) OnAudited(f func(Audited)) { r.audited = f }

// Audit returns the events after number, the oldest first, at most limit of
// them; 0 = all.
func (r *Registry) Audit(ctx context.Context, after uint64, limit int) ([]plugin.Event, error) {
	return r.Events(ctx, Events{After: after, Limit: limit})
}

// Events says which events are asked for; zero fields ask for all.
type Events struct {
	After uint64                   // a number
	Since time.Time                // not before
	Of    func(plugin string) bool // which plugins; "" = of none
	Limit int                      // at most so many
}

// Events returns the events that q asks for, the oldest first.
func (r *Registry) Events(_ context.Context, q Events) ([]plugin.Event, error) {
	var events []plugin.Event
	err := r.view(func(tx *records) error {
		all := store.Query{Prefix: []byte(prefixAudit), After: auditKey(q.After)}
		return walk[eventRecord](tx, all, func(e plugin.Event) bool {
			if !e.Time.Before(q.Since) && (q.Of == nil || q.Of(e.Plugin)) {
				events = append(events, e)
			}
			return q.Limit == 0 || len(events) < q.Limit
		})
	})
	return events, err
}

// Lines is a part of the audit as it is stored, for who verifies it.
type Lines struct {
	Begin, End audit.Point // of the whole audit, on one snapshot with Lines
	Lines      [][]byte
}

// ReadAudit reads the audit of a store that no registry has open: begin gets where it
// begins, and line each event as it is stored. It ends with the first error of them, and
// returns where the audit ends.
func ReadAudit(ctx context.Context, st store.Store, begin func(audit.Point) error, line func([]byte) error) (end audit.Point, err error) {
	r := &Registry{store: st, clock: time.Now}
	for after, first := uint64(0), true; ; first = false {
		page, err := r.AuditLines(ctx, after, removeStep)
		if err == nil && first {
			after = page.Begin.Number
			err = begin(page.Begin)
		}
		for _, text := range page.Lines {
			if err == nil {
				err = line(text)
			}
		}
		if err != nil || len(page.Lines) < removeStep {
			return page.End, err
		}
		after += removeStep
	}
}

// AuditLines returns the lines of the events after a number, at most limit of them.
func (r *Registry) AuditLines(_ context.Context, after uint64, limit int) (lines Lines, err error) {
	err = r.view(func(tx *records) (err error) {
		lines, err = tx.auditLines(after, limit)
		return err
	})
	return lines, err
}

func (tx *records) auditLines(after uint64, limit int) (lines Lines, err error) {
	c, err := tx.chain()
	if err != nil {
		return lines, err
	}
	lines.Begin, lines.End = c.begin, c.end
	err = tx.List(store.Query{Prefix: []byte(prefixAudit), After: auditKey(after), Limit: limit}, func(_, line []byte) bool {
		lines.Lines = append(lines.Lines, bytes.Clone(line))
		return true
	})
	return lines, err
}
