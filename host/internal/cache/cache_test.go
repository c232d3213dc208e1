package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a deployment whose handler is Go; the tests run it.
type served struct {
	env     *invoke.Env
	plugin  *dispatch.Plugin
	drained atomic.Bool
}

func deployed(name string) *served {
	return &served{env: &invoke.Env{Plugin: name}, plugin: new(dispatch.Plugin)}
}

func (s *served) Do(context.Context, *invoke.Invocation, limit.Limits) (dispatch.Result, error) {
	return dispatch.Result{}, errors.New("the tests run handlers by themselves")
}
func (s *served) Acquire() bool            { return !s.drained.Load() }
func (s *served) Release()                 {}
func (s *served) Env() *invoke.Env         { return s.env }
func (s *served) Plugin() *dispatch.Plugin { return s.plugin }

// here is a client that stays.
type here struct{}

func (here) Watch(func()) func() { return func() {} }

// gone is a client that leaves as soon as somebody looks.
type gone struct{}

func (gone) Watch(left func()) func() {
	left()
	return func() {}
}

type bench struct {
	*Cache
	store store.Store
}

func newBench(tb testing.TB, cfg badger.Config) *bench {
	tb.Helper()
	b, end := openBench(tb.TempDir(), cfg)
	tb.Cleanup(end)
	return b
}

func openBench(dir string, cfg badger.Config) (b *bench, end func()) {
	cfg.Dir, cfg.MinFree, cfg.ScrubEvery = dir, -1, -1
	s, err := badger.Open(cfg)
	if err != nil {
		panic(err)
	}
	b = &bench{New(s), s}
	return b, func() {
		b.Close()
		if err := s.Close(); err != nil {
			panic(err)
		}
	}
}

// run is an attempt of a handler on a snapshot that is opened now.
func (b *bench) run(handler func(tx *store.Tx, inv *invoke.Invocation)) *invoke.Invocation {
	tx := new(store.Tx)
	tx.Reset(b.store, 1, store.Quota{}, time.Now())
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "GET"}}}
	inv.Begin(1, limit.Default(), tx)
	inv.Reply.Status = 200
	handler(tx, inv)
	return inv
}

// get answers with the value of a key.
func get(key string) func(*store.Tx, *invoke.Invocation) {
	return func(tx *store.Tx, inv *invoke.Invocation) {
		v, _, err := tx.Get([]byte(key))
		if err != nil {
			panic(err)
		}
		inv.Reply.Body = append(inv.Reply.Body, v...)
	}
}

func (b *bench) set(key, value string) { b.setFor(key, value, 0) }

func (b *bench) setFor(key, value string, ttl time.Duration) {
	tx := new(store.Tx)
	tx.Reset(b.store, 1, store.Quota{}, time.Now())
	defer tx.Close()
	if err := tx.Set([]byte(key), []byte(value), ttl); err != nil {
		panic(err)
	}
	if _, err := b.store.Commit(context.Background(), tx.Effects()); err != nil {
		panic(err)
	}
}

func (b *bench) request(d *served, path string, headers ...string) *Request {
	r := &Request{Deployment: d, Scheme: "http", Host: "h", Path: path, Pattern: "GET " + path, At: time.Now(), Rules: manifest.Cache{Keep: time.Hour}}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, abi.Pair{Name: headers[i], Value: headers[i+1]})
	}
	return r
}

// ask is a whole request: how it was answered, and what with.
func (b *bench) ask(r *Request, handler func(*store.Tx, *invoke.Invocation)) (how, body string) {
	if a := b.Find(r); a != nil {
		return "hit", string(a.Body)
	}
	a, fill, err := b.Join(r, here{}, time.Minute)
	switch {
	case err != nil:
		return err.Error(), ""
	case a != nil:
		return "shared", string(a.Body)
	}
	defer fill.End()
	inv := b.run(handler)
	defer inv.Tx.Close()
	fill.Seen(inv)
	if a, why := fill.Keep(&inv.Reply); a == nil {
		return why, string(inv.Reply.Body)
	}
	return "kept", string(inv.Reply.Body)
}

