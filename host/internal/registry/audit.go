package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Action is what an event did. The values are append-only: clients of the admin
// API see them.
type Action string

// The actions.
const (
	ActionInstall  Action = "install"  // first upload of a name
	ActionUpload   Action = "upload"   // a further version
	ActionRestore  Action = "restore"  // upload to a deleted plugin
	ActionActivate Action = "activate" // a new deployment
	ActionVars     Action = "vars"     // vars of a plugin changed
	ActionDelete   Action = "delete"   // deleted, data kept
	ActionPurge    Action = "purge"    // deleted with its data
)

// Event says who changed what, when. It never holds the value of a var.
type Event struct {
	Number     uint64    `json:"number"` // 1, 2, 3 ... over all plugins
	Time       time.Time `json:"time"`
	By         string    `json:"by,omitempty"`
	Action     Action    `json:"action"`
	Plugin     string    `json:"plugin"`
	Version    int       `json:"version,omitempty"`
	Deployment int       `json:"deployment,omitempty"`
	Detail     string    `json:"detail,omitempty"`
}

func auditKey(number uint64) []byte { return fmt.Appendf(nil, "%s%020d", prefixAudit, number) }

// audit records e in the same commit as the change it tells of.
func (tx *records) audit(e Event) error {
	last, _, err := newest[Event](tx, prefixAudit)
	if err != nil {
		return err
	}
	e.Number = last.Number + 1
	e.Time = tx.now()
	return put(tx, string(auditKey(e.Number)), e)
}

// Audit returns the events after number, the oldest first, at most limit of
// them; 0 = all.
func (r *Registry) Audit(_ context.Context, after uint64, limit int) ([]Event, error) {
	var events []Event
	err := r.view(func(tx *records) error {
		q := store.Query{Prefix: []byte(prefixAudit), After: auditKey(after), Limit: limit}
		return walk(tx, q, func(e Event) bool {
			events = append(events, e)
			return true
		})
	})
	return events, err
}
