// Package stream keeps connections that were taken over from HTTP: WebSockets, and
// event streams (text/event-stream). It knows bytes, frames and bounds, and nothing of
// plugins: whoever opens a Stream gives it a Listener, which is told what comes, and
// sends on it. server/public opens streams; what listens is given to it.
package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/crowd"
)

// Kind is what a stream speaks.
type Kind uint8

// The kinds.
const (
	WebSocket   Kind = iota // RFC 6455, without extensions
	EventSource             // text/event-stream; the client sends nothing
)

// String returns the kind as metrics and operators know it.
func (k Kind) String() string {
	if k == EventSource {
		return "sse"
	}
	return "websocket"
}

// Config bounds streams. A zero field takes its default.
type Config struct {
	// Max is how many there may be at a time. Default 10000.
	Max int
	// PerAddress is how many there may be from one address of IPv4 or one /64 of
	// IPv6, 0 = any number; Exempt are addresses to which that does not apply.
	PerAddress int
	Exempt     func(netip.Addr) bool
	// Ping is how long a client hears nothing before it gets a ping, or a comment in
	// an event stream. A WebSocket that says nothing for twice as long is dropped.
	// Default 15 s.
	Ping time.Duration
	// WriteTimeout is how long a client may take to accept what is sent at once.
	// Default 30 s.
	WriteTimeout time.Duration
	// QueueBytes and QueueEvents bound what waits for one client; whoever is slower is
	// dropped. Defaults 256 KiB and 256.
	QueueBytes, QueueEvents int
	// Rate is how many messages and control frames a client may send in a second on
	// average, and twice as many at once. Default 100.
	Rate int
}

func (c Config) withDefaults() Config {
	c.Max = cmp.Or(c.Max, 10_000)
	c.Ping = cmp.Or(c.Ping, 15*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 30*time.Second)
	c.QueueBytes = cmp.Or(c.QueueBytes, 256<<10)
	c.QueueEvents = cmp.Or(c.QueueEvents, 256)
	c.Rate = cmp.Or(c.Rate, 100)
	if c.Exempt == nil {
		c.Exempt = func(netip.Addr) bool { return false }
	}
	return c
}

// Refusals of Reserve. Their code is Unavailable.
var (
	ErrFull     = fault.New(fault.Unavailable, "open", "too many sockets are open (max_sockets); try again")
	ErrAddress  = fault.New(fault.Unavailable, "open", "too many sockets are open from this address (max_sockets_per_ip); try again")
	ErrOwner    = fault.New(fault.Unavailable, "open", "too many sockets of this service are open (socket.max); try again")
	ErrStopping = fault.New(fault.Unavailable, "open", "the server is stopping; try again")
)

// Streams are all streams of a host. Make it with New and Close it. Safe for
// concurrent use.
type Streams struct {
	cfg    Config
	counts Counts
	ticks  *time.Ticker
	going  sync.WaitGroup // goroutines, of streams too
	done   chan struct{}

	mu       sync.Mutex // guards all below
	max      int
	crowd    crowd.Crowd
	places   int            // that are taken, by streams that are being opened too
	owners   map[string]int // places of each
	open     map[*Stream]struct{}
	stopping bool
	ended    bool
}

// New returns Streams of which none is open.
func New(cfg Config) *Streams {
	cfg = cfg.withDefaults()
	s := &Streams{
		cfg: cfg, max: cfg.Max, done: make(chan struct{}), ticks: time.NewTicker(cfg.Ping / 4),
		crowd: crowd.Crowd{Max: cfg.PerAddress, Exempt: cfg.Exempt}, owners: map[string]int{}, open: map[*Stream]struct{}{},
	}
	s.going.Go(s.watch)
	return s
}

// Limit changes how many streams are taken from now on. Those that are open stay.
func (s *Streams) Limit(most, perAddress int, exempt func(netip.Addr) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max, s.crowd.Max, s.crowd.Exempt = most, perAddress, exempt
}

// Place is that of a stream to be: it counts before its request is handled, so that
// nothing is done for a client that then cannot stay. Open it or Leave it.
type Place struct {
	all   *Streams
	owner string
	from  netip.Prefix
}

// Reserve takes a place for a stream of an owner, of which there may be so many at a
// time, to a client at an address. Errors are ErrFull, ErrAddress, ErrOwner and
// ErrStopping.
func (s *Streams) Reserve(owner string, most int, client netip.Addr) (*Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.crowd.Place(client)
	var err error
	switch {
	case s.stopping:
		err = ErrStopping
	case s.places >= s.max:
		err = ErrFull
	case s.owners[owner] >= most:
		err = ErrOwner
	case !s.crowd.Enter(from):
		err = ErrAddress
	}
	if err != nil {
		s.counts.refused.Add(1)
		return nil, err
	}
	s.places++
	s.owners[owner]++
	return &Place{s, owner, from}, nil
}

// Leave gives the place back.
func (p *Place) Leave() {
	s := p.all
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(p)
}

