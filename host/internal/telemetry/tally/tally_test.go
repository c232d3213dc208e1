package tally_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/telemetry/tally"
)

func TestHistogram(t *testing.T) {
	h := tally.New(1, 2, 4)
	for _, v := range []int64{-5, 0, 1, 2, 3, 4, 5, 100} {
		h.Add(v)
	}
	want := tally.Distribution{Bounds: []int64{1, 2, 4}, Below: []uint64{3, 4, 6}, Count: 8, Sum: 115}
	if diff := cmp.Diff(want, h.Read()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	d := tally.NewDurations()
	for _, bound := range tally.Seconds { // a value at the bound is below it, one after it is not
		d.Add(int64(bound * 1e9))
		d.Add(int64(bound*1e9) + 1)
	}
	got := d.Read()
	for i, n := range got.Below {
		if n != uint64(2*i+1) {
			t.Errorf("%d values up to %v s, want %d", n, tally.Seconds[i], 2*i+1)
		}
	}
}

// seen returns how many requests were counted of each series.
func seen(m *tally.Meter) map[string]uint64 {
	got := map[string]uint64{}
	m.Each(func(s tally.Series, d tally.Distribution) {
		got[fmt.Sprint(s.Version, " ", s.Method, " ", s.Route, " ", s.Status)] += d.Count
	})
	return got
}

func TestMeter(t *testing.T) {
	var m tally.Meter
	m.Begin(1)
	m.Observe(1, "GET /users/{id}", "GET", 200, time.Millisecond)
	m.Observe(1, "/users/{id}", "GET", 200, time.Millisecond)
	m.Observe(1, "GET  /users/{id}", "HEAD", 200, time.Millisecond)
	m.Observe(1, "", "BREW", 404, time.Millisecond)
	m.Observe(1, "GET /\xff", "GET", 200, time.Millisecond)
	m.Observe(1, "/"+strings.Repeat("a", 500), "GET", 200, time.Millisecond)
	want := map[string]uint64{"1 GET /users/{id} 200": 2, "1 HEAD /users/{id} 200": 1, "1 _OTHER none 404": 1, "1 GET other 200": 2}
	if diff := cmp.Diff(want, seen(&m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestVersions: those that serve are counted, and the last that did, so that its last
// requests are seen.
func TestVersions(t *testing.T) {
	var m tally.Meter
	for version := 1; version <= 3; version++ {
		m.Begin(version)
		m.Observe(version, "/", "GET", 200, 0)
		if version > 1 {
			m.End(version - 1)
		}
		m.Observe(version-1, "/", "GET", 200, 0) // a drained request whose answer was late
	}
	m.Begin(4) // tried and not activated
	m.End(4)
	if diff := cmp.Diff(map[string]uint64{"2 GET / 200": 2, "3 GET / 200": 1}, seen(&m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m.Begin(3) // a change of a var
	m.End(3)
	m.Observe(3, "/", "GET", 200, 0)
	if got := seen(&m)["3 GET / 200"]; got != 2 {
		t.Errorf("%d requests of version 3, want 2: a new deployment of a version goes on counting", got)
	}
	m.Close()
	if got := seen(&m); len(got) != 0 {
		t.Errorf("a plugin that is gone has %v", got)
	}
}

// TestSeriesAreBounded, whatever a guest calls its routes; all requests are counted.
func TestSeriesAreBounded(t *testing.T) {
	var m tally.Meter
	m.Room = tally.NewRoom(tally.MaxAll)
	m.Begin(1)
	const requests = 5000
	for i := range requests {
		m.Observe(1, fmt.Sprint("GET /", i%500), []string{"GET", "POST", "X"}[i%3], 100+i%499, 0)
	}
	routes, series, total := map[string]bool{}, 0, uint64(0)
	m.Each(func(s tally.Series, d tally.Distribution) {
		routes[s.Route] = true
		series++
		total += d.Count
	})
	if len(routes) > tally.MaxRoutes+1 || series > tally.MaxSeries+5 || total != requests {
		t.Errorf("%d routes, %d series, %d requests; want at most %d and %d, and %d", len(routes), series, total, tally.MaxRoutes+1, tally.MaxSeries+5, requests)
	}
}

// TestRoomIsShared: where all plugins together have too many, the others are counted
// coarsely, and room comes back with what is forgotten.
func TestRoomIsShared(t *testing.T) {
	room := tally.NewRoom(3)
	a, b := tally.Meter{Room: room}, tally.Meter{Room: room}
	a.Begin(1)
	b.Begin(1)
	for i := range 3 {
		a.Observe(1, fmt.Sprint("/", i), "GET", 200, 0)
	}
	for i := range 3 {
		b.Observe(1, fmt.Sprint("/", i), "GET", 404, 0)
	}
	if diff := cmp.Diff(map[string]uint64{"1 _OTHER other 4": 3}, seen(&b)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	a.Close()
	c := tally.Meter{Room: room}
	c.Begin(1)
	c.Observe(1, "/", "GET", 200, 0)
	if seen(&c)["1 GET / 200"] != 1 {
		t.Errorf("no room came back: %v", seen(&c))
	}
}

// TestClosedMeterTakesNoRoom: a plugin is gone before its last requests are over.
func TestClosedMeterTakesNoRoom(t *testing.T) {
	room := tally.NewRoom(1)
	gone, other := tally.Meter{Room: room}, tally.Meter{Room: room}
	gone.Begin(1)
	gone.Close()
	gone.Observe(1, "/late", "GET", 200, 0)
	gone.End(1)
	other.Begin(1)
	other.Observe(1, "/", "GET", 200, 0)
	if diff := cmp.Diff(map[string]uint64{"1 GET / 200": 1}, seen(&other)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	gone.Begin(2)
	other.Close()
	gone.Observe(2, "/", "GET", 200, 0)
	if diff := cmp.Diff(map[string]uint64{"2 GET / 200": 1}, seen(&gone)); diff != "" {
		t.Errorf("a plugin that is there again: (-want +got)\n%s", diff)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var m tally.Meter
	m.Begin(1)
	observe := func() { m.Observe(1, "GET /users/{id}", "GET", 200, time.Millisecond) }
	observe()
	if n := testing.AllocsPerRun(100, observe); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHammer(t *testing.T) {
	var m tally.Meter
	var all sync.WaitGroup
	m.Begin(1)
	const each = 500
	for i := range 4 {
		all.Go(func() {
			for n := range each {
				m.Observe(1, fmt.Sprint("/", n%20), "GET", 200+i, 0)
				m.Each(func(tally.Series, tally.Distribution) {})
				m.Begin(2)
				m.End(2)
			}
		})
	}
	all.Wait()
	total := uint64(0)
	for _, n := range seen(&m) {
		total += n
	}
	if total != 4*each {
		t.Errorf("%d requests, want %d", total, 4*each)
	}
}

func BenchmarkObserve(b *testing.B) {
	var m tally.Meter
	m.Begin(1)
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(1, "GET /users/{id}", "GET", 200, time.Millisecond)
	}
}
