package prepare

import (
	"sync/atomic"
	"time"
)

// counts counts what became of builds.
type counts struct {
	built, failed, cached atomic.Int64
	took                  atomic.Int64 // nanoseconds, of those that were built or failed
}

func (c *counts) build(took time.Duration, err error) {
	c.took.Add(int64(took))
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.built.Add(1)
}

// Builds is what a Pipeline has done.
type Builds struct {
	Built, Failed, Cached int64         // modules; a cached one was loaded and not built
	Took                  time.Duration // all builds together
}

// Builds returns what was done so far.
func (p *Pipeline) Builds() Builds {
	c := &p.counts
	return Builds{Built: c.built.Load(), Failed: c.failed.Load(), Cached: c.cached.Load(), Took: time.Duration(c.took.Load())}
}