func header(name, value string) func(*store.Tx, *invoke.Invocation) {
	return func(_ *store.Tx, inv *invoke.Invocation) {
		inv.Reply.Headers = append(inv.Reply.Headers, abi.Pair{Name: name, Value: value})
	}
}

func both(list ...func(*store.Tx, *invoke.Invocation)) func(*store.Tx, *invoke.Invocation) {
	return func(tx *store.Tx, inv *invoke.Invocation) {
		for _, f := range list {
			f(tx, inv)
		}
	}
}

// TestWhatIsKept: an answer is kept only if it would be the same for whoever asks.
func TestWhatIsKept(t *testing.T) {
	b := newBench(t, badger.Config{})
	looks := func(at invoke.Looks) func(*store.Tx, *invoke.Invocation) {
		return func(_ *store.Tx, inv *invoke.Invocation) { inv.Look(at) }
	}
	status := func(n int) func(*store.Tx, *invoke.Invocation) {
		return func(_ *store.Tx, inv *invoke.Invocation) { inv.Reply.Status = n }
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		want    string
		handler func(*store.Tx, *invoke.Invocation)
		headers []string
		ignores manifest.CacheIgnores
	}{
		{want: "kept", handler: get("k")},
		{want: "kept", handler: status(404)},
		{want: "kept", handler: status(302)},
		{want: "status", handler: status(206)},
		{want: "status", handler: status(304)},
		{want: "status", handler: status(403)},
		{want: "status", handler: status(500)},
		{want: "private", handler: header("Cache-Control", "max-age=10, Private")},
		{want: "no-store", handler: header("cache-control", "no-store")},
		{want: "no-cache", handler: header("cache-control", `no-cache="set-cookie"`)},
		{want: "max-age", handler: header("cache-control", "max-age=0")},
		{want: "max-age", handler: header("cache-control", "max-age=soon")},
		{want: "kept", handler: header("cache-control", "s-maxage=60, max-age=0")},
		{want: "kept", handler: header("cache-control", "max-age=60")},
		{want: "set-cookie", handler: header("Set-Cookie", "a=b")},
		{want: "vary", handler: header("vary", "accept, *")},
		{want: "vary", handler: header("vary", "a,b,c,d,e,f,g,h,i")},
		{want: "kept", handler: header("vary", "accept")},
		{want: "credentials", handler: get("k"), headers: []string{"authorization", "x"}},
		{want: "credentials", handler: get("k"), headers: []string{"cookie", "a=b"}},
		{want: "kept", handler: get("k"), headers: []string{"cookie", "wasmoor-client=01"}},
		{want: "credentials", handler: get("k"), headers: []string{"cookie", "wasmoor-client=01; a=b"}},
		{want: "kept", handler: header("cache-control", "public"), headers: []string{"cookie", "a=b"}},
		{want: "writes", handler: func(tx *store.Tx, _ *invoke.Invocation) { must(tx.Set([]byte("k"), nil, 0)) }},
		{want: "clock", handler: looks(invoke.LookedAtClock)},
		{want: "random", handler: looks(invoke.LookedAtChance)},
		{want: "calls", handler: looks(invoke.LookedAtOthers)},
		{want: "topics", handler: looks(invoke.LookedAtSockets)},
		{want: "kept", handler: looks(invoke.LookedAtClock), ignores: manifest.CacheIgnores{Clock: true}},
		{want: "kept", handler: looks(invoke.LookedAtChance), ignores: manifest.CacheIgnores{Random: true}},
		{want: "kept", handler: looks(invoke.LookedAtOthers), ignores: manifest.CacheIgnores{Calls: true}},
		{want: "clock", handler: looks(invoke.LookedAtClock | invoke.LookedAtChance), ignores: manifest.CacheIgnores{Random: true}},
		{want: "untracked", handler: func(tx *store.Tx, _ *invoke.Invocation) {
			_, _, err := tx.GetUntracked([]byte("k"))
			must(err)
		}},
		{want: "untracked", handler: func(tx *store.Tx, _ *invoke.Invocation) {
			must(tx.List(store.Query{Untracked: true}, func([]byte, []byte) bool { return true }))
		}},
		{want: "reads", handler: func(tx *store.Tx, _ *invoke.Invocation) {
			for i := range 10_001 {
				_, _, err := tx.Get(fmt.Appendf(nil, "%05d", i))
				must(err)
			}
		}},
		{want: "size", handler: func(_ *store.Tx, inv *invoke.Invocation) { inv.Reply.Body = make([]byte, maxAnswer+1) }},
	} {
		r := b.request(deployed("p"), "/a", c.headers...)
		r.Rules.Ignores = c.ignores
		if how, _ := b.ask(r, c.handler); how != c.want {
			t.Errorf("%d: %s, want %s", i, how, c.want)
		}
		again := "hit"
		if c.want != "kept" {
			again = c.want
		}
		if how, _ := b.ask(r, c.handler); how != again {
			t.Errorf("%d: the same request again: %s, want %s", i, how, again)
		}
	}
}

