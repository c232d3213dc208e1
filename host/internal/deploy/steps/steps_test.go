package steps

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStepWithin: the time of a step is not that of the steps within it, nor is what is to
// be known of them: who adds up all steps has the time that they took.
func TestStepWithin(t *testing.T) {
	now := time.Unix(0, 0)
	w := Watch{Clock: func() time.Time { return now }}
	takes := func(d time.Duration, note string) error {
		now = now.Add(d)
		w.Note(note)
		return nil
	}
	err := w.Run("activate", func() error {
		_ = takes(time.Second, "one")
		if err := w.Run("migrate", func() error { return takes(10*time.Second, "main: 001") }); err != nil {
			return err
		}
		return takes(2*time.Second, "two")
	})
	want := []Step{{"migrate", 10 * time.Second, "main: 001"}, {"activate", 3 * time.Second, "one; two"}}
	if diff := cmp.Diff(want, w.Steps); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
