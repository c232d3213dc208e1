package store

import (
	"fmt"
	"testing"
)

// TestWatchLags: a watch that nobody takes from keeps no more than its bounds, and
// says that it has lost something.
func TestWatchLags(t *testing.T) {
	var ws Watches
	w := ws.Add(1, nil)
	defer w.Close()
	publish := func(revision Revision, n int) {
		ws.Publish(Group{Revision: revision, Changed: func(yield func(Space, []byte) bool) {
			for i := 0; i < n && yield(1, fmt.Appendf(nil, "%d-%d", revision, i)); i++ {
			}
		}})
	}
	publish(1, 1000)
	publish(2, 1000)
	if c := w.Take(); !c.Lost || len(c.Keys) > 0 || c.Revision != 2 {
		t.Errorf("took %d keys, lost %v, of revision %d", len(c.Keys), c.Lost, c.Revision)
	}
	publish(3, 1)
	if c := w.Take(); c.Lost || len(c.Keys) != 1 {
		t.Errorf("then took %d keys, lost %v", len(c.Keys), c.Lost)
	}
}
