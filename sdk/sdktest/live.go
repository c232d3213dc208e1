package sdktest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi/field"
)

// Live is a client that follows the answer of a live route, as Host.Live opens it.
type Live struct {
	// Runs is how often the handler ran for it.
	Runs int

	host    *Host
	request *http.Request
	now     *Result // what the client has
	read    *tx     // what the last run has read
	ended   bool
}

// Live sends a GET request, like Get, of a client that asks for events; fields are those of
// Send. The route needs live = true in the manifest. The first answer is Now.
//
//	live := host.Live("/stock/1")
//	host.Send("POST", "/orders", "", "1")
//	if got, changed := live.Next(); !changed || got.Text() != "9 left" {
func (h *Host) Live(target string, fields ...string) *Live {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		if !ok {
			panic("sdktest: the header field " + strconv.Quote(f) + " is not like \"Name: value\"")
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	for _, pair := range headersOf(r) {
		if seen, ok := field.Live(pair); !ok {
			r.Header.Del(pair.Name)
		} else if seen.Value != pair.Value {
			r.Header.Set(pair.Name, seen.Value)
		}
	}
	r.RemoteAddr = field.LiveAddress + ":0"
	l := &Live{host: h, request: r}
	l.now = l.run()
	return l
}

// Now returns the answer that the client has. One that is not 200 is no event.
func (l *Live) Now() *Result { return l.now }

// Next returns the next event that the client gets, if there is one by now: what the last
// run has read was changed, or has expired, and the answer is another. An answer that is
// not 200 ends the stream.
func (l *Live) Next() (next *Result, changed bool) {
	if l.ended || !l.host.Store.changedSince(l.read) {
		return l.now, false
	}
	next = l.run()
	if next.Status == l.now.Status && bytes.Equal(next.Body, l.now.Body) {
		return l.now, false
	}
	l.now = next
	return next, true
}

func (l *Live) run() *Result {
	l.Runs++
	kept := &answers{}
	r := l.host.run(l.request, func(int) bool { return true }, kept)
	switch {
	case r.Outcome == Aborted && !kept.aborts:
		r = refused(http.StatusBadGateway, "the handler of a live answer writes; what it writes is dropped")
	case unsafe(r.Calls):
		r = refused(http.StatusBadGateway, "the handler of a live answer calls another service in a way that may change something there")
	}
	l.read, l.ended = kept.tx, r.Status != http.StatusOK
	return r
}

// unsafe reports whether one of the calls may have changed something.
func unsafe(calls []Call) bool {
	for _, c := range calls {
		if c.Method != http.MethodGet && c.Method != http.MethodHead {
			return true
		}
	}
	return false
}

// changedSince reports whether something that t has read was written since, or has expired.
func (s *Store) changedSince(t *tx) bool {
	if t == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for key, revision := range s.changed {
		if revision > t.revision && t.depends(key) {
			return true
		}
	}
	for key, v := range t.snapshot {
		if v.live(t.now) && !v.live(now) && t.depends(key) {
			return true
		}
	}
	return false
}
