package term

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// sink is a standard stream of the program. It keeps the first error of a write,
// so that no command can fail to notice one. Safe for concurrent use when w is.
type sink struct {
	w      io.Writer
	failed func(error) // told each error; may be called concurrently

	mu  sync.Mutex
	err error
}

func (s *sink) Write(data []byte) (int, error) {
	n, err := s.w.Write(data)
	if err != nil {
		s.keep(err)
		s.failed(err)
	}
	return n, err
}

func (s *sink) keep(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// failure returns the first error of a write.
func (s *sink) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ReaderGone reports whether a write failed because nobody reads any more, as
// `head` does when it has seen enough.
func ReaderGone(err error) bool { return errors.Is(err, syscall.EPIPE) }
