package access

import (
	"net/netip"
	"sync"
	"time"
)

// What an address may do wrong: burst at once, and then one each pause.
const (
	burst = 100
	pause = time.Second
	// maxAddresses bounds those that are remembered.
	maxAddresses = 4096
)

// failures counts wrong tokens by address, of IPv6 by its /64. A right one is let in
// all the same: who shares an address with an attacker, behind a proxy say, is not
// to be locked out, and nobody guesses 256 bits.
type failures struct {
	mu   sync.Mutex
	next map[netip.Prefix]time.Time // when the address has its whole burst again
}

func newFailures() *failures { return &failures{next: map[netip.Prefix]time.Time{}} }

// note counts a failure and returns how long the address is to wait; 0 = it need
// not.
func (f *failures) note(from netip.Addr, now time.Time) time.Duration {
	key := network(from)
	f.mu.Lock()
	defer f.mu.Unlock()
	full := f.next[key]
	if full.Before(now) {
		full = now
	}
	if wait := full.Sub(now) - (burst-1)*pause; wait > 0 {
		return wait
	}
	if len(f.next) >= maxAddresses {
		f.forget(now)
	}
	f.next[key] = full.Add(pause)
	return 0
}

// forget makes room: of those that have their whole burst, else of whoever comes.
func (f *failures) forget(now time.Time) {
	for key, full := range f.next {
		if full.Before(now) {
			delete(f.next, key)
		}
	}
	for key := range f.next {
		if len(f.next) < maxAddresses {
			return
		}
		delete(f.next, key)
	}
}

func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits) // the zero Prefix of no address: all unix sockets are one
	return p
}
