package cache

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// flight is a run whose answer equal requests wait for.
type flight struct {
	number uint64        // of the plugin's flights, in the order in which they began
	done   chan struct{} // closed when it is over
	answer *Answer       // nil = there is none for others
}

// Fill is a run that may leave an answer. End it.
type Fill struct {
	cache   *Cache
	request Request
	key     key     // of the flight
	flight  *flight // nil = nobody waits
	renews  bool    // it makes an answer anew

	// What the attempt that replied has seen and done.
	reads               store.Reads
	looked              invoke.Looks
	seen, wrote, called bool
}

// Join is for a request to which Find has no answer. It waits, for as long as most, for the
// answer of an equal request that runs; without one it returns the Fill of the request,
// which has its handler run. A nil Fill leaves nothing.
//
// An answer is current: it was made after the request came, or is one that Find returns.
// Nobody waits for more than two runs. The error is Left: the client has gone.
func (c *Cache) Join(r *Request, client invoke.Client, most time.Duration) (*Answer, *Fill, error) {
	if !c.begin() {
		return nil, nil, nil
	}
	var came uint64
	end := time.Now().Add(most)
	for range 2 {
		k := r.key
		k.credentials = r.credentials
		f, leads, number := r.shelf.join(&k, r.At)
		if came == 0 {
			came = number
		}
		switch {
		case leads:
			return nil, &Fill{cache: c, request: *r, key: k, flight: f}, nil
		case f == nil:
			return nil, c.alone(r), nil
		}
		over, err := wait(f, client, time.Until(end))
		if err != nil {
			return nil, nil, err
		}
		if !over || f.answer == nil {
			break
		}
		if f.number > came && f.answer.suits(r) {
			r.shelf.countsOf(r.Pattern).shared.Add(1)
			return f.answer, nil, nil
		}
		if a := c.Find(r); a != nil {
			return a, nil, nil
		}
	}
	return nil, c.alone(r), nil
}

// maxRenewed bounds the runs of one plugin that make answers anew, for which no client waits.
const maxRenewed = 16

// Renew is for a request to which Find has no answer: it returns one whose time is over, if
// the route lets it be given for a while and nothing has changed that it rests on. The Fill
// is that of a run that makes it anew; nil = somebody else sees to it, or enough is made
// anew. It outlives the request.
func (c *Cache) Renew(r *Request) (*Answer, *Fill) {
	e := r.stale
	if e == nil {
		return nil, nil
	}
	e.route.stale.Add(1)
	s, k := r.shelf, r.key
	k.credentials = r.credentials
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.flights[k] != nil || s.renewed >= maxRenewed {
		return e.answer, nil
	}
	f := &Fill{cache: c, request: *r, key: k, flight: s.take(&k), renews: true}
	f.request.Headers = slices.Clone(r.Headers)
	s.renewed++
	return e.answer, f
}

// Late is for how long the answer that Renew returned has been out of date.
func (r *Request) Late() time.Duration { return r.At.Sub(r.stale.until) }

func (c *Cache) alone(r *Request) *Fill { return &Fill{cache: c, request: *r} }

// join returns the flight of a key, which the caller leads if there was none; nil = answers
// are not kept of late, so that nobody waits for them. number is that of the last flight
// that has begun.
func (s *shelf) join(k *key, at time.Time) (f *flight, leads bool, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(k); e != nil && e.passes && e.ends.After(at) {
		return nil, false, s.flown
	}
	if f = s.flights[*k]; f != nil {
		return f, false, s.flown
	}
	return s.take(k), true, s.flown
}

// take begins the flight of a key. The caller holds mu.
func (s *shelf) take(k *key) *flight {
	s.flown++
	f := &flight{number: s.flown, done: make(chan struct{})}
	s.flights[*k] = f
	return f
}

// wait returns when a flight is over, or false when it takes too long.
func wait(f *flight, client invoke.Client, most time.Duration) (over bool, err error) {
	left := make(chan struct{})
	defer client.Watch(func() { close(left) })()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-f.done:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-left:
		return false, fault.New(fault.Left, "cache", "the client left while it waited for the answer of an equal request; nothing was done")
	}
}

// Seen is for invoke.Request.Seen of the run.
func (f *Fill) Seen(inv *invoke.Invocation) {
	f.seen, f.looked, f.reads, f.wrote = true, inv.Looked(), store.Reads{}, len(inv.Leaving()) > 0
	if tx := inv.Tx; tx != nil {
		f.reads, f.wrote = tx.Reads(), f.wrote || !tx.ReadOnly()
	}
	calls := inv.Calls()
	f.called = calls != nil && calls.Made()
}

