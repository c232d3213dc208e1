package sql

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Bounds of the connections that wait for the next attempt. Most have one to three
// megabytes, and opening another costs half a millisecond.
const (
	maxIdle     = 128 << 20 // bytes of all
	maxIdleOne  = 4 << 20   // of one: a connection that a large sort has grown is closed
	maxIdleEach = 64        // connections to one database
	idleTime    = 30 * time.Second
)

// pool keeps connections between attempts. It is safe for concurrent use.
type pool struct {
	shelves sync.Map     // of database to *shelf
	idle    atomic.Int64 // bytes
}

// database is what a connection is to.
type database struct {
	space      store.Space
	name       string
	generation uint32
}

// shelf has the idle connections to a database.
type shelf struct {
	mu    sync.Mutex
	conns []*sqlite.Conn // the one used last at the end
	ends  *time.Timer    // closes them all; nil = there are none
	gone  bool
}

// take returns a connection to a database.
func (p *pool) take(of database) (*sqlite.Conn, error) {
	if s, ok := p.shelves.Load(of); ok {
		if c := s.(*shelf).take(); c != nil {
			p.idle.Add(-int64(c.Memory()))
			return c, nil
		}
	}
	return sqlite.Open(of.name, of.generation)
}

func (s *shelf) take() *sqlite.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.conns) - 1
	if last < 0 {
		return nil
	}
	c := s.conns[last]
	s.conns[last] = nil
	s.conns = s.conns[:last]
	return c
}

// give keeps a connection to a database, or closes it.
func (p *pool) give(of database, c *sqlite.Conn) {
	size := int64(c.Memory())
	if p.idle.Add(size) <= maxIdle && size <= maxIdleOne {
		s, ok := p.shelves.Load(of)
		if !ok {
			s, _ = p.shelves.LoadOrStore(of, &shelf{})
		}
		if p.put(of, s.(*shelf), c) {
			return
		}
	}
	p.idle.Add(-size)
	c.Close()
}

// put puts a connection on a shelf, all of whose are closed a while after the first came.
func (p *pool) put(of database, s *shelf, c *sqlite.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || len(s.conns) >= maxIdleEach {
		return false
	}
	s.conns = append(s.conns, c)
	if s.ends == nil {
		s.ends = time.AfterFunc(idleTime, func() { p.empty(of, s) })
	}
	return true
}

// empty closes the connections of a shelf and forgets it: a database that is in use gets
// another.
func (p *pool) empty(of database, s *shelf) {
	p.shelves.CompareAndDelete(of, s)
	s.mu.Lock()
	conns := s.conns
	s.conns, s.gone = nil, true
	s.mu.Unlock()
	for _, c := range conns {
		p.idle.Add(-int64(c.Memory()))
		c.Close()
	}
}

// errBusy is that of a database in which a caller of the handler is in the middle of
// something.
var errBusy = fault.New(fault.Unavailable, "sql", "a request that called this one is in the middle of a transaction or a query of the database: end it before the call")
