package stream

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func entries(all ...Entry) func(func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

type flat struct {
	Before, Revision uint64
	Time             int64
	Entries          []Entry
}

func encoded(t *testing.T, groups ...Group) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, g := range groups {
		if err := w.Write(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decoded(b []byte) (all []flat, err error) {
	r := NewReader(bytes.NewReader(b))
	for {
		g, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		f := flat{Before: uint64(g.Before), Revision: uint64(g.Revision), Time: g.Time.UnixMilli()}
		for e, err := range g.Entries {
			if err != nil {
				return all, err
			}
			f.Entries = append(f.Entries, e)
		}
		all = append(all, f)
	}
}

func sample(t *testing.T) []byte {
	return encoded(t,
		Group{Before: 0, Revision: 7, Time: time.UnixMilli(1000), Entries: entries(Entry{[]byte("a"), []byte("1")}, Entry{[]byte("b"), nil})},
		Group{Before: 7, Revision: 9, Time: time.UnixMilli(2000), Entries: entries(Entry{[]byte("c"), bytes.Repeat([]byte("x"), 100_000)})},
		Group{Before: 9, Revision: 10, Time: time.UnixMilli(2000), Entries: entries()})
}

func TestGroupsComeBack(t *testing.T) {
	got, err := decoded(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []flat{
		{0, 7, 1000, []Entry{{[]byte("a"), []byte("1")}, {[]byte("b"), nil}}},
		{7, 9, 2000, []Entry{{[]byte("c"), bytes.Repeat([]byte("x"), 100_000)}}},
		{9, 10, 2000, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCutIsFound cuts the encoding after each byte: no prefix passes for a whole.
func TestCutIsFound(t *testing.T) {
	whole := sample(t)
	for n := range whole {
		if n > 50 && n < len(whole)-50 {
			continue // the long value
		}
		if _, err := decoded(whole[:n]); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	if _, err := decoded(append(slices.Clip(whole), 0)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("one byte too many: %v", err)
	}
}

// TestRevisionsEnd: whoever is given a store goes on with later revisions, which must
// not begin anew at 0.
func TestRevisionsEnd(t *testing.T) {
	for revision, ok := range map[store.Revision]bool{1 << 62: true, 1<<62 + 1: false, 1<<64 - 1: false} {
		var b bytes.Buffer
		w := NewWriter(&b)
		if err := errors.Join(w.Write(Group{Revision: revision, Entries: entries(Entry{[]byte("k"), []byte("v")})}), w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := decoded(b.Bytes()); (err == nil) != ok || err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("revision %d: %v", revision, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b)
	_ = w.Write(Group{Revision: 1, Entries: entries(Entry{[]byte("k"), []byte("v")})})
	_ = w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decoded(data); err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}
