// Package cache keeps answers of routes that ask for it, each for as long as nothing has
// changed that it rests on: an answer from here is what the handler would say now. Package
// server/public asks it before it has a handler run, after everything has been judged that
// decides whether a request may be answered at all.
package cache

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/store/kept"
)

// What answers may take, with their keys and with what is known of their reads.
const (
	maxMemory = 256 << 20 // of all plugins
	maxPlugin = 128 << 20 // of one, where few have any
	maxAnswer = 1 << 20   // a body
)

// Cache has the answers of all plugins. Safe for concurrent use.
type Cache struct {
	store   kept.Store
	index   *kept.Index
	shelves sync.Map // *dispatch.Plugin to *shelf
	targets targets
	count   atomic.Int64
	wake    chan struct{} // has one when there is something to sweep
	stop    chan struct{}
	work    sync.WaitGroup

	mu     sync.Mutex
	follow func()   // ends the index; nil = it has not begun
	closed bool     // nothing is kept any more
	dead   []*entry // that were told of a change
}

// New returns an empty Cache. Close it.
func New(s kept.Store) *Cache {
	c := &Cache{store: s, index: kept.New(s, maxMemory), wake: make(chan struct{}, 1), stop: make(chan struct{})}
	c.work.Go(c.sweep)
	return c
}

// Close ends it: nothing is kept any more. A nil Cache is closed.
func (c *Cache) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	was, end := c.closed, c.follow
	c.closed, c.follow = true, nil
	c.mu.Unlock()
	if was {
		return
	}
	close(c.stop)
	c.work.Wait()
	if end != nil {
		end()
		c.index.Wait()
	}
}

// begin has the index follow commits. It reports whether it does.
func (c *Cache) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.follow != nil {
		return !c.closed
	}
	end, err := c.index.Begin()
	if err != nil { // the store is closed, or fails: the handler will say so
		return false
	}
	c.follow = end
	return true
}

// Request is one that may be answered from the cache. The cache copies what it keeps.
type Request struct {
	Deployment serve.Deployment
	// Scheme to Query are all that a handler may look at without saying so in Vary.
	Scheme, Host, Path, Query string
	Pattern                   string // of the route
	ID                        string // which the client may have chosen
	Headers                   []abi.Pair
	At                        time.Time // when it came
	Rules                     manifest.Cache
	Most                      int // bytes of a body that are of use; 0 = all are

	// Miss says why Find has no answer, in the words of RFC 9211, 2.2.
	Miss string

	stale       *entry // that was found, and is fresh no more; nil = there is none
	key         key
	credentials bool // the client says who it is
	shelf       *shelf
}

// key is what equal requests have in common.
type key struct {
	deployment                serve.Deployment
	scheme, host, path, query string
	variant                   string // the fields that the answer's Vary names
	credentials               bool   // of flights and of notes that answers are not kept
}

func (k *key) cost() int64 {
	return int64(len(k.scheme) + len(k.host) + len(k.path) + len(k.query) + len(k.variant))
}

// clone has the key keep no memory of the request.
func (k key) clone() key {
	k.scheme, k.host, k.path = strings.Clone(k.scheme), strings.Clone(k.host), strings.Clone(k.path)
	k.query, k.variant = strings.Clone(k.query), strings.Clone(k.variant)
	return k
}

// Find returns the answer to a request, nil = there is none that is sure to be current. It
// counts a hit.
func (c *Cache) Find(r *Request) *Answer {
	r.key = key{deployment: r.Deployment, scheme: r.Scheme, host: r.Host, path: r.Path, query: r.Query}
	r.credentials = hasCredentials(r.Headers)
	r.shelf = c.shelfOf(r.Deployment)
	e := r.shelf.find(&r.key)
	if e != nil && e.answer == nil && len(e.vary) > 0 {
		e.visit() // the answers that it leads to are of no use without it
		r.key.variant = variantOf(e.vary, r.Headers)
		e = r.shelf.find(&r.key)
	}
	r.stale = nil
	if r.Miss = r.missed(e); r.Miss != "" {
		return nil
	}
	if !c.index.Current() || !e.reads.Holds() { // in this order
		r.Miss = missURI // it is about to be removed
		return nil
	}
	if r.Most > 0 && len(e.answer.Body) > r.Most {
		return nil
	}
	e.visit()
	if !e.until.After(r.At) {
		r.stale, r.Miss = e, missStale
		return nil
	}
	e.route.hits.Add(1)
	return e.answer
}