// TestKeys: requests that a handler can tell apart get answers of their own.
func TestKeys(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	first := b.request(d, "/a", "accept", "x")
	b.ask(first, both(get("k"), header("Vary", "Accept, X-Tenant")))
	for name, change := range map[string]func(*Request){
		"scheme":     func(r *Request) { r.Scheme = "https" },
		"host":       func(r *Request) { r.Host = "h:81" },
		"path":       func(r *Request) { r.Path = "/b" },
		"query":      func(r *Request) { r.Query = "a=b" },
		"deployment": func(r *Request) { r.Deployment = &served{env: d.env, plugin: d.plugin} },
		"a field":    func(r *Request) { r.Headers[0].Value = "y" },
		"one more":   func(r *Request) { r.Headers = append(r.Headers, abi.Pair{Name: "x-tenant", Value: "z"}) },
		"one less":   func(r *Request) { r.Headers = nil },
	} {
		r := b.request(d, "/a", "accept", "x")
		change(r)
		if a := b.Find(r); a != nil {
			t.Errorf("%s: another's answer", name)
		}
	}
	same := b.request(d, "/a", "user-agent", "u", "accept", "x")
	if b.Find(same) == nil {
		t.Error("an equal request finds nothing")
	}
	b.ask(b.request(d, "/a", "accept", "y"), both(get("k"), header("Vary", "Accept-Language")))
	if b.Find(b.request(d, "/a", "accept", "y", "accept-language", "de")) != nil || b.Find(b.request(d, "/a", "accept", "z")) != nil {
		t.Error("what an earlier answer depended on counts no more")
	}
}

// TestFieldsAreNotJoined: two values of a field are not one that reads like both.
func TestFieldsAreNotJoined(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.ask(b.request(d, "/a", "accept", "x;q", "accept", "1"), both(get("k"), header("Vary", "Accept")))
	if b.Find(b.request(d, "/a", "accept", "x;q=1")) != nil {
		t.Error("one value finds the answer to two")
	}
	if b.Find(b.request(d, "/a", "accept", "x;q", "accept", "1")) == nil {
		t.Error("an equal request finds nothing")
	}
}

// TestVaryIsBounded: a handler that depends on other fields each time has the host remember
// so many and no more, and what leads to an answer stays as long as that.
func TestVaryIsBounded(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	for i := range 50 {
		vary := "x-k"
		for j := range maxVary - 1 {
			vary += fmt.Sprintf(", f-%d-%d", i, j)
		}
		r := b.request(d, "/a", "x-k", fmt.Sprint(i))
		if how, _ := b.ask(r, both(get("k"), header("Vary", vary))); how != "kept" {
			t.Fatal(how)
		}
		if b.Find(r) == nil {
			t.Fatal("the newest answer is not found")
		}
		k := key{deployment: d, scheme: "http", host: "h", path: "/a"}
		note := r.shelf.find(&k)
		if len(note.vary) > maxVary || note.size <= entryCost+k.cost() {
			t.Fatalf("%d fields are remembered, which count as %d bytes", len(note.vary), note.size)
		}
	}
	long, short := b.request(d, "/b", "accept", "x"), b.request(d, "/b", "accept", "y")
	short.Rules.Keep = time.Second
	b.ask(long, both(get("k"), header("Vary", "accept")))
	b.ask(short, both(get("k"), header("Vary", "accept")))
	k := key{deployment: d, scheme: "http", host: "h", path: "/b"}
	if note := long.shelf.find(&k); note.ends.Before(long.At.Add(time.Hour)) {
		t.Error("what leads to an answer goes before it")
	}
	before := long.shelf.find(&k)
	before.visited.Store(false)
	if b.Find(long) == nil || !before.visited.Load() {
		t.Error("what leads to an answer counts as unused")
	}
}

