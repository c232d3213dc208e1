package dispatch

import (
	"testing"
	"time"
)

// TestAClosedLaneStaysClosed: that a route cools down lets no commit past the lane
// of whoever has lost to others.
func TestAClosedLaneStaysClosed(t *testing.T) {
	var l lane
	if err := l.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	of, now := route{"POST", "/"}, time.Now()
	l.ran(of, true, now)
	l.close()
	for range 10 * lateRuns { // they were past the lane before it was closed
		l.ran(of, false, now)
	}
	if !l.isClosed() {
		t.Error("the lane is open before it was passed on")
	}
	l.pass()
	if l.isClosed() || l.warm.Load() {
		t.Error("the lane was passed on, no route conflicts, and requests look at it further")
	}
}
