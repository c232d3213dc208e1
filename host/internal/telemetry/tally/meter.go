package tally

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// How many series there are. What is over them is counted as Other.
const (
	MaxRoutes = 100 // routes of one plugin, over the versions that it counts
	MaxSeries = 300 // of one plugin
	MaxAll    = 10_000
	maxRoute  = 200 // bytes of a route; a longer one is Other
)

// Names of routes and methods that stand for many.
const (
	Other       = "other"  // a route over MaxRoutes, or that is no text
	None        = "none"   // the plugin has no routes, and its handler named none
	OtherMethod = "_OTHER" // as OpenTelemetry has it
)

// Series is what requests have in common that are counted together.
type Series struct {
	Version int
	Route   string // the pattern below the mount, without its method
	Method  string
	Status  int // below 10 a class: 5 stands for 500 to 599
}

// Room is how many more series all meters that share it may have. The zero Room has
// none left: make it with NewRoom.
type Room struct{ left atomic.Int64 }

// NewRoom returns room for n series.
func NewRoom(n int64) *Room {
	r := new(Room)
	r.left.Store(n)
	return r
}

// take takes room for one series; a nil Room always has some.
func (r *Room) take() bool {
	if r == nil || r.left.Add(-1) >= 0 {
		return true
	}
	r.left.Add(1)
	return false
}

func (r *Room) give(n int) {
	if r != nil {
		r.left.Add(int64(n))
	}
}

// lingers is for how long a version is counted after its last deployment has ended,
// so that who looks now and then sees its last requests.
const lingers = 5 * time.Minute

// Meter counts the requests of one plugin and how long they took. The zero Meter has
// counted none. Safe for concurrent use; Observe takes a lock only for the first
// request of a series.
type Meter struct {
	// Room bounds the series of all plugins; nil = nothing does. Set it before the
	// first request.
	Room *Room

	table atomic.Pointer[table] // replaced, never changed; nil = empty

	mu       sync.Mutex
	serving  map[int]int // how many deployments a version has
	previous int         // the version whose last deployment ended last; 0 = none
	ended    time.Time   // when that was
	closed   bool        // the plugin is gone, and its last requests may not be over
}

// table is the series of a meter.
type table struct {
	series map[Series]*Histogram
	routes map[string]bool
	full   bool // there may be no more series but the coarse ones
}

// Observe counts a request that took so long. The pattern may have a method before
// the path; "" = there is none.
func (m *Meter) Observe(version int, pattern, method string, status int, took time.Duration) {
	s := Series{Version: version, Route: routeOf(pattern), Method: methodOf(method), Status: status}
	t := m.table.Load()
	h := t.find(&s)
	if h == nil {
		h = m.add(s)
	}
	h.Add(int64(took))
}

// find returns the histogram of a series, or of the coarser one that it is a part
// of, which it then is; nil = there is none yet.
func (t *table) find(s *Series) *Histogram {
	if t == nil {
		return nil
	}
	if h := t.series[*s]; h != nil {
		return h
	}
	if len(t.routes) >= MaxRoutes && !t.routes[s.Route] {
		s.Route = Other
		if h := t.series[*s]; h != nil {
			return h
		}
	}
	if t.full {
		*s = coarse(*s)
	}
	return t.series[*s]
}

// coarse is what a series is counted as where there is no room for it. A version has
// five of them.
func coarse(s Series) Series {
	if s.Status >= 10 {
		s.Status /= 100
	}
	return Series{Version: s.Version, Route: Other, Method: OtherMethod, Status: s.Status}
}

// add makes the histogram of a series.
func (m *Meter) add(s Series) *Histogram {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return NewDurations()
	}
	t := m.table.Load()
	if !isLabel(s.Route) {
		s.Route = Other
	}
	if h := t.find(&s); h != nil {
		return h
	}
	next := &table{series: map[Series]*Histogram{}, routes: map[string]bool{}}
	if t != nil {
		next = &table{series: maps.Clone(t.series), routes: maps.Clone(t.routes), full: t.full}
	}
	if !next.full && (len(next.series) >= MaxSeries || !m.Room.take()) {
		next.full = true
		s = coarse(s)
	}
	s.Route, s.Method = strings.Clone(s.Route), strings.Clone(s.Method) // they may be parts of a request
	h := next.series[s]
	if h == nil {
		h = NewDurations()
		next.series[s] = h
	}
	if s.Route != Other {
		next.routes[s.Route] = true
	}
	m.table.Store(next)
	return h
}

// Begin notes that a version has one deployment more.
func (m *Meter) Begin(version int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving == nil {
		m.serving = map[int]int{}
	}
	m.serving[version]++
	m.closed = false
}

// End notes that one of them has ended. Of the versions without any only the last is
// remembered.
func (m *Meter) End(version int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving[version]--; m.serving[version] > 0 {
		return
	}
	delete(m.serving, version)
	t := m.table.Load()
	if !t.has(version) {
		return
	}
	m.previous, m.ended = version, time.Now()
	m.forget(t)
}

func (t *table) has(version int) bool {
	if t != nil {
		for s := range t.series {
			if s.Version == version {
				return true
			}
		}
	}
	return false
}

// forget drops the series of versions that are not counted any more. The caller
// holds mu.
func (m *Meter) forget(t *table) {
	next := &table{series: map[Series]*Histogram{}, routes: map[string]bool{}}
	for s, h := range t.series {
		if s.Version != m.previous && m.serving[s.Version] == 0 {
			continue
		}
		next.series[s] = h
		if s.Route != Other {
			next.routes[s.Route] = true
		}
	}
	m.Room.give(t.detailed() - next.detailed())
	m.table.Store(next)
}

// detailed is how many series take room.
func (t *table) detailed() (n int) {
	for s := range t.series {
		if s.Status >= 10 {
			n++
		}
	}
	return n
}

// Close forgets everything, and gives back the room: the plugin is gone. What ends
// afterwards is not counted, until a version begins again.
func (m *Meter) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if t := m.table.Swap(nil); t != nil {
		m.Room.give(t.detailed())
	}
}

// Each calls yield with each series of the versions that have a deployment, or had
// one until a moment ago, in no order.
func (m *Meter) Each(yield func(Series, Distribution)) {
	m.mu.Lock()
	shown := maps.Clone(m.serving)
	if m.previous != 0 && time.Since(m.ended) < lingers {
		shown[m.previous]++
	}
	m.mu.Unlock()
	t := m.table.Load()
	if t == nil {
		return
	}
	for s, h := range t.series {
		if shown[s.Version] > 0 {
			yield(s, h.Read())
		}
	}
}

// routeOf is the path of a pattern.
func routeOf(pattern string) string {
	if at := strings.IndexByte(pattern, ' '); at >= 0 {
		pattern = strings.TrimLeft(pattern[at:], " ")
	}
	if pattern == "" {
		return None
	}
	return pattern
}

// methodOf is the method, if it is one that programs know.
func methodOf(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
		return method
	}
	return OtherMethod
}

// isLabel reports whether a route, which may come from a guest, can be shown.
func isLabel(route string) bool { return len(route) <= maxRoute && utf8.ValidString(route) }
