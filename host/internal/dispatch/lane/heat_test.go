package lane

import (
	"testing"
	"time"
)

// TestAClosedLaneStaysClosed: that a route cools down lets no commit past the lane
// of whoever has lost to others.
func TestAClosedLaneStaysClosed(t *testing.T) {
	var l Lane
	if err := l.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	of, now := Route{"POST", "/"}, time.Now()
	l.Ran(of, true, now)
	l.Close()
	for range 10 * lateRuns { // they were past the lane before it was closed
		l.Ran(of, false, now)
	}
	if !l.IsClosed() {
		t.Error("the lane is open before it was passed on")
	}
	l.Pass()
	if l.IsClosed() || l.warm.Load() {
		t.Error("the lane was passed on, no route conflicts, and requests look at it further")
	}
}