// TestNobodyElsesID: an answer with its request's id is for that request.
func TestNobodyElsesID(t *testing.T) {
	b := newBench(t, badger.Config{})
	r := b.request(deployed("p"), "/a")
	r.ID = "call-0800"
	body := func(_ *store.Tx, inv *invoke.Invocation) { inv.Reply.Body = []byte("error call-0800 of today") }
	if how, _ := b.ask(r, body); how != "request-id" {
		t.Error(how)
	}
	if how, _ := b.ask(r, header("X-Ref", "<call-0800>")); how != "request-id" {
		t.Error(how)
	}
	if how, _ := b.ask(r, get("k")); how != "kept" {
		t.Error(how)
	}
}

// TestPlugins: each plugin that was asked for has one row with its name.
func TestPlugins(t *testing.T) {
	b := newBench(t, badger.Config{})
	for _, name := range []string{"one", "two", "two"} { // the last was purged and deployed again
		b.Find(b.request(deployed(name), "/a"))
	}
	var names []string
	for _, of := range b.Plugins() {
		names = append(names, of.Plugin)
	}
	if got := strings.Join(names, " "); got != "one two" {
		t.Errorf("the plugins are %q", got)
	}
}

// TestPublic: who says who they are gets an answer that is for others only if it says that it
// is for everybody.
func TestPublic(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	known := b.request(d, "/a", "authorization", "anna")
	b.ask(b.request(d, "/a"), get("k"))
	if b.Find(known) != nil {
		t.Error("an answer for nobody in particular went to Anna")
	}
	if how, _ := b.ask(known, get("k")); how != "credentials" {
		t.Errorf("what Anna got was %s", how)
	}
	if b.Find(b.request(d, "/a")) == nil {
		t.Error("what Anna was told took the place of what everybody is")
	}
	b.ask(b.request(d, "/b", "cookie", "a=b"), both(get("k"), header("Cache-Control", "public")))
	if b.Find(b.request(d, "/b", "authorization", "otto")) == nil || b.Find(b.request(d, "/b")) == nil {
		t.Error("a public answer is not for everybody")
	}
}

// TestEnds: an answer ends with its time, with that of a value that it rests on, and with
// what it says of itself.
func TestEnds(t *testing.T) {
	b := newBench(t, badger.Config{})
	brief := func(tx *store.Tx, _ *invoke.Invocation) {
		_, _, err := tx.Get([]byte("brief"))
		if err != nil {
			t.Error(err)
		}
	}
	b.setFor("brief", "", time.Minute)
	for name, c := range map[string]struct {
		handler func(*store.Tx, *invoke.Invocation)
		keep    time.Duration
		last    time.Duration
	}{
		"its own":  {get("k"), 20 * time.Minute, 20 * time.Minute},
		"a value":  {brief, time.Hour, time.Minute},
		"max-age":  {header("cache-control", "max-age=120"), time.Hour, 2 * time.Minute},
		"s-maxage": {header("cache-control", "s-maxage=60, max-age=1000"), time.Hour, time.Minute},
	} {
		r := b.request(deployed("p"), "/"+name)
		r.Rules.Keep = c.keep
		b.ask(r, c.handler)
		at := r.At
		if r.At = at.Add(c.last - 10*time.Second); b.Find(r) == nil {
			t.Errorf("%s: it ended before its time", name)
		}
		if r.At = at.Add(c.last + time.Second); b.Find(r) != nil {
			t.Errorf("%s: it did not end", name)
		}
	}
}

