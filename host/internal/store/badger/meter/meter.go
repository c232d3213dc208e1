// Package meter counts what the committer writes. Only package store/badger counts
// with it; package telemetry/metrics reads it.
package meter

import (
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
)

// Writes counts groups of commits on their way to disk. Make it with New. Safe for
// concurrent use; one goroutine calls Begin and End.
type Writes struct {
	begun     atomic.Int64 // when the group that is being written was; 0 = none is
	groups    *tally.Histogram
	syncs     *tally.Histogram
	failed    atomic.Int64
	decisions [2]atomic.Int64 // conflicts, and other refusals
}

// GroupSizes are the upper bounds of commits in a group.
var GroupSizes = []int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// New returns a Writes that has counted nothing.
func New() *Writes {
	return &Writes{groups: tally.New(GroupSizes...), syncs: tally.NewDurations()}
}

// Begin notes that a group is being written.
func (w *Writes) Begin() { w.begun.Store(time.Now().UnixNano()) }

// End notes that it was written, with so many commits, or that err kept it from that.
func (w *Writes) End(commits int, err error) {
	took := time.Now().UnixNano() - w.begun.Swap(0)
	w.syncs.Add(took)
	if err != nil {
		w.failed.Add(1)
		return
	}
	w.groups.Add(int64(commits))
}

// Refused notes that a commit was refused, for a conflict or not.
func (w *Writes) Refused(conflict bool) {
	if conflict {
		w.decisions[0].Add(1)
		return
	}
	w.decisions[1].Add(1)
}

// Writing returns for how long the group that is being written has been, 0 without
// one.
func (w *Writes) Writing() time.Duration {
	if begun := w.begun.Load(); begun != 0 {
		return time.Since(time.Unix(0, begun))
	}
	return 0
}

// Totals is what Writes has counted.
type Totals struct {
	Groups    tally.Distribution // of commits in each; Sum is how many commits there were
	Syncs     tally.Distribution // how long each took to be durable
	Failed    int64              // groups that could not be written
	Conflicts int64              // commits that were refused for one
	Refused   int64              // commits that were refused for another reason
}

// Totals returns what was counted so far.
func (w *Writes) Totals() Totals {
	return Totals{
		Groups: w.groups.Read(), Syncs: w.syncs.Read(), Failed: w.failed.Load(),
		Conflicts: w.decisions[0].Load(), Refused: w.decisions[1].Load(),
	}
}
