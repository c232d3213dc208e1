package live

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store/kept"
)

// counts are what a Service has counted since the start.
type counts struct {
	streams                                               atomic.Int64 // that there are
	runs, states, unchanged, sent, retries, failed, ended atomic.Int64
	full                                                  atomic.Int64
}

// Totals are what there is, and what was counted since the start.
type Totals struct {
	Streams   int64 // clients
	Answers   int64 // that they share
	Waiting   int64 // answers in line for a run
	Runs      int64 // of handlers
	States    int64 // runs whose answer was another than before
	Unchanged int64 // runs whose answer was not
	Sent      int64 // events, over all clients
	Retries   int64 // runs that had no place, and were tried again
	Failed    int64 // runs after which an answer was no longer live
	Ended     int64 // streams that the host has ended for such a reason
	Full      int64 // runs after which it was none for want of memory; they are no failed ones
	Index     kept.Stats
}

// Totals returns how live answers do.
func (s *Service) Totals() Totals {
	c := &s.counts
	t := Totals{
		Streams: c.streams.Load(), Runs: c.runs.Load(), States: c.states.Load(), Unchanged: c.unchanged.Load(), Sent: c.sent.Load(),
		Retries: c.retries.Load(), Failed: c.failed.Load(), Ended: c.ended.Load(), Full: c.full.Load(), Index: s.index.Stats(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Answers = int64(len(s.answers))
	for _, l := range s.lanes {
		t.Waiting += int64(l.waiting())
	}
	return t
}

// Memory is what answers take, and may take, as they are sent.
func (s *Service) Memory() *limit.Budget { return s.memory }

// Of is what there is of a plugin.
type Of struct {
	Plugin           string
	Streams, Answers int64
}

// Plugins returns what there is of each plugin that has live answers, by name.
func (s *Service) Plugins() (list []Of) {
	by := map[string]*Of{}
	for _, a := range s.list() {
		name := a.deployment.Env().Plugin
		if by[name] == nil {
			by[name] = &Of{Plugin: name}
		}
		by[name].Answers++
		by[name].Streams += int64(len(a.shared()))
	}
	for _, of := range by {
		list = append(list, *of)
	}
	slices.SortFunc(list, func(a, b Of) int { return strings.Compare(a.Plugin, b.Plugin) })
	return list
}