// TestStaleWhileRevalidate: an answer whose time is over is given on while one run makes it
// anew, and never after a change.
func TestStaleWhileRevalidate(t *testing.T) {
	b := newBench(t, badger.Config{})
	b.set("k", "one")
	b.setFor("brief", "", time.Minute)
	d := deployed("p")
	late := func(path string, by time.Duration) *Request {
		r := b.request(d, path)
		r.At, r.Rules = r.At.Add(by), manifest.Cache{Keep: time.Minute, Stale: time.Hour}
		return r
	}
	renews := func(r *Request) (a *Answer, f *Fill) {
		t.Helper()
		if b.Find(r) != nil {
			t.Fatal("it is found as if it were fresh")
		}
		return b.Renew(r)
	}
	b.ask(late("/a", 0), get("k"))
	if a, _ := b.Renew(late("/never", 0)); a != nil {
		t.Error("an answer that nobody has looked for")
	}
	a, fill := renews(late("/a", 2*time.Minute))
	if a == nil || string(a.Body) != "one" || fill == nil {
		t.Fatalf("2 minutes later it is %v, made anew by %v", a, fill)
	}
	// While that runs others get the answer too, and run nothing.
	r := late("/a", 3*time.Minute)
	if a, second := renews(r); a == nil || second != nil || r.Late() < 119*time.Second || r.Late() > 121*time.Second {
		t.Errorf("3 minutes later: %v and %v, late by %v", a, second, r.Late())
	}
	inv := b.run(get("k"))
	defer inv.Tx.Close()
	fill.Seen(inv)
	if a, why := fill.Keep(&inv.Reply); a == nil {
		t.Fatal(why)
	}
	fill.End()
	if b.Find(late("/a", 150*time.Second)) == nil {
		t.Error("the answer that was made anew is not there")
	}
	// A run that fails leaves what there is, and the next may try.
	_, fill = renews(late("/a", 10*time.Minute))
	fill.End()
	a, fill = renews(late("/a", 10*time.Minute))
	if a == nil || fill == nil {
		t.Fatalf("after a failure: %v and %v", a, fill)
	}
	fill.End()
	if a, _ := renews(late("/a", 64*time.Minute)); a != nil {
		t.Error("it is given for longer than the route says")
	}
	// A change, and a value that is gone, end it whatever the route says.
	b.set("k", "two")
	if a, _ := renews(late("/a", 10*time.Minute)); a != nil {
		t.Errorf("after a change it is %s", a.Body)
	}
	b.ask(late("/brief", 0), get("brief"))
	if a, _ := renews(late("/brief", 61*time.Second)); a != nil {
		t.Error("it outlives a value that it rests on")
	}
	// Only some are made anew at a time.
	for i := range maxRenewed + 1 {
		path := fmt.Sprint("/", i)
		b.ask(late(path, 0), get("k"))
		a, fill := renews(late(path, 2*time.Minute))
		if a == nil || (fill != nil) != (i < maxRenewed) {
			t.Errorf("answer %d: %v made anew by %v", i, a, fill)
		}
		defer fill.End()
	}
}

