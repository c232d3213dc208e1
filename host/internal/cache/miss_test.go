package cache

import (
	"fmt"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// TestMiss: a request without an answer learns why (RFC 9211, 2.2).
func TestMiss(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.set("k", "1")
	wants := func(want string, r *Request) {
		t.Helper()
		if a := b.Find(r); r.Miss != want || (a != nil) != (want == "") {
			t.Errorf("%s %v: %q, want %q", r.Path, r.Headers, r.Miss, want)
		}
	}
	vary := func(_ *store.Tx, inv *invoke.Invocation) {
		inv.Reply.Headers = append(inv.Reply.Headers, abi.Pair{Name: "vary", Value: "accept"})
	}
	wants("uri-miss", b.request(d, "/a"))
	b.ask(b.request(d, "/a"), get("k"))
	wants("", b.request(d, "/a"))
	wants("uri-miss", b.request(d, "/b"))
	wants("request", b.request(d, "/a", "authorization", "me"))
	b.ask(b.request(d, "/v", "accept", "x"), both(get("k"), vary))
	wants("", b.request(d, "/v", "accept", "x"))
	wants("vary-miss", b.request(d, "/v", "accept", "y"))
	wants("vary-miss", b.request(d, "/v"))
	late := b.request(d, "/a")
	late.At = late.At.Add(2 * time.Hour)
	wants("stale", late)
	late.Rules.Stale = 3 * time.Hour
	first := b.request(d, "/r")
	first.Rules.Stale = 3 * time.Hour
	b.ask(first, get("k"))
	late = b.request(d, "/r")
	late.At = late.At.Add(2 * time.Hour)
	wants("stale", late)
	b.set("k", "2") // with its end an answer is as good as gone
	wants("uri-miss", b.request(d, "/a"))
}

// TestMost: an answer that is too large for who asks is not found, and counts for nothing.
func TestMost(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.set("k", "1234")
	b.ask(b.request(d, "/a"), get("k"))
	for most, found := range map[int]bool{0: true, 3: false, 4: true} {
		r := b.request(d, "/a")
		if r.Most = most; (b.Find(r) != nil) != found {
			t.Errorf("up to %d bytes: want it found %v", most, found)
		}
	}
	if hits := b.Plugins()[0].Routes[0].Hits; hits != 2 {
		t.Errorf("%d hits", hits)
	}
}

// TestKnows: targets with an answer are known for as long as there is one.
func TestKnows(t *testing.T) {
	b := newBench(t, badger.Config{})
	d := deployed("p")
	b.set("k", "1")
	ask := func(path, query string, fields ...string) {
		r := b.request(d, path, fields...)
		r.Query = query
		b.ask(r, get("k"))
	}
	for i := range 100 {
		ask(fmt.Sprint("/", i), "")
	}
	ask("/q", "a=b")
	ask("/q", "a=b", "authorization", "me") // it is not kept
	for target, want := range map[string]bool{"/7": true, "/7?": false, "/q": false, "/q?a=b": true, "/q?a=c": false, "/100": false, "": false} {
		if b.Knows([]byte(target)) != want {
			t.Errorf("%q: want it known %v", target, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { b.Knows([]byte("/7")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	b.set("k", "2")
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		left := 0
		for i := range b.targets {
			b.targets[i].mu.RLock()
			left += len(b.targets[i].by)
			b.targets[i].mu.RUnlock()
		}
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d targets are still known", left)
		}
	}
}
