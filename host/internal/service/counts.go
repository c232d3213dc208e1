package service

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Counts are what became of the calls of a plugin, by the names by which it calls others.
// They outlive deployments. Safe for concurrent use. They implement invoke.State.
type Counts struct {
	mu sync.Mutex
	by map[string]*Count
}

// Versions name others than those before them: after that many names the rest count as one.
const (
	maxNames   = 64
	otherNames = "(other)"
)

// Close implements invoke.State.
func (c *Counts) Close() {}

// Of returns what counts the calls by a name. A nil Counts has nothing that does.
func (c *Counts) Of(name string) *Count {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[name] == nil && len(c.by) >= maxNames {
		name = otherNames
	}
	if c.by[name] == nil {
		if c.by == nil {
			c.by = map[string]*Count{}
		}
		c.by[name] = &Count{}
	}
	return c.by[name]
}

// Each calls yield with how many calls by a name had an outcome: "answered" by the callee
// with the class of the status, "2xx", or why the host has answered in its place. Outcomes
// that no call had are left out, except for "2xx".
func (c *Counts) Each(yield func(name, outcome, class string, n int64)) {
	if c == nil {
		return
	}
	c.mu.Lock()
	by := maps.Clone(c.by)
	c.mu.Unlock()
	for name, count := range by {
		for digit := range count.answered {
			if n := count.answered[digit].Load(); n > 0 || digit == 2 {
				yield(name, "answered", strconv.Itoa(digit)+"xx", n)
			}
		}
		for i := range count.failed {
			if n := count.failed[i].Load(); n > 0 {
				yield(name, reasons[i], "", n)
			}
		}
	}
}

// reasons are why a callee has not answered; the last is any other, such as a path that
// it has no route for.
var reasons = [...]string{string(fault.Unavailable), string(fault.Trap), string(fault.Deadline), "ended", "other"}

// ended is the reason of a call with which its caller's attempt has ended.
const ended = "ended"

// Count is what became of the calls by a name. The nil Count counts nothing.
type Count struct {
	answered [6]atomic.Int64 // by the first digit of the status
	failed   [len(reasons)]atomic.Int64
}

// add counts a call; reason "" = the callee has answered.
func (c *Count) add(status int, reason string) {
	switch {
	case c == nil:
	case reason == "":
		c.answered[min(max(status/100, 0), len(c.answered)-1)].Add(1)
	default:
		i := slices.Index(reasons[:], reason)
		if i < 0 {
			i = len(reasons) - 1
		}
		c.failed[i].Add(1)
	}
}
