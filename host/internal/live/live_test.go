package live

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// TestEqualRequests: those are equal, and share a run, that look the same to a handler of
// a live answer, and no others.
func TestEqualRequests(t *testing.T) {
	digest := func(change func(*Request)) [32]byte {
		r := &Request{Path: "/shop/a", RouteHost: "h", Host: "h:80", Query: "q=1", Scheme: "http", Headers: []abi.Pair{
			{Name: "authorization", Value: "anna"}, {Name: "accept", Value: "text/event-stream"}, {Name: "user-agent", Value: "x"},
		}}
		change(r)
		r.Prepare()
		return r.digest
	}
	same := digest(func(*Request) {})
	for name, change := range map[string]func(*Request){
		"user agent": func(r *Request) { r.Headers[2].Value = "y" },
		"last id":    func(r *Request) { r.Headers = append(r.Headers, abi.Pair{Name: "last-event-id", Value: "1-a"}) },
		"trace":      func(r *Request) { r.Headers = append(r.Headers, abi.Pair{Name: "traceparent", Value: "00-1"}) },
		"roll-out":   func(r *Request) { r.Headers = append(r.Headers, abi.Pair{Name: "cookie", Value: "wasmoor-client=1"}) },
	} {
		if digest(change) != same {
			t.Errorf("%s: it is another request", name)
		}
	}
	for name, change := range map[string]func(*Request){
		"authorization": func(r *Request) { r.Headers[0].Value = "bert" },
		"cookie":        func(r *Request) { r.Headers = append(r.Headers, abi.Pair{Name: "cookie", Value: "a=1"}) },
		"order":         func(r *Request) { r.Headers = append(r.Headers, r.Headers[0]) },
		"field":         func(r *Request) { r.Headers[2].Name = "x-user" },
		"query":         func(r *Request) { r.Query = "q=2" },
		"host":          func(r *Request) { r.Host = "h:81" },
		"scheme":        func(r *Request) { r.Scheme = "https" },
		"path":          func(r *Request) { r.Path = "/shop/b" },
		"boundary":      func(r *Request) { r.Path, r.Query = "/shop/aq", "=1" },
		"boundary of h": func(r *Request) { r.Headers[0] = abi.Pair{Name: "authorizationa", Value: "nna"} },
	} {
		if digest(change) == same {
			t.Errorf("%s: it is the same request", name)
		}
	}
	r := &Request{Headers: []abi.Pair{{Name: "last-event-id", Value: "7-ab"}}}
	if r.Prepare(); r.LastID != "7-ab" || len(r.Headers) != 0 || digestOf(r.LastID) != "ab" || digestOf("x") != "" {
		t.Errorf("%+v", r)
	}
}

// TestJudge: which runs make a state, and what clients are told of others.
func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		change  func(*invoke.Invocation, *trace.Record, *reads)
		status  int // 0 = it makes a state
		problem string
	}{
		"a state":        {},
		"wrote":          {change: func(_ *invoke.Invocation, _ *trace.Record, r *reads) { r.wrote = true }, status: 502, problem: "writes"},
		"dropped itself": {change: func(i *invoke.Invocation, _ *trace.Record, r *reads) { r.wrote, i.Outcome = true, abi.OutcomeAbort }},
		"called":         {change: func(_ *invoke.Invocation, r *trace.Record, _ *reads) { r.Called = true }, status: 502, problem: "calls"},
		"not found":      {change: func(i *invoke.Invocation, _ *trace.Record, _ *reads) { i.Reply.Status = 404 }, status: 404},
		"moved":          {change: func(i *invoke.Invocation, _ *trace.Record, _ *reads) { i.Reply.Status = 302 }, status: 302},
		"as large":       {change: func(i *invoke.Invocation, _ *trace.Record, _ *reads) { i.Reply.Body = make([]byte, MaxAnswer) }},
		"too large":      {change: func(i *invoke.Invocation, _ *trace.Record, _ *reads) { i.Reply.Body = make([]byte, MaxAnswer+1) }, status: 502, problem: "size"},
		"no text":        {change: func(i *invoke.Invocation, _ *trace.Record, _ *reads) { i.Reply.Body = []byte("\xff") }, status: 502, problem: "text"},
		"called, trapped": {
			change: func(_ *invoke.Invocation, r *trace.Record, _ *reads) { r.Called = true },
			err:    fault.New(fault.Trap, "", "secret"), status: 502,
		},
		"trapped":   {err: fault.New(fault.Trap, "", "unreachable at secret.go:7"), status: 502},
		"too slow":  {err: fault.New(fault.Deadline, "", "secret"), status: 504},
		"no place":  {err: fault.New(fault.Unavailable, "", "secret"), status: 503},
		"who knows": {err: errors.New("secret"), status: 502},
	} {
		inv, rec, seen := &invoke.Invocation{}, &trace.Record{}, &reads{}
		inv.Reply.Status, inv.Reply.Body = 200, []byte("body")
		if tc.change != nil {
			tc.change(inv, rec, seen)
		}
		f := judge(inv, rec, seen, tc.err)
		if f == nil {
			if tc.status != 0 {
				t.Errorf("%s: it makes a state", name)
			}
			continue
		}
		if f.status != tc.status || f.problem != tc.problem || (f.reply == nil) == (f.err == nil) {
			t.Errorf("%s: %+v", name, f)
		}
		if f.err != nil && Called(f.err) != rec.Called {
			t.Errorf("%s: called %v, and clients are told %v", name, rec.Called, Called(f.err))
		}
		data, _ := json.Marshal(f.detail)
		if strings.Contains(string(data), "secret") || f.event() == nil {
			t.Errorf("%s: clients are told %s", name, data)
		}
	}
}

