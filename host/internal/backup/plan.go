package backup

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ReadPlan returns the plan of a configuration, or the key of it that is wrong. It
// reaches nothing.
func ReadPlan(to string, every time.Duration, keep Retention, recipients string) (p Plan, key string, err error) {
	p.Every, p.Keep = every, keep
	switch {
	case every < time.Minute:
		return p, "backup_every", fault.New(fault.Invalid, "", "it must be at least 1m, e.g. 24h")
	case keep.Newest < 1:
		return p, "backup_keep", fault.New(fault.Invalid, "", "it must be at least 1")
	case keep.For < 0:
		return p, "backup_keep_for", fault.New(fault.Invalid, "", "it must be at least 0, e.g. 720h")
	}
	if p.Recipients, err = agekey.Recipients(recipients); err != nil {
		return p, "backup_recipients", err
	}
	if to == "" {
		return p, "", nil
	}
	p.To, err = bucket.Open(to)
	return p, "backup_to", err
}
