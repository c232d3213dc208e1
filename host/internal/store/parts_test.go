package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestParts does random steps in the parts of a transaction, begun twice in the same
// memory: each part sees its own writes alone, all of them have one snapshot, the sum
// of what they write is within the bounds of a commit, and one Effects has it all.
func TestParts(t *testing.T) {
	spaces := []Space{3, Space(3).In(AreaQueue), Space(3).In(AreaTopics), 9}
	keys := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory("a")
		tx := new(Tx)
		for range 2 {
			m.opened, m.released = 0, 0
			tx.Reset(m, 3, Quota{Keys: 1}, time.Unix(0, 0))
			wrote := map[Space]map[string]string{}
			for range rapid.IntRange(0, 12).Draw(t, "steps") {
				space := rapid.SampledFrom(spaces).Draw(t, "space")
				part, key := tx.Part(space, Quota{Keys: int64(space.Area()) + 1}), keys.Draw(t, "key")
				if part != tx.Part(space, Quota{}) || (part == tx) != (space == 3) {
					t.Fatal("not the same part")
				}
				switch rapid.IntRange(0, 2).Draw(t, "step") {
				case 0:
					got, ok, err := part.Get([]byte(key))
					want, own := wrote[space][key]
					if !own && key == "a" {
						want, own = "stored", true
					}
					if string(got) != want || ok != own || err != nil {
						t.Fatalf("%s of %#x: %q, %v, %v; want %q, %v", key, uint64(space), got, ok, err, want, own)
					}
				case 1:
					value := fmt.Sprint(space, key, len(wrote[space]))
					if err := part.Set([]byte(key), []byte(value), 0); err != nil {
						t.Fatal(err)
					}
					if wrote[space] == nil {
						wrote[space] = map[string]string{}
					}
					wrote[space][key] = value
				case 2:
					if err := part.SetStamped([]byte("12345678"+key), nil, 0, -1, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			checkParts(t, tx, wrote)
			tx.Close()
			if m.opened > 1 || m.released != m.opened {
				t.Fatalf("%d snapshots, %d released", m.opened, m.released)
			}
		}
	})
}

func checkParts(t *rapid.T, tx *Tx, wrote map[Space]map[string]string) {
	e := tx.Effects()
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	if _, writes := tx.Taken(); e.ReadOnly() != tx.ReadOnly() || e.ReadOnly() != (writes == 0) {
		t.Fatalf("read-only %v, %v, with %d writes", e.ReadOnly(), tx.ReadOnly(), writes)
	}
	got := map[Space]map[string]string{}
	for _, p := range e.Parts {
		if p.Space != 3 && p.Quota.Keys != int64(p.Space.Area())+1 {
			t.Fatalf("the quota of %#x is %+v", uint64(p.Space), p.Quota)
		}
		for _, op := range p.Ops {
			if got[p.Space] == nil {
				got[p.Space] = map[string]string{}
			}
			got[p.Space][string(op.Key)] = string(op.Value.Data)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(wrote) {
		t.Fatalf("the effects are %v, want %v", got, wrote)
	}
}

// The bounds of a commit hold for all parts together, and a refused write changes
// nothing.
func TestPartsShareBounds(t *testing.T) {
	tx := beginOn()
	queue := tx.Part(tx.space.In(AreaQueue), Quota{})
	large := make([]byte, MaxValue)
	for i := range MaxEffectBytes/MaxValue - 1 {
		if err := tx.Set([]byte{byte(i)}, large, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := queue.Set([]byte("k"), large, 0); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("over the bytes: %v", err)
	}
	for i := range MaxStamped {
		part := []*Tx{tx, queue}[i%2]
		if err := part.SetStamped(fmt.Appendf(nil, "12345678%d", i), nil, 0, -1, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []*Tx{tx, queue} {
		if err := part.SetStamped([]byte("12345678more"), nil, 0, -1, 0); fault.CodeOf(err) != fault.TooLarge {
			t.Errorf("over the stamps: %v", err)
		}
	}
	if err := tx.Effects().Check(); err != nil {
		t.Error(err)
	}
	if _, writes := queue.Taken(); writes != MaxEffectBytes/MaxValue-1+MaxStamped {
		t.Errorf("%d writes", writes)
	}
}

// A part ends with its whole, and what it could not read is the whole's failure.
func TestPartsEnd(t *testing.T) {
	m := newMemory("a")
	tx := new(Tx)
	tx.Reset(m, 1, Quota{}, time.Unix(0, 0))
	part := tx.Part(2, Quota{})
	m.err = fault.New(fault.Unavailable, "snapshot", "the store is closed")
	if _, _, err := part.Get([]byte("a")); err == nil || !errors.Is(tx.Failure(), err) || !errors.Is(part.Failure(), err) {
		t.Errorf("got %v, failure %v", err, tx.Failure())
	}
	m.err = nil
	tx.Reset(m, 1, Quota{}, time.Unix(0, 0))
	if tx.Failure() != nil || len(tx.Effects().Parts) != 1 {
		t.Errorf("after Reset: %v, %+v", tx.Failure(), tx.Effects().Parts)
	}
	if err := part.Set([]byte("k"), nil, 0); fault.CodeOf(err) != fault.Internal {
		t.Errorf("the part of before: %v", err)
	}
	next := tx.Part(2, Quota{})
	tx.Close()
	for _, p := range []*Tx{tx, next} {
		if err := p.Set([]byte("k"), nil, 0); fault.CodeOf(err) != fault.Internal {
			t.Errorf("after Close: %v", err)
		}
	}
	if parts := beginOn().Part(1, Quota{}).Effects().Parts; !slices.IsSortedFunc(parts, func(a, b Part) int { return int(a.Space) - int(b.Space) }) || len(parts) != 2 {
		t.Errorf("%+v", parts)
	}
}