// TestStates: the same answer has the same digest, whatever the revision.
func TestStates(t *testing.T) {
	body := []byte("one")
	a, b, c := newState(1, 7, body), newState(2, 9, []byte("one")), newState(3, 9, []byte("two"))
	body[0] = 'x' // it was copied
	if a.digest != b.digest || a.digest == c.digest || len(a.digest) != 16 {
		t.Errorf("digests %q, %q, %q", a.digest, b.digest, c.digest)
	}
}

// TestLane: no more run at a time than may, whatever a plugin says.
func TestLane(t *testing.T) {
	for concurrency, want := range map[int]int{1: 1, 2: 1, 4: 2, 8: 4, 1024: 4} {
		l := &lane{}
		if l.resize(concurrency); l.most != want {
			t.Errorf("of %d requests %d are live runs, want %d", concurrency, l.most, want)
		}
	}
}

// TestFirst: a client that has had no answer yet does not wait for the line of those who
// have one, nor do they wait for all such clients.
func TestFirst(t *testing.T) {
	s := &Service{}
	l := &lane{service: s, most: 1, running: 1} // so that nobody takes them but the test
	names := map[*answer]string{}
	begin := func(name, lastID string) *answer {
		a := &answer{service: s, lane: l, subs: map[*Subscriber]struct{}{}}
		names[a] = name
		if !a.add(newSubscriber(s, &Request{LastID: lastID})) {
			t.Fatal("it has left")
		}
		return a
	}
	begin("back 1", "1-a")
	joined := begin("back 2", "1-a")
	begin("back 3", "1-a")
	begin("new 1", "")
	begin("new 2", "")
	joined.add(newSubscriber(s, &Request{})) // whom its place at the end is not for
	joined.add(newSubscriber(s, &Request{}))
	var order []string
	for a := l.next(); a != nil; a = l.next() {
		a.mu.Lock()
		if a.phase == queued { // else it has run from its other place
			order = append(order, names[a])
		}
		a.phase = running
		a.mu.Unlock()
	}
	if got, want := strings.Join(order, ", "), "new 1, back 1, new 2, back 2, back 3"; got != want {
		t.Errorf("they ran as %s, want %s", got, want)
	}
}

// TestMemory: what answers are has a bound, as it is sent: each line of an event costs some
// bytes more. An answer that ends gives back what it had.
func TestMemory(t *testing.T) {
	s := &Service{memory: limit.NewBudget(5 << 20)}
	begin := func() *answer { return &answer{service: s, share: s.memory.Share(), unfollow: func() {}} }
	st := newState(1, 1, []byte(strings.Repeat("\n", MaxAnswer)))
	a, b, late := begin(), begin(), begin()
	if first, again := a.holds(st), a.holds(st); !first || !again || !b.holds(st) {
		t.Error("there is no room for two answers")
	}
	if late.holds(st) {
		t.Error("there is room for more than there is")
	}
	a.end()
	if !late.holds(st) {
		t.Error("what an answer had is lost with it")
	}
	b.end()
	late.end()
	if s.memory.Left() != s.memory.Size() {
		t.Errorf("%d of %d bytes are left in the end", s.memory.Left(), s.memory.Size())
	}
}
