package registry

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func auditKey(number uint64) []byte { return fmt.Appendf(nil, "%s%020d", prefixAudit, number) }

// audit records e in the same commit as the change it tells of.
func (tx *records) audit(e plugin.Event) error {
	last, _, err := newest[eventRecord](tx, prefixAudit)
	if err != nil {
		return err
	}
	e.Number = last.Number + 1
	e.Time = tx.now()
	return put(tx, string(auditKey(e.Number)), newEventRecord(e))
}

// Audit returns the events after number, the oldest first, at most limit of
// them; 0 = all.
func (r *Registry) Audit(_ context.Context, after uint64, limit int) ([]plugin.Event, error) {
	var events []plugin.Event
	err := r.view(func(tx *records) error {
		q := store.Query{Prefix: []byte(prefixAudit), After: auditKey(after), Limit: limit}
		return walk[eventRecord](tx, q, func(e plugin.Event) bool {
			events = append(events, e)
			return true
		})
	})
	return events, err
}
