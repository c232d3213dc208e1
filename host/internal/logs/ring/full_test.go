package ring

import (
	"strings"
	"testing"
	"time"
)

// TestFullForLong: while the disk is full, what says how many lines were dropped is
// bounded too, and they are told once there is room.
func TestFullForLong(t *testing.T) {
	r := &Ring{folder: &Folder{wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}}
	now, dropped := time.Unix(1000, 0), int64(0)
	for range 20_000 {
		now = now.Add(tellMissed)
		r.Append(&Line{Time: now, Message: strings.Repeat("x", 1000)})
		r.take(now, true, false)
	}
	if len(r.waiting) > maxWaiting+maxBody {
		t.Errorf("%d bytes wait", len(r.waiting))
	}
	lines := r.take(now, false, true)
	for rest := lines; len(rest) > 0; {
		body, next, ok := cut(rest)
		l, whole := decode(body)
		if !ok || !whole {
			t.Fatal("a line is torn")
		}
		dropped, rest = dropped+max(l.Dropped, 1), next
	}
	if dropped != 20_000 {
		t.Errorf("%d lines are kept or told of, want 20000", dropped)
	}
}
