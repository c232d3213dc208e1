// Package ceiling compares what a plugin asks for with what the operator gives the whole
// server.
package ceiling

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// Caps are what the operator gives the whole server, which a plugin's limits may
// exceed. A zero field caps nothing.
type Caps struct {
	Memory       int64         // max_guest_memory
	BodyDisk     int64         // max_body_disk
	DrainTimeout time.Duration // drain_timeout
}

// Exceeded says which limits of a plugin or its routes the server cannot keep.
func (c Caps) Exceeded(m *manifest.Manifest) (notices []string) {
	most := m.Limits()
	for i := range m.Routes {
		l := m.RouteLimits(i)
		most.RequestBody, most.Deadline = max(most.RequestBody, l.RequestBody), max(most.Deadline, l.Deadline)
	}
	note := func(is bool, format string, args ...any) {
		if is {
			notices = append(notices, fmt.Sprintf(format, args...))
		}
	}
	note(c.Memory > 0 && most.Memory > c.Memory, "limits.memory is %s, and all plugins together have %s here (max_guest_memory): a guest gets no more",
		limit.FormatSize(most.Memory), limit.FormatSize(c.Memory))
	note(c.BodyDisk > 0 && most.RequestBody > spool.Share(c.BodyDisk), "request_body is %s, and the large bodies of a plugin have %s of disk here (three quarters of max_body_disk): one over that is answered 413",
		limit.FormatSize(most.RequestBody), limit.FormatSize(spool.Share(c.BodyDisk)))
	long := most.Deadline > limit.Default().Deadline // as the author asks
	note(c.DrainTimeout > 0 && long && most.Deadline > c.DrainTimeout, "deadline is %s, and the server waits %s for requests when it stops (drain_timeout): one that takes longer is cut off then",
		most.Deadline, c.DrainTimeout)
	return notices
}
