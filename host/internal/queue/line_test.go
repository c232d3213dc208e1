package queue

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func numbered(n uint64) (id ID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// model is a Line as one would explain it.
type model struct {
	list []*modeled // in order of sending
}

type modeled struct {
	id      ID
	key     string
	due     int64
	claimed bool
}

// take returns what Take must: of the messages that are due, are not being handled
// and have nobody of their key ahead or being handled, the first.
func (m *model) take(now int64) *modeled {
	for i, e := range m.list {
		blocked := slices.ContainsFunc(m.list[:i], func(o *modeled) bool { return o.key == e.key && e.key != "" }) ||
			slices.ContainsFunc(m.list, func(o *modeled) bool { return o.key == e.key && e.key != "" && o.claimed })
		if !e.claimed && e.due <= now && !blocked {
			return e
		}
	}
	return nil
}

// next returns when a message may be taken at the earliest.
func (m *model) next() (due int64, ok bool) {
	for at := range int64(200) {
		if m.take(at) != nil {
			return at, true
		}
	}
	return 0, false
}

func (m *model) find(id ID) int {
	return slices.IndexFunc(m.list, func(e *modeled) bool { return e.id == id })
}

// TestLine does random steps on a Line and on its model: messages come, late ones and
// revived ones too, are taken, given back and removed.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Line
		var m model
		now := int64(0)
		pick := func() (ID, bool) {
			if len(m.list) == 0 {
				return ID{}, false
			}
			return m.list[rapid.IntRange(0, len(m.list)-1).Draw(t, "which")].id, true
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				e := &modeled{
					id:  numbered(rapid.Uint64Range(0, 30).Draw(t, "id")),
					key: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key"),
					due: rapid.Int64Range(0, 100).Draw(t, "due"),
				}
				l.Add(e.id, e.key, 0, e.due)
				if m.find(e.id) < 0 {
					m.list = append(m.list, e)
					slices.SortFunc(m.list, func(a, b *modeled) int { return slices.Compare(a.id[:], b.id[:]) })
				}
			},
			"take": func(t *rapid.T) {
				now += rapid.Int64Range(0, 20).Draw(t, "later")
				id, ok := l.Take(now)
				want := m.take(now)
				if ok != (want != nil) || ok && id != want.id {
					t.Fatalf("at %d took %s, %v; want %+v", now, id, ok, want)
				}
				if ok {
					want.claimed = true
				}
			},
			"back": func(t *rapid.T) {
				if id, ok := pick(); ok {
					due := rapid.Int64Range(0, 150).Draw(t, "due")
					l.Back(id, due)
					if e := m.list[m.find(id)]; e.claimed {
						e.claimed, e.due = false, due
					}
				}
			},
			"remove": func(t *rapid.T) {
				if id, ok := pick(); ok {
					l.Remove(id)
					m.list = slices.Delete(m.list, m.find(id), m.find(id)+1)
				}
			},
			"": func(t *rapid.T) {
				claimed := 0
				for _, e := range m.list {
					if e.claimed {
						claimed++
					}
				}
				if all, c := l.Len(); all != len(m.list) || c != claimed {
					t.Fatalf("%d messages, %d claimed; want %d, %d", all, c, len(m.list), claimed)
				}
				due, ok := l.Next()
				want, wantOK := m.next()
				if ok != wantOK || ok && max(due, now) != max(want, now) {
					t.Fatalf("next at %d, %v; want %d, %v", due, ok, want, wantOK)
				}
			},
		})
	})
}

// A message that nobody can handle stops those of its key while it is tried, and
// nobody else ever.
func TestLinePoison(t *testing.T) {
	var l Line
	l.Add(numbered(1), "k", 0, 0)
	l.Add(numbered(2), "k", 0, 0)
	l.Add(numbered(3), "", 0, 0)
	take := func(now int64, want uint64) {
		t.Helper()
		if id, ok := l.Take(now); ok != (want != 0) || ok && id != numbered(want) {
			t.Errorf("at %d took %s, %v; want %d", now, id, ok, want)
		}
	}
	take(0, 1)
	take(0, 3)
	take(0, 0)
	l.Back(numbered(1), 10)
	take(5, 0)
	if due, ok := l.Next(); due != 10 || !ok {
		t.Errorf("next at %d, %v", due, ok)
	}
	take(10, 1)
	l.Remove(numbered(1)) // a dead letter
	take(10, 2)
}

func BenchmarkLine(b *testing.B) {
	var l Line
	for i := range uint64(100_000) {
		l.Add(numbered(i), "one key", 0, 0)
	}
	n := uint64(100_000)
	b.ReportAllocs()
	for b.Loop() {
		id, ok := l.Take(1)
		if !ok {
			b.Fatal("nothing")
		}
		l.Remove(id)
		l.Add(numbered(n), "one key", 0, 0)
		n++
	}
}