// TestNotModified follows RFC 9110 §13.
func TestNotModified(t *testing.T) {
	const date = "Mon, 30 Nov 2026 10:00:00 GMT"
	for _, c := range []struct {
		reply   []abi.Pair
		request []abi.Pair
		want    bool
	}{
		{[]abi.Pair{{Name: "ETag", Value: `"a"`}}, []abi.Pair{{Name: "if-none-match", Value: `"a"`}}, true},
		{[]abi.Pair{{Name: "etag", Value: `"a"`}}, []abi.Pair{{Name: "if-none-match", Value: `"b", W/"a"`}}, true},
		{[]abi.Pair{{Name: "ETag", Value: `W/"a"`}}, []abi.Pair{{Name: "if-none-match", Value: `"a"`}}, true},
		{[]abi.Pair{{Name: "ETag", Value: `"a"`}}, []abi.Pair{{Name: "if-none-match", Value: `*`}}, true},
		{[]abi.Pair{{Name: "ETag", Value: `"a"`}}, []abi.Pair{{Name: "if-none-match", Value: `"b"`}}, false},
		{[]abi.Pair{{Name: "ETag", Value: `"a"`}}, nil, false},
		{nil, []abi.Pair{{Name: "if-none-match", Value: `*`}}, false},
		{[]abi.Pair{{Name: "Last-Modified", Value: date}}, []abi.Pair{{Name: "if-modified-since", Value: date}}, true},
		{[]abi.Pair{{Name: "Last-Modified", Value: date}}, []abi.Pair{{Name: "if-modified-since", Value: "Mon, 30 Nov 2026 09:59:59 GMT"}}, false},
		{[]abi.Pair{{Name: "Last-Modified", Value: date}}, []abi.Pair{{Name: "if-modified-since", Value: "now"}}, false},
		{[]abi.Pair{{Name: "Last-Modified", Value: date}, {Name: "ETag", Value: `"a"`}}, []abi.Pair{{Name: "if-modified-since", Value: date}, {Name: "if-none-match", Value: `"b"`}}, false},
	} {
		if got := NotModified(c.request, &invoke.Reply{Status: 200, Headers: c.reply}); got != c.want {
			t.Errorf("%v to %v: %v", c.request, c.reply, got)
		}
	}
	a := newAnswer(&invoke.Reply{Status: 200, Body: []byte("x"), Headers: []abi.Pair{{Name: "Age", Value: "7"}}}, time.Now())
	if len(a.Headers) != 1 || a.Headers[0].Name != "ETag" || !a.NotModified([]abi.Pair{{Name: "if-none-match", Value: a.tag}}) {
		t.Errorf("an answer without an ETag got %v", a.Headers)
	}
	if missing := newAnswer(&invoke.Reply{Status: http.StatusNotFound}, time.Now()); missing.tag != "" || missing.NotModified([]abi.Pair{{Name: "if-none-match", Value: "*"}}) {
		t.Error("a 404 is not modified")
	}
}

// TestShared: of equal requests that come together one runs; whoever comes while it runs,
// after a change, gets an answer of after the change; and a failure is nobody's but its own.
func TestShared(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.set("k", "0")
	const clients = 30
	r := b.request(d, "/a")
	if b.Find(r) != nil {
		t.Fatal("there is nothing")
	}
	_, first, _ := b.Join(r, here{}, time.Minute)
	inv := b.run(get("k")) // has read 0
	defer inv.Tx.Close()
	b.set("k", "1")
	var runs, waiting atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			waiting.Add(1)
			how, body := b.ask(b.request(d, "/a"), func(tx *store.Tx, inv *invoke.Invocation) {
				runs.Add(1)
				get("k")(tx, inv)
			})
			if body != "1" {
				t.Errorf("%s: %s, which is older than the request", how, body)
			}
		})
	}
	for waiting.Load() < clients {
		time.Sleep(time.Millisecond)
	}
	first.Seen(inv)
	if a, why := first.Keep(&inv.Reply); a == nil {
		t.Errorf("the first is not kept: %s", why)
	}
	first.End()
	all.Wait()
	if n := runs.Load(); n == 0 || n == clients {
		t.Errorf("%d runs of %d", n, clients)
	}
	// It fails.
	r = b.request(d, "/b")
	b.Find(r)
	_, fails, _ := b.Join(r, here{}, time.Minute)
	done := make(chan string)
	go func() {
		how, _ := b.ask(b.request(d, "/b"), get("k"))
		done <- how
	}()
	time.Sleep(time.Millisecond)
	fails.End()
	if how := <-done; how != "kept" {
		t.Errorf("after the failure of another: %s", how)
	}
	// It takes too long, and a client leaves.
	r = b.request(d, "/c")
	b.Find(r)
	_, slow, _ := b.Join(r, here{}, time.Minute)
	defer slow.End()
	other := b.request(d, "/c")
	b.Find(other)
	if a, alone, err := b.Join(other, here{}, time.Millisecond); a != nil || alone == nil || err != nil {
		t.Errorf("who waited long enough got %v, %v, %v", a, alone, err)
	}
	if _, _, err := b.Join(other, gone{}, time.Minute); err == nil {
		t.Error("who has left waits")
	}
}

