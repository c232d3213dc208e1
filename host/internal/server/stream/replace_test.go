package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestReplace sends far more states than any buffer holds to a client that does not read:
// at most two are unsent at any time, it is not dropped, and when it reads it gets some of
// them in order, and the last.
func TestReplace(t *testing.T) {
	s := openOne(t, newStreams(t, Config{QueueEvents: 1, QueueBytes: 1}), Opening{Kind: EventSource})
	const states = 2000
	filler := strings.Repeat("x", 16<<10)
	for i := range states {
		if !s.one.Replace(NewEvent(fmt.Sprint(i), "", true, []byte(filler))) {
			t.Fatal("a slow client was dropped")
		}
		if n := s.one.Waiting(); n > 2 {
			t.Fatalf("%d are unsent", n)
		}
	}
	last, seen := -1, 0
	for last != states-1 {
		line, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d of %d states: %v", seen, states, err)
		}
		var id int
		if n, _ := fmt.Sscanf(line, "id: %d", &id); n == 1 {
			if id <= last {
				t.Fatalf("after %d came %d", last, id)
			}
			last, seen = id, seen+1
		}
	}
	if seen == states {
		t.Error("nothing was left out; the client was not slow")
	}
	for end := time.Now().Add(patience); s.one.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was read still waits")
		}
	}
	s.one.Close(CodeNormal, "")
	if s.one.Replace(NewEvent("", "", true, nil)) {
		t.Error("a stream that is over takes more")
	}
}