// leave is Leave. The caller holds mu.
func (s *Streams) leave(p *Place) {
	s.places--
	s.crowd.Leave(p.from)
	if s.owners[p.owner]--; s.owners[p.owner] == 0 {
		delete(s.owners, p.owner)
	}
}

// Listener is told what comes on a stream, by one goroutine: nothing more is read
// before Message returns, so a client is held back by the time it takes.
type Listener interface {
	// Message is told of a message of a WebSocket. data is the listener's.
	Message(text bool, data []byte)
	// Closed is told, last and once, that the stream is over. The code is one of RFC
	// 6455 §7.4: that of whoever closed it, CodeLost for a client that is gone. left
	// says that the client ended it.
	Closed(code int, reason string, left bool)
}

// Opening is a stream to be opened.
type Opening struct {
	Kind       Kind
	Conn       net.Conn // is the stream's to close from now on
	Ahead      []byte   // of what the client has sent, read before
	Head       []byte   // of the answer, which is sent first
	MaxMessage int      // bytes of a message of the client
	Listener   Listener
	First      []*Event // are sent after the head
	// KeepsPlace says that the listener leaves the place, once it has dealt with all that came.
	KeepsPlace bool
}

// Open opens a stream at the place. It never fails: a connection that is gone, or
// comes too late, is one of which Closed is told at once.
func (p *Place) Open(o Opening) *Stream {
	s := p.all
	one := &Stream{streams: s, place: p, keeps: o.KeepsPlace, kind: o.Kind, conn: o.Conn, listener: o.Listener}
	s.mu.Lock()
	late, ended := s.stopping, s.ended
	s.open[one] = struct{}{}
	if !ended {
		s.going.Add(1)
	}
	s.mu.Unlock()
	s.counts.opened[o.Kind].Add(1)
	if ended { // nobody waits for its goroutine any more
		one.hangUp(CodeGoingAway, stopping)
		s.forget(one)
		o.Listener.Closed(CodeGoingAway, stopping, false)
		return one
	}
	o.Ahead = bytes.Clone(o.Ahead)
	one.begin(&o)
	go one.read(&o)
	if late {
		one.Close(CodeGoingAway, stopping)
	}
	return one
}

const stopping = "the server is stopping"

func (s *Streams) forget(one *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	if !one.keeps {
		s.leave(one.place)
	}
}

// Ended is closed when Close has cut off what was still open.
func (s *Streams) Ended() <-chan struct{} { return s.done }

// Open is how many streams are open.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// all returns the streams that are open.
func (s *Streams) all() []*Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Stream, 0, len(s.open))
	for one := range s.open {
		list = append(list, one)
	}
	return list
}

// watch pings who was silent for long, and drops who does not answer.
func (s *Streams) watch() {
	for {
		select {
		case <-s.ticks.C:
			now := time.Now()
			for _, one := range s.all() {
				one.look(now)
			}
		case <-s.done:
			return
		}
	}
}

// Close ends all streams for as long as ctx lasts: it takes no more, tells every client
// that the server goes away, and returns when all have heard it and the last Closed
// has returned. What is still open when ctx ends is cut off, and the error has the code
// Deadline.
func (s *Streams) Close(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	for _, one := range s.all() {
		one.Close(CodeGoingAway, stopping)
	}
	err := s.settle(ctx)
	for _, one := range s.all() {
		cut(one.conn)
	}
	s.mu.Lock()
	first := !s.ended
	s.ended = true
	s.mu.Unlock()
	if first {
		s.ticks.Stop()
		close(s.done)
	}
	s.going.Wait()
	return err
}

// settle waits until no stream is open, or ctx ends.
func (s *Streams) settle(ctx context.Context) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for s.Open() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fault.Wrap(fault.Deadline, "close", "sockets were cut off", ctx.Err())
		}
	}
	return nil
}

// Counts is what streams have counted. Its methods are safe for concurrent use.
type Counts struct {
	opened                       [2]atomic.Int64 // by kind
	refused, slow, flooded, lost atomic.Int64
	in, out, bytesIn, bytesOut   atomic.Int64
}

// Totals are counts at a moment.
type Totals struct {
	Open, Opened        [2]int64 // by Kind
	Max                 int64
	Refused             int64 // had no place
	Slow, Flooded, Lost int64 // were dropped: did not read, sent too much, did not answer a ping
	In, Out             int64 // messages of clients, events to clients
	BytesIn, BytesOut   int64
}

// Totals returns what was counted.
func (s *Streams) Totals() Totals {
	c := &s.counts
	t := Totals{
		Opened:  [2]int64{c.opened[WebSocket].Load(), c.opened[EventSource].Load()},
		Refused: c.refused.Load(), Slow: c.slow.Load(), Flooded: c.flooded.Load(), Lost: c.lost.Load(),
		In: c.in.Load(), Out: c.out.Load(), BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Max = int64(s.max)
	for one := range s.open {
		t.Open[one.kind]++
	}
	return t
}

// RefusedFor reports whether a refusal of Reserve is about the client's address alone.
func RefusedFor(err error) bool { return errors.Is(err, ErrAddress) }