// TestPassed: nobody waits for the answer of another where answers are not kept.
func TestPassed(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.ask(b.request(d, "/a"), header("cache-control", "private"))
	var fills []*Fill
	for range 3 {
		r := b.request(d, "/a")
		b.Find(r)
		a, fill, err := b.Join(r, here{}, time.Minute) // would wait
		if a != nil || fill == nil || err != nil {
			t.Fatal(a, fill, err)
		}
		fills = append(fills, fill)
	}
	for _, f := range fills {
		f.End()
	}
}

// TestRoom: a plugin has no more than its share, keeps what is asked for, and takes nothing
// from another.
func TestRoom(t *testing.T) {
	b := newBench(t, badger.Config{})
	busy, quiet := deployed("busy"), deployed("quiet")
	big := func(_ *store.Tx, inv *invoke.Invocation) { inv.Reply.Body = make([]byte, maxAnswer) }
	for i := range 10 {
		b.ask(b.request(quiet, fmt.Sprint("/", i)), big)
	}
	for i := range 3 * maxPlugin / maxAnswer {
		b.ask(b.request(busy, fmt.Sprint("/", i)), big)
		b.Find(b.request(busy, "/0"))
	}
	for i := range 10 {
		if b.Find(b.request(quiet, fmt.Sprint("/", i))) == nil {
			t.Fatal("another plugin's answers went")
		}
	}
	of := b.Plugins()[0]
	if of.Bytes > maxPlugin || of.Entries < maxPlugin/maxAnswer/2 {
		t.Errorf("%d bytes in %d answers", of.Bytes, of.Entries)
	}
	if b.Find(b.request(busy, "/0")) == nil {
		t.Error("what is asked for all the time went")
	}
	// What serves no more is swept, and so is the shelf of a plugin that has nothing.
	quiet.drained.Store(true)
	busy.drained.Store(true)
	for range 3 {
		b.shelves.Range(func(p, s any) bool {
			s.(*shelf).trim(time.Now())
			return true
		})
	}
	for _, of := range b.Plugins() {
		if of.Entries != 0 || of.Bytes != 0 {
			t.Errorf("%s keeps %d answers of what does not serve", of.Plugin, of.Entries)
		}
	}
	if n := b.index.Stats().Entries; n != 0 {
		t.Errorf("%d entries of the index are left", n)
	}
}

