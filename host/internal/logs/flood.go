package logs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
)

// What one plugin may log, over all its versions: so much at a time, and so much in
// each second after that.
const (
	Bytes          = 256 << 10 // of its own lines in a second
	BytesAtOnce    = 10 * Bytes
	Failures       = 10 // lines of requests that failed in a second
	FailuresAtOnce = 10 * Failures
)

// Floods says how many lines of plugins were dropped: for each plugin, 10 s after
// the first of them. Close it. Safe for concurrent use.
type Floods struct {
	log   *slog.Logger
	rings *ring.Folder

	mu      sync.Mutex
	pending []*Source // that have dropped something

	wake        chan struct{}
	ended, done chan struct{}
}

// NewFloods returns a Floods that says so to log, and at once to the rings of the
// plugins; nil = there are none.
func NewFloods(log *slog.Logger, rings *ring.Folder) *Floods {
	f := &Floods{log: log, rings: rings, wake: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
	go f.run()
	return f
}

const tellDropped = 10 * time.Second

func (f *Floods) run() {
	defer close(f.done)
	for ended := false; !ended; f.tell() {
		select {
		case <-f.wake:
		case <-f.ended:
		}
		select {
		case <-time.After(tellDropped):
		case <-f.ended:
			ended = true
		}
	}
}

// Close says what is left to say.
func (f *Floods) Close() {
	close(f.ended)
	<-f.done
}

func (f *Floods) tell() {
	f.mu.Lock()
	list := f.pending
	f.pending = nil
	f.mu.Unlock()
	for _, s := range list {
		lines, failures := s.lines.Swap(0), s.failures.Swap(0)
		if lines+failures == 0 { // it was noted for both
			continue
		}
		f.log.LogAttrs(context.Background(), slog.LevelWarn, "more lines of a plugin were dropped in the last 10 s",
			slog.String("plugin", s.plugin), slog.Int64("lines", lines), slog.Int64("failed_requests", failures))
	}
}

// note has it told that s has dropped something.
func (f *Floods) note(s *Source) {
	f.mu.Lock()
	f.pending = append(f.pending, s)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Source bounds what is logged of one plugin. A nil Source bounds nothing. Safe for
// concurrent use.
type Source struct {
	floods *Floods
	plugin string
	ring   *ring.Ring

	bytes, failing  bucket
	lines, failures atomic.Int64 // dropped, since it was told
	dropped         atomic.Int64 // in all
}

// Source returns a source for a plugin, whose ring keeps lines from then on; nil of a
// nil Floods.
func (f *Floods) Source(plugin string) *Source {
	if f == nil {
		return nil
	}
	return &Source{floods: f, plugin: plugin, ring: f.rings.Ring(plugin)}
}

// Logger returns a logger for the plugin's own lines: log, without those for which
// there is no room.
func (s *Source) Logger(log *slog.Logger) *slog.Logger {
	if s == nil {
		return log
	}
	return slog.New(bounded{log.Handler(), s})
}

// Failed reports whether a line may say that a request to the plugin failed.
func (s *Source) Failed() bool {
	if s == nil || s.failing.take(1, Failures, FailuresAtOnce) {
		return true
	}
	s.drop(&s.failures)
	return false
}

func (s *Source) drop(of *atomic.Int64) {
	s.ring.Drop()
	s.dropped.Add(1)
	if of.Add(1) == 1 {
		s.floods.note(s)
	}
}

// Dropped returns how many lines were dropped so far.
func (s *Source) Dropped() int64 {
	if s == nil {
		return 0
	}
	return s.dropped.Load()
}

// bounded is a handler that drops what a source has no room for, before it costs
// anything.
type bounded struct {
	slog.Handler
	source *Source
}

func (b bounded) Handle(ctx context.Context, r slog.Record) error {
	if !b.source.bytes.take(size(&r), Bytes, BytesAtOnce) {
		b.source.drop(&b.source.lines)
		return nil
	}
	return b.Handler.Handle(ctx, r)
}

func (b bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bounded{b.Handler.WithAttrs(attrs), b.source}
}

func (b bounded) WithGroup(name string) slog.Handler {
	return bounded{b.Handler.WithGroup(name), b.source}
}

// size is about how many bytes a record takes.
func size(r *slog.Record) int64 {
	const fixed = 160 // time, level, plugin, version and request id
	n := int64(fixed + len(r.Message))
	r.Attrs(func(a slog.Attr) bool { n += sizeOf(a); return true })
	return n
}

func sizeOf(a slog.Attr) int64 {
	const punctuation = 6
	n := int64(len(a.Key) + punctuation)
	switch a.Value.Kind() {
	case slog.KindString:
		return n + int64(len(a.Value.String()))
	case slog.KindGroup:
		for _, in := range a.Value.Group() {
			n += sizeOf(in)
		}
	}
	return n
}

// bucket lets so much through at once, and so much in each second after that. The
// zero bucket is full.
type bucket struct {
	full atomic.Int64 // when it is full again, in nanoseconds since 1970
}

// take takes n from a bucket of so many a second, unless it has not so much.
func (b *bucket) take(n, perSecond, most int64) bool {
	now := time.Now().UnixNano()
	cost := n * int64(time.Second) / perSecond
	for {
		old := b.full.Load()
		next := max(old, now) + cost
		if next-now > most*int64(time.Second)/perSecond {
			return false
		}
		if b.full.CompareAndSwap(old, next) {
			return true
		}
	}
}