// Why there is no answer, by RFC 9211, 2.2.
const (
	missURI     = "uri-miss"
	missVary    = "vary-miss"
	missStale   = "stale"
	missRequest = "request" // it is not for clients who say who they are
)

// missed says why an entry does not answer the request, before it is asked whether it holds.
func (r *Request) missed(e *entry) string {
	switch {
	case e == nil && r.key.variant != "":
		return missVary
	case e == nil || e.answer == nil:
		return missURI
	case !e.ends.After(r.At):
		return missStale
	case r.credentials && !e.answer.public:
		return missRequest
	case !e.answer.suits(r):
		return missVary
	}
	return ""
}

// variantOf joins the values of fields, of which none has a line feed, so that no other
// values read alike.
func variantOf(names []string, headers []abi.Pair) string {
	var b strings.Builder
	for _, name := range names {
		for _, h := range headers {
			if h.Name == name {
				b.WriteByte('=')
				b.WriteString(h.Value)
				b.WriteByte('\n')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// hasCredentials reports whether a client says who it is. The cookie of roll-outs does not.
func hasCredentials(headers []abi.Pair) bool {
	for _, h := range headers {
		switch h.Name {
		case "authorization":
			return true
		case "cookie":
			if !strings.HasPrefix(h.Value, field.RolloutCookie+"=") || strings.Contains(h.Value, ";") {
				return true
			}
		}
	}
	return false
}

// shelfOf returns what there is of a deployment's plugin.
func (c *Cache) shelfOf(d serve.Deployment) *shelf {
	p := d.Plugin()
	if s, ok := c.shelves.Load(p); ok {
		return s.(*shelf)
	}
	s, loaded := c.shelves.LoadOrStore(p, newShelf(c, d.Env().Plugin))
	if !loaded {
		c.count.Add(1)
	}
	return s.(*shelf)
}

// share is what the answers of one plugin may take.
func (c *Cache) share() int64 { return min(maxPlugin, maxMemory/max(c.count.Load(), 1)) }

// changed notes that an entry was told of a change. It is called on the way of commits to
// the index.
func (c *Cache) changed(e *entry) {
	c.mu.Lock()
	if !c.closed {
		c.dead = append(c.dead, e)
	}
	c.mu.Unlock()
	c.signal()
}

func (c *Cache) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// every is how often it is looked for what nobody asks for any more.
const every = 15 * time.Second

// sweep frees what is of no use.
func (c *Cache) sweep() {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		all := false
		select {
		case <-c.stop:
			return
		case <-c.wake:
		case <-tick.C:
			all = true
		}
		c.mu.Lock()
		dead := c.dead
		c.dead = nil
		c.mu.Unlock()
		for _, e := range dead {
			e.shelf.drop(e, byChange)
		}
		if !all {
			continue
		}
		c.shelves.Range(func(p, s any) bool {
			if s := s.(*shelf); s.trim(time.Now()) && c.shelves.CompareAndDelete(p, s) {
				c.count.Add(-1)
			}
			return true
		})
	}
}

// Of is what there is of a plugin's answers, and what was counted since it had the first.
type Of struct {
	Plugin         string
	Entries, Bytes int64
	Routes         []Route
}

// Route is what was counted of a route.
type Route struct {
	Pattern string
	// Hits were answered from the cache, Stale too while a run made the answer anew. Shared
	// got the answer of an equal request that ran. Kept ran, and left their answer. Passed
	// ran, and left none.
	Hits, Stale, Shared, Kept, Passed int64
	// Ended counts answers that are kept no more, by reason.
	Ended map[string]int64
}

// Plugins returns what there is of each plugin, by name.
func (c *Cache) Plugins() (list []Of) {
	if c == nil {
		return nil
	}
	c.shelves.Range(func(_, s any) bool {
		list = append(list, s.(*shelf).stats())
		return true
	})
	slices.SortFunc(list, func(a, b Of) int { return cmp.Compare(a.Plugin, b.Plugin) })
	// One that was purged and deployed again has two for some seconds.
	return slices.CompactFunc(list, func(a, b Of) bool { return a.Plugin == b.Plugin })
}
