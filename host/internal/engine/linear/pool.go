package linear

import (
	"fmt"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// maxIdle bounds the reservations a pool keeps: they hold address space, and no
// memory but page tables of a five hundredth of the image.
const maxIdle = 64

// Pool makes memories of one limit and one image, and keeps their reservations
// for the next. Safe for concurrent use.
type Pool struct {
	budget Budget
	limit  int
	image  *Image                     // nil = memories start as zeros
	track  func(image []byte) tracker // image is its mapping in a reservation
	heap   bool                       // memories are of Go's heap, as where no address space is to be had

	mu     sync.Mutex
	idle   []reservation
	closed bool
}

// reservation is the address space of a memory.
type reservation struct {
	space   []byte  // of the pool's limit; nil where there is none to be had
	tracker tracker // of what is written to it; nil = none yet, or there is none
}

// NewPool returns a pool of memories that start as image, or as zeros where it
// is nil, and may grow to limit bytes each, and to what b has left together.
// Close it; the image stays its owner's.
func NewPool(b Budget, limit int, image *Image) *Pool {
	return newPool(b, limit, image, newTracker)
}

func newPool(b Budget, limit int, image *Image, track func([]byte) tracker) *Pool {
	return &Pool{budget: b, limit: limit, image: image, track: track}
}

// New returns a memory that starts with at least min bytes, the image's size if
// that is more, which it takes from the budget at once: an engine cannot be told
// later that there are none, and a guest may write to all of them. Free it.
// Unavailable when the budget is used up, Invalid when the image is over the
// pool's limit, Internal when it is closed.
func (p *Pool) New(min int) (*Memory, error) {
	size := p.image.Size()
	if size > p.limit {
		return nil, fault.New(fault.Invalid, "instance", fmt.Sprintf(
			"the program starts with %d bytes of memory, over its limit of %d; raise the limit", size, p.limit))
	}
	min = max(min, size)
	if !p.budget.Take(int64(min)) {
		return nil, p.budget.usedUp()
	}
	if !p.image.use() {
		p.budget.Give(int64(min))
		return nil, fault.New(fault.Internal, "instance", "the image of the program is closed")
	}
	m := &Memory{pool: p, held: min, taken: min, reservation: p.reservation()}
	m.reverts = dropReverts && m.space != nil && (p.image == nil || p.image.shared())
	return m, nil
}

// reservation returns address space that reads as the image, or as zeros if the
// image has to be copied to it.
func (p *Pool) reservation() reservation {
	if r, ok := p.kept(); ok || p.heap {
		return r
	}
	space := reserve(p.limit)
	if space != nil && p.image.shared() && !p.image.place(space) {
		release(space)
		space = nil
	}
	return reservation{space: space}
}

func (p *Pool) kept() (r reservation, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return r, false
	}
	r, p.idle[n] = p.idle[n], r
	p.idle = p.idle[:n]
	return r, true
}

// keep takes a reservation back that reads as it did at first.
func (p *Pool) keep(r reservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == maxIdle {
		release(r.space)
		return
	}
	p.idle = append(p.idle, r)
}

// Close gives up what the pool keeps. Memories may be freed afterwards.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.idle {
		release(r.space)
	}
	p.idle, p.closed = nil, true
}
