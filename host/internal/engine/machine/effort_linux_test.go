package machine

import (
	"context"
	"errors"
	"testing"
	"time"
)

// An effort ends when its goroutine has computed, and not when time has passed.
func TestEffort(t *testing.T) {
	const most = 20 * time.Millisecond
	ctx, cancel := computing(t.Context(), most)
	defer cancel()
	time.Sleep(3 * most) // what others compute meanwhile is nobody's effort here
	if err := ctx.Err(); err != nil {
		t.Fatalf("after waiting: %v", err)
	}
	begun := computed()
	for ctx.Err() == nil {
		if computed()-begun > 100*most {
			t.Fatal("it does not end")
		}
	}
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	inner, release := computing(ctx, time.Hour)
	defer release()
	if inner.Err() == nil {
		t.Error("what is within it goes on")
	}
}