// passFor is how long nobody waits for the answer of an equal request after one that was
// not kept.
const passFor = 10 * time.Second

// Keep keeps the answer of a run that did not fail. Without one it says why.
func (f *Fill) Keep(r *invoke.Reply) (a *Answer, why string) {
	t := termsOf(r.Headers)
	of := f.request.shelf.countsOf(f.request.Pattern)
	if why = f.refuses(r, &t); why != "" {
		of.passed.Add(1)
		note := &entry{shelf: f.request.shelf, key: f.request.key.clone(), passes: true, ends: f.request.At.Add(passFor)}
		note.key.credentials = f.request.credentials
		f.request.shelf.put(note)
		return nil, why
	}
	until := f.request.At.Add(f.request.Rules.Keep)
	if t.fresh > 0 {
		until = earliest(until, f.request.At.Add(t.fresh))
	}
	ends := until.Add(f.request.Rules.Stale)
	if f.reads.Expires != 0 { // a value is gone then, which is a change and not a matter of age
		ends = earliest(ends, time.UnixMilli(f.reads.Expires))
		until = earliest(until, ends)
	}
	of.kept.Add(1)
	a = newAnswer(r, f.request.At)
	a.public = t.public
	f.place(a, t.vary, until, ends, of)
	if f.flight != nil {
		f.flight.answer = a
	}
	return a, ""
}

// place puts an answer on its shelf: a note of the fields that it depends on comes first.
func (f *Fill) place(a *Answer, vary []string, until, ends time.Time, of *counts) {
	s := f.request.shelf
	k := f.request.key
	k.variant = ""
	last := ends
	if e := s.find(&k); e != nil && len(e.vary) > 0 {
		if all := union(vary, e.vary); len(all) <= maxVary { // if not, answers from before are found no more
			vary = all
		}
		if e.ends.After(last) {
			last = e.ends
		}
	}
	k = k.clone()
	if len(vary) > 0 {
		note := &entry{shelf: s, key: k, vary: vary, ends: last}
		for _, name := range vary {
			note.size += int64(len(name))
		}
		s.put(note)
		a.vary, a.variant = vary, variantOf(vary, f.request.Headers)
		k.variant = a.variant
	}
	e := &entry{shelf: s, key: k, answer: a, until: until, ends: ends, route: of, size: a.size()}
	e.reads = f.cache.index.Add(f.reads, func() { f.cache.changed(e) })
	e.size += e.reads.Bytes()
	s.put(e)
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// refuses says why the answer is not kept, "" = it is.
func (f *Fill) refuses(r *invoke.Reply, t *terms) string {
	ignored := f.request.Rules.Ignores
	switch {
	case !keeps(r.Status):
		return "status"
	case t.refused != "":
		return t.refused
	case f.request.credentials && !t.public:
		return "credentials"
	case !f.seen || f.wrote:
		return "writes"
	case f.called, f.looked&invoke.LookedAtOthers != 0 && !ignored.Calls:
		return "calls"
	case f.looked&invoke.LookedAtClock != 0 && !ignored.Clock:
		return "clock"
	case f.looked&invoke.LookedAtChance != 0 && !ignored.Random:
		return "random"
	case f.looked&invoke.LookedAtSockets != 0:
		return "topics"
	case f.reads.Untracked:
		return "untracked"
	case f.reads.Joined:
		return "reads"
	case len(r.Body) > maxAnswer:
		return "size"
	case f.repeatsID(r):
		return "request-id"
	}
	return ""
}

// repeatsID reports whether an answer has the request's id in it, which is of one request
// and may be a client's own words.
func (f *Fill) repeatsID(r *invoke.Reply) bool {
	id := f.request.ID
	return id != "" && (bytes.Contains(r.Body, []byte(id)) ||
		slices.ContainsFunc(r.Headers, func(h abi.Pair) bool { return strings.Contains(h.Value, id) }))
}

// End has nobody wait for the run any more. A nil Fill has ended; ending twice is fine.
func (f *Fill) End() {
	if f == nil || f.flight == nil {
		return
	}
	s := f.request.shelf
	s.mu.Lock()
	delete(s.flights, f.key)
	if f.renews {
		s.renewed--
	}
	s.mu.Unlock()
	close(f.flight.done)
	f.flight = nil
}
