package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

func boundsOf(parent context.Context, after time.Duration, client invoke.Client) *bounds {
	b := new(bounds)
	b.begin(parent, after, client, nil)
	return b
}

func TestDeadline(t *testing.T) {
	cause := errors.New("stopped")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	early, stop := context.WithTimeout(t.Context(), -time.Second)
	defer stop()
	for _, c := range []struct {
		name   string
		parent context.Context
		after  time.Duration
		ended  bool
		err    error
		cause  error
	}{
		{"runs", t.Context(), time.Hour, false, nil, nil},
		{"is over", t.Context(), -time.Second, false, context.DeadlineExceeded, context.DeadlineExceeded},
		{"its parent's is over", early, time.Hour, false, context.DeadlineExceeded, context.DeadlineExceeded},
		{"its parent was cancelled", cancelled, time.Hour, false, context.Canceled, cause},
		{"has ended", t.Context(), time.Hour, true, context.Canceled, context.Canceled},
		{"was over when it ended", t.Context(), -time.Second, true, context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		for _, waits := range []string{"never", "before", "later"} {
			t.Run(c.name+"/waits "+waits, func(t *testing.T) {
				d := &boundsOf(c.parent, c.after, nil).handling
				if waits == "before" {
					d.Done()
				}
				if c.ended {
					d.end()
				} else {
					defer d.end()
				}
				for i := range 2 {
					if err := d.Err(); !errors.Is(err, c.err) {
						t.Errorf("Err %v, want %v", err, c.err)
					}
					if err := context.Cause(d); !errors.Is(err, c.cause) {
						t.Errorf("Cause %v, want %v", err, c.cause)
					}
					if waits == "later" && i == 0 {
						d.Done()
					}
				}
				if waits == "never" {
					return
				}
				select {
				case <-d.Done():
					if c.err == nil {
						t.Error("it is done")
					}
				default:
					if c.err != nil {
						t.Error("it is not done")
					}
				}
			})
		}
	}
}

func TestADeadlineWakesWhoWaits(t *testing.T) {
	d := &boundsOf(t.Context(), time.Millisecond, nil).waiting
	defer d.end()
	<-d.Done()
	if err := d.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestADerivedContextEndsWithADeadline(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	d := &boundsOf(parent, time.Hour, nil).handling
	defer d.end()
	derived, stop := context.WithTimeout(d, 2*time.Hour)
	defer stop()
	if at, _ := derived.Deadline(); !at.Equal(d.at) {
		t.Errorf("its deadline is %v, want %v", at, d.at)
	}
	cancel()
	<-derived.Done()
}

// visitor is a client that leaves when the test says so.
type visitor struct{ left func() }

func (v *visitor) Watch(left func()) (stop func()) {
	v.left = left
	return func() { v.left = func() {} }
}

func TestALeavingClientEndsTheWaitOnly(t *testing.T) {
	client := &visitor{}
	b := boundsOf(t.Context(), time.Hour, client)
	if client.left != nil {
		t.Error("a client is watched before anybody waits")
	}
	done := b.waiting.Done()
	if err := b.gaveUp(errors.New("full")); fault.CodeOf(err) == fault.Left {
		t.Errorf("with its client there, a wait gives up with %v", err)
	}
	client.left()
	<-done
	if err := b.waiting.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the wait: %v", err)
	}
	if err := b.gaveUp(errors.New("full")); fault.CodeOf(err) != fault.Left {
		t.Errorf("the wait gives up with %v, want Left", err)
	}
	if err := b.handling.Err(); err != nil {
		t.Errorf("the handler: %v", err)
	}
	b.end()
	if err := b.handling.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the handler after the end: %v", err)
	}
	client.left() // nobody is watched any more
}
