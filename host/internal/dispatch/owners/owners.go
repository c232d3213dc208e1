// Package owners knows which plugins have requests: those that serve, and those that do
// no more. Package deploy asks it for operators.
package owners

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Leavers are plugins that serve no more, while requests that had begun still run. The
// zero Leavers are none. Safe for concurrent use.
type Leavers struct {
	mu  sync.Mutex
	all map[*dispatch.Plugin]string // their names
}

// Add adds one that is about to serve no more.
func (l *Leavers) Add(name string, p *dispatch.Plugin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[*dispatch.Plugin]string{}
	}
	// Of those from before nobody begins a request any more.
	maps.DeleteFunc(l.all, func(other *dispatch.Plugin, _ string) bool { return other.Idle() })
	l.all[p] = name
}

// All returns those that have requests, with their names. The map is the caller's.
func (l *Leavers) All() Owners {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := Owners{}
	for p, name := range l.all {
		if !p.Idle() {
			all[p] = name
		}
	}
	return all
}

// Owners are plugins with their names.
type Owners map[*dispatch.Plugin]string

// Requests returns those that the plugins of a name have.
func (o Owners) Requests(name string) (all []dispatch.Request) {
	for p, of := range o {
		if of == name {
			all = append(all, p.Requests()...)
		}
	}
	slices.SortStableFunc(all, func(a, b dispatch.Request) int { return cmp.Compare(b.Age, a.Age) })
	return all
}

// Recent returns the recent requests with an id, the oldest first.
func (o Owners) Recent(id string) (found []trace.Record) {
	for p := range o {
		found = append(found, p.Recent.Find(id)...)
	}
	slices.SortStableFunc(found, func(a, b trace.Record) int { return a.Start.Compare(b.Start) })
	return found
}

// Kill ends the requests with an id of the plugins that may lets, and calls tell with
// how many there were of each, until that fails.
func (o Owners) Kill(id string, may func(name string) error, tell func(name string, n int) error) (n int, err error) {
	for p, name := range o {
		if may(name) != nil {
			continue
		}
		if ended := p.Kill(id); ended > 0 {
			n += ended
			if err := tell(name, ended); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
