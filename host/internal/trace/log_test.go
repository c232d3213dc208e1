package trace_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// whole is a record in which nothing is zero.
func whole(id string) trace.Record {
	return trace.Record{
		ID: id, Plugin: "demo", Version: 3, Trigger: "http", Method: "POST", Path: "/demo/a", Pattern: "POST /a",
		Start: time.Unix(7, 0), Wait: 1, Wake: 2, Run: 4, Commit: 8,
		Attempts: 3, Outcome: "aborted", Replayed: true, Status: 200, Code: "conflict", Error: "changed meanwhile",
		BytesIn: 5, BytesOut: 6, Conflict: true, ConflictSpace: 16, ConflictKey: "key",
	}
}

func TestFind(t *testing.T) {
	var l trace.Log
	if got := l.Find(""); len(got) != 0 {
		t.Errorf("an empty log finds %+v", got)
	}
	first, second, good := whole("a"), whole("a"), trace.Record{ID: "a", Status: 200, Attempts: 1, Start: time.Unix(8, 0)}
	second.Start = time.Unix(9, 0)
	for _, r := range []trace.Record{second, first, whole("b"), good} {
		l.Add(&r)
	}
	if diff := cmp.Diff([]trace.Record{first, good, second}, l.Find("a")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestGoodOnesDoNotPushOutOthers, and the oldest of a kind go first.
func TestGoodOnesDoNotPushOutOthers(t *testing.T) {
	var l trace.Log
	failed := whole("failed")
	l.Add(&failed)
	for i := range 2 * trace.Recent {
		l.Add(&trace.Record{ID: fmt.Sprint(i), Status: 200, Attempts: 1})
	}
	for id, want := range map[string]int{"failed": 1, fmt.Sprint(trace.Recent - 1): 0, fmt.Sprint(trace.Recent): 1} {
		if got := l.Find(id); len(got) != want {
			t.Errorf("%d records of %q, want %d", len(got), id, want)
		}
	}
}

// TestTextsAreCut: whoever chooses them, the memory of a log is bounded.
func TestTextsAreCut(t *testing.T) {
	var l trace.Log
	id, long := strings.Repeat("i", 128), strings.Repeat("x", 1<<20)
	r := whole(id)
	r.Path, r.Pattern, r.Error, r.ConflictKey = long, long, long, long
	l.Add(&r)
	got := l.Find(id)
	if len(got) != 1 {
		t.Fatalf("%d records", len(got))
	}
	size := 0
	for _, text := range []string{got[0].ID, got[0].Plugin, got[0].Method, got[0].Path, got[0].Pattern, got[0].Error, got[0].ConflictKey} {
		size += len(text)
	}
	if size > 384 || got[0].Plugin != "demo" || got[0].ConflictKey != long[:128] {
		t.Errorf("%d bytes of text: %+v", size, got[0])
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	var l trace.Log
	for _, r := range []trace.Record{whole("a"), {ID: "b"}} {
		for range trace.Recent {
			l.Add(&r)
		}
		if n := testing.AllocsPerRun(100, func() { l.Add(&r) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestHammer(t *testing.T) {
	var l trace.Log
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			r := whole(strings.Repeat(fmt.Sprint(i), 40))
			for range 500 {
				l.Add(&r)
				for _, got := range l.Find(r.ID) {
					if got != r {
						t.Errorf("found %+v, want %+v", got, r)
					}
				}
			}
		})
	}
	all.Wait()
}