// TestNeverStale has writers, fills and hits in any order, where a commit may stand between
// its decision and its publication for as long as anything else takes: what is found is
// never older than what was acknowledged before, and answers of several keys never mix.
func TestNeverStale(t *testing.T) {
	dir, stores := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		hold := make(chan chan struct{}, 1)
		var holding atomic.Bool
		stores++
		b, end := openBench(filepath.Join(dir, fmt.Sprint(stores)), badger.Config{Persist: func(_ store.Revision, write func() error) error {
			if holding.Load() {
				release := make(chan struct{})
				hold <- release
				<-release
			}
			return write()
		}})
		defer end()
		d := deployed("p")
		const keys = 3
		acked := make([]int, keys) // what each key is known to have
		next := 0
		type filling struct {
			fill *Fill
			inv  *invoke.Invocation
		}
		open := map[string]filling{}
		var held chan struct{} // a commit that is decided and not published
		var done chan struct{}
		var heldKey, heldValue int
		settle := func() {
			if held == nil {
				return
			}
			holding.Store(false)
			close(held)
			<-done
			acked[heldKey], held = heldValue, nil
		}
		path := func(i int) string { return fmt.Sprintf("/%d", i) }
		key := func(i int) string { return fmt.Sprintf("k%d", i) }
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				settle()
				i := rapid.IntRange(0, keys-1).Draw(t, "key")
				next++
				b.set(key(i), fmt.Sprint(next))
				acked[i] = next
			},
			"decide": func(t *rapid.T) {
				settle()
				heldKey = rapid.IntRange(0, keys-1).Draw(t, "key")
				next++
				heldValue = next
				holding.Store(true)
				done = make(chan struct{})
				go func() {
					defer close(done)
					b.set(key(heldKey), fmt.Sprint(heldValue))
				}()
				held = <-hold
			},
			"publish": func(*rapid.T) { settle() },
			"begin": func(t *rapid.T) {
				i := rapid.IntRange(0, keys-1).Draw(t, "key")
				if _, busy := open[path(i)]; busy {
					return
				}
				r := b.request(d, path(i))
				if b.Find(r) != nil {
					return
				}
				_, fill, err := b.Join(r, here{}, time.Minute)
				if err != nil || fill == nil {
					t.Fatal(fill, err)
				}
				open[path(i)] = filling{fill, b.run(get(key(i)))}
			},
			"fill": func(t *rapid.T) {
				p := path(rapid.IntRange(0, keys-1).Draw(t, "key"))
				f, ok := open[p]
				if !ok {
					return
				}
				delete(open, p)
				f.fill.Seen(f.inv)
				f.fill.Keep(&f.inv.Reply)
				f.fill.End()
				f.inv.Tx.Close()
			},
			"find": func(t *rapid.T) {
				i := rapid.IntRange(0, keys-1).Draw(t, "key")
				a := b.Find(b.request(d, path(i)))
				if a == nil {
					return
				}
				n := 0
				if text := string(a.Body); text != "" {
					if _, err := fmt.Sscan(text, &n); err != nil {
						t.Fatal(err)
					}
				}
				if n != acked[i] {
					t.Fatalf("key %d has %d, and the cache says %d", i, acked[i], n)
				}
			},
		})
		settle()
		for _, f := range open {
			f.fill.End()
			f.inv.Tx.Close()
		}
	})
}

// TestHammer has clients read through the cache while others write, all at once.
func TestHammer(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	var acked atomic.Int64
	b.set("k", "0")
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			b.set("k", fmt.Sprint(n))
			acked.Store(int64(n))
			if n%3 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	var hits, asked atomic.Int64
	for range 4 {
		readers.Go(func() {
			for asked.Add(1) < 20_000 || acked.Load() < 50 {
				before := acked.Load()
				how, body := b.ask(b.request(d, "/a"), get("k"))
				var n int64
				if _, err := fmt.Sscan(body, &n); err != nil || n < before {
					t.Errorf("%s: %q, and %d was acknowledged before", how, body, before)
					return
				}
				if how == "hit" {
					hits.Add(1)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	if hits.Load() == 0 || acked.Load() == 0 {
		t.Errorf("%d hits while %d were written", hits.Load(), acked.Load())
	}
	r := b.Plugins()[0].Routes[0]
	if r.Pattern != "GET /a" || r.Kept == 0 || r.Ended["change"] == 0 || r.Hits < hits.Load() {
		t.Errorf("counted: %+v", r)
	}
}

// TestClosed: a closed cache keeps nothing, and answers nothing once something is written.
func TestClosed(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.ask(b.request(d, "/a"), get("k"))
	b.Close()
	b.set("k", "1")
	r := b.request(d, "/a")
	if b.Find(r) != nil {
		t.Error("a closed cache answers")
	}
	if a, fill, err := b.Join(r, here{}, time.Minute); a != nil || fill != nil || err != nil {
		t.Error(a, fill, err)
	}
	var none *Cache
	none.Close()
	if none.Plugins() != nil {
		t.Error("no cache has answers")
	}
}

// BenchmarkFind is a hit without HTTP.
func BenchmarkFind(b *testing.B) {
	c := newBench(b, badger.Config{})
	d := deployed("p")
	c.set("k", strings.Repeat("x", 100))
	c.ask(c.request(d, "/a"), get("k"))
	r := c.request(d, "/a", "accept", "*/*", "user-agent", "x")
	b.ReportAllocs()
	for b.Loop() {
		if c.Find(r) == nil {
			b.Fatal("no hit")
		}
	}
}
