package accept

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestRetryPace(t *testing.T) {
	var r retry
	now := time.Unix(1_000_000, 0)
	var slept time.Duration
	told := 0
	for i, ms := range []int{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000} {
		delay, tell := r.failed(now)
		if want := time.Duration(ms) * time.Millisecond; delay != want {
			t.Errorf("delay %d is %v, want %v", i, delay, want)
		}
		if tell {
			told++
		}
		slept += delay
		now = now.Add(delay)
	}
	if want := 4; told != want { // at 0 s, 1.275 s, 2.275 s, 3.275 s
		t.Errorf("told %d times in %v, want %d", told, slept, want)
	}
	r.delay = 0
	if delay, tell := r.failed(now.Add(-time.Millisecond)); delay != firstRetry || tell {
		t.Errorf("after a success: delay %v, told %v", delay, tell)
	}
}

// TestAcceptPasses has its denied twin in TestAcceptEndsForGood of package wire.
func TestAcceptPasses(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM} {
		if !passes(servertest.AcceptError(err)) {
			t.Errorf("%v ends the listener", err)
		}
	}
	for _, err := range []error{net.ErrClosed, io.EOF, servertest.AcceptError(syscall.EBADF)} {
		if passes(err) {
			t.Errorf("%v is tried again", err)
		}
	}
}
