package certify

import (
	"fmt"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestWindowFades writes far more keys in two places within 30 s than are kept: who
// read elsewhere before all that does not conflict, and who read there does.
func TestWindowFades(t *testing.T) {
	w := newWindow(Bounds{Keys: 100, Bytes: 1 << 30}, 0)
	rev := store.Revision(1)
	write := func(space store.Space, key string) {
		rev++
		w.write(space, []byte(key), rev, store.State{})
		w.forget()
		w.release(rev)
	}
	for i := range 20_000 {
		w.passed(int64(i)) // 20 s
		write(1, fmt.Sprintf("a/%06d", i*7919%20_000))
		write(1, fmt.Sprintf("z/%06d", i))
		write(2, fmt.Sprintf("m/%06d", i))
	}
	if w.horizon != 0 || w.keys > 100 || w.spans > 2*spaceSpans {
		t.Fatalf("horizon %d, %d keys, %d spans", w.horizon, w.keys, w.spans)
	}
	check := func(want bool, p store.Part) {
		t.Helper()
		if got := w.writtenSince(&store.Effects{Read: 1, Parts: []store.Part{p}}); (got != nil) != want {
			t.Errorf("%+v: %v, want %v", p, got, want)
		}
	}
	for key, want := range map[string]bool{
		"m": false, "": false, "zz": false, "a": false, "b": false, "z/": false, "a/020000": false,
		"a/000000": true, "a/010000": true, "a/019999": true, "z/000000": true, "z/019999": true,
	} {
		check(want, store.Part{Space: 1, Keys: [][]byte{[]byte(key)}})
	}
	check(false, store.Part{Space: 3, Keys: [][]byte{[]byte("a/000000")}})
	check(false, store.Part{Space: 1, Ranges: []store.Range{{From: []byte("b"), To: []byte("z/")}}})
	check(true, store.Part{Space: 1, Ranges: []store.Range{{From: []byte("b"), To: []byte("z/000001")}}})
	check(true, store.Part{Space: 1, Ranges: []store.Range{{From: []byte("b")}}})
	check(false, store.Part{Space: 1, Ranges: []store.Range{{From: []byte("zz")}}})

	w.passed(60_000)
	for i := range 2000 {
		write(1, fmt.Sprintf("q/%06d", i))
	}
	check(true, store.Part{Space: 1, Keys: [][]byte{[]byte("m")}}) // 30 s are over
	if w.horizon < 50_000 {
		t.Errorf("horizon %d; the first 60,000 writes are 40 s old", w.horizon)
	}
}

// TestFadedIsBounded fades writes in more spaces than there are spans for.
func TestFadedIsBounded(t *testing.T) {
	w := newWindow(Bounds{Keys: 10, Bytes: 1 << 30}, 0)
	for i := range 3 * allSpans {
		w.passed(int64(i))
		w.write(store.Space(1+i), []byte("k"), store.Revision(i+1), store.State{})
		w.forget()
		w.release(store.Revision(i + 1))
		if w.spans > allSpans {
			t.Fatalf("%d spans", w.spans)
		}
	}
	if w.horizon == 0 {
		t.Error("nothing was forgotten")
	}
	if len(w.spaces) > allSpans+10 {
		t.Errorf("%d spaces are remembered", len(w.spaces))
	}
}
