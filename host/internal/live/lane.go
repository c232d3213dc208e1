package live

import (
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
)

// lane has the answers of one plugin run, first come first served and few at a time:
// what one commit wakes, and whoever returns after a restart, comes as a line and not as
// a herd. An answer that a client sees for the first time does not wait for that line: it
// takes turns with it.
type lane struct {
	service *Service
	plugin  *dispatch.Plugin
	users   int // answers; the service's lock guards it

	mu      sync.Mutex
	most    int
	running int
	ready   line
	first   line // before a client has any state
	turn    bool // whether the next is of first
}

// line is answers in the order in which they came. One may be in it again, or be done.
type line []*answer

// take takes the first; there is one.
func (l *line) take() (a *answer) {
	a, (*l)[0] = (*l)[0], nil
	*l = (*l)[1:]
	return a
}

// mostRuns bounds the runs of a plugin at a time.
const mostRuns = 4

// resize has the lane leave most of the plugin's places to requests of clients.
func (l *lane) resize(concurrency int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = max(1, min(mostRuns, concurrency/2))
}

// push puts an answer at the end of a line.
func (l *lane) push(a *answer, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first {
		l.first = append(l.first, a)
	} else {
		l.ready = append(l.ready, a)
	}
	if l.running < l.most {
		l.running++
		l.service.Go(l.work)
	}
}

// work runs what waits until nothing does.
func (l *lane) work() {
	for a := l.next(); a != nil; a = l.next() {
		a.run()
	}
}

// next takes the first of the lines in turn; nil = there is none, and then the worker ends.
func (l *lane) next() *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready)+len(l.first) == 0 || l.running > l.most {
		l.running--
		return nil
	}
	if l.turn = !l.turn; l.turn && len(l.first) > 0 || len(l.ready) == 0 {
		return l.first.take()
	}
	return l.ready.take()
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ready) + len(l.first)
}
