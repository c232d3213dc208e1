//go:build !linux

package machine

import "time"

var begun = time.Now()

// computed stands for how long this thread has computed: it is the time on the
// clock, for this system counts by process.
func computed() time.Duration { return time.Since(begun) }
