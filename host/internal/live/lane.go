package live

import (
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
)

// lane has the answers of one plugin run, first come first served and few at a time:
// what one commit wakes, and whoever returns after a restart, comes as a line and not as
// a herd.
type lane struct {
	service *Service
	plugin  *dispatch.Plugin
	users   int // answers; the service's lock guards it

	mu      sync.Mutex
	most    int
	running int
	ready   []*answer
}

// mostRuns bounds the runs of a plugin at a time.
const mostRuns = 4

// resize has the lane leave most of the plugin's places to requests of clients.
func (l *lane) resize(concurrency int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = max(1, min(mostRuns, concurrency/2))
}

// push puts an answer at the end of the line.
func (l *lane) push(a *answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = append(l.ready, a)
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

// next takes the first of the line; nil = there is none, and then the worker ends.
func (l *lane) next() *answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 || l.running > l.most {
		l.running--
		return nil
	}
	a := l.ready[0]
	l.ready[0] = nil
	l.ready = l.ready[1:]
	return a
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ready)
}
