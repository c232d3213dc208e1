// Package logs keeps log lines from harming the requests they tell of: whoever
// logs never waits for a reader, and no plugin's lines push out another's or the
// host's. Package host and the binary make its parts; dispatch, deploy and
// server/public use them.
package logs

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Sink writes lines to one place, in the order they come, from a goroutine of its
// own. Lines that find no room are dropped and counted, and a line says so when
// there is room again. Close it. Safe for concurrent use.
type Sink struct {
	out  io.Writer
	tell func(*Loss)

	mu     sync.Mutex
	lines  []byte // that wait
	shares []*share
	closed bool

	wake        chan struct{} // holds one token when lines may wait
	ended, done chan struct{} // closed by Close, and when the goroutine has ended
}

// Loss is what was dropped of the lines of one share.
type Loss struct {
	Share string
	Lines int64
	Err   error // why lines that had room could not be written; nil = there was no room
}

// NewSink returns a sink that writes to out. It calls tell, from its goroutine, with
// what was dropped: once out takes lines again, then at most every 10 s, and at the
// end.
func NewSink(out io.Writer, tell func(*Loss)) *Sink {
	s := &Sink{out: out, tell: tell, wake: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

// share is a part of the room that no other lines take.
type share struct {
	*Sink
	name    string
	room    int
	waits   amount // what waits, or is being written
	writing amount // the part that is being written
	dropped int64  // lines, since it was told
	lost    int64  // lines that it was told of
	failed  error  // the last failure to write, since it was told
}

type amount struct{ bytes, lines int }

// Share returns a writer of whole lines, one with each Write. Its lines wait in
// room bytes of memory. Its Write never waits and never fails.
func (s *Sink) Share(name string, room int) io.Writer {
	sh := &share{Sink: s, name: name, room: room}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shares = append(s.shares, sh)
	return sh
}

// Write keeps a line for the sink's goroutine, or drops it.
func (s *share) Write(line []byte) (int, error) {
	s.mu.Lock()
	if s.closed || s.waits.bytes+len(line) > s.room {
		s.dropped++
		s.mu.Unlock()
		return len(line), nil
	}
	s.lines = append(s.lines, line...)
	s.waits.bytes += len(line)
	s.waits.lines++
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

const (
	// linger is how long the goroutine waits for more after a line: one call of the
	// system then writes them all.
	linger   = 2 * time.Millisecond
	tellLoss = 10 * time.Second
	keptRoom = 256 << 10 // bytes of a buffer
)

func (s *Sink) run() {
	defer close(s.done)
	var spare []byte
	var told time.Time
	for ended := false; !ended; {
		ended = s.await(told)
		spare = s.write(spare)
		if now := time.Now(); (ended || now.Sub(told) >= tellLoss) && s.report() {
			told = now
		}
	}
}

// await waits for lines, or for the time to tell of those that were dropped. It
// reports whether there will be no more lines.
func (s *Sink) await(told time.Time) (ended bool) {
	var due <-chan time.Time
	if s.losing() {
		due = time.After(time.Until(told.Add(tellLoss)))
	}
	select {
	case <-s.ended:
		return true
	case <-due:
	case <-s.wake:
		time.Sleep(linger)
	}
	return false
}

func (s *Sink) losing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.shares, func(sh *share) bool { return sh.dropped > 0 })
}

// write writes the lines that wait, and returns their buffer for those to come.
func (s *Sink) write(spare []byte) []byte {
	lines := s.take(spare)
	if len(lines) > 0 {
		_, err := s.out.Write(lines)
		s.settle(err)
	}
	if cap(lines) > keptRoom {
		return nil
	}
	return lines[:0]
}

// take returns the lines that wait. Those that come meanwhile go to spare.
func (s *Sink) take(spare []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = spare
	for _, sh := range s.shares {
		sh.writing = sh.waits
	}
	return lines
}

// settle frees the room of what was written. If that failed nobody knows how much of
// it arrived.
func (s *Sink) settle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shares {
		if err != nil && sh.writing.lines > 0 {
			sh.dropped += int64(sh.writing.lines)
			sh.failed = err
		}
		sh.waits.bytes -= sh.writing.bytes
		sh.waits.lines -= sh.writing.lines
		sh.writing = amount{}
	}
}

// report tells of what was dropped, and whether anything was.
func (s *Sink) report() bool {
	losses := s.losses()
	for i := range losses {
		s.tell(&losses[i])
	}
	return len(losses) > 0
}

func (s *Sink) losses() (list []Loss) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shares {
		if sh.dropped > 0 {
			list = append(list, Loss{Share: sh.name, Lines: sh.dropped, Err: sh.failed})
			sh.lost += sh.dropped
			sh.dropped, sh.failed = 0, nil
		}
	}
	return list
}

// Dropped returns how many lines were dropped so far.
func (s *Sink) Dropped() (lines int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shares {
		lines += sh.lost + sh.dropped
	}
	return lines
}

// Close drops what comes from then on and waits until what waits is written, at most
// until ctx ends: the error is then that of ctx, and a write to out may never end.
// Call it once.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.ended)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tell returns what logs a loss as a warning.
func Tell(log *slog.Logger) func(*Loss) {
	return func(l *Loss) {
		const slow, failing = "log lines were dropped: whoever reads the log is too slow", "log lines were lost: the log cannot be written"
		attrs := []slog.Attr{slog.String("of", l.Share), slog.Int64("lines", l.Lines)}
		message := slow
		if l.Err != nil {
			message, attrs = failing, append(attrs, slog.Any("error", l.Err))
		}
		log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
	}
}
