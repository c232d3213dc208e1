package watch

import (
	"testing"
	"time"
)

// TestEdited tells what somebody saves during a build from what the build makes.
func TestEdited(t *testing.T) {
	before := Snapshot{"a": {size: 1}, "made": {size: 1, made: true}, "same": {size: 3}, "gone": {size: 1}}
	now := Snapshot{"a": {size: 1}, "made": {size: 2, made: true}, "new": {size: 1}, "same": {size: 3, time: time.Now()}}
	if got := before.Edited(now); got != "" {
		t.Errorf("%q counts as saved", got)
	}
	now["a"] = stamp{size: 2}
	if got := before.Edited(now); got != "a" {
		t.Errorf("got %q, want the file that was saved", got)
	}
}
