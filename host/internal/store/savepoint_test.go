package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSavepoints does random steps in the parts of a transaction, with savepoints within
// each other: what is undone leaves no write and no record, in no part, frees what it
// took of the bounds of a commit, and leaves all that was read.
func TestSavepoints(t *testing.T) {
	spaces := []Space{3, Space(3).In(AreaQueue), 9, Space(9).In(AreaQueue)}
	keys := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		tx := new(Tx)
		tx.Reset(newMemory("a"), 3, Quota{}, time.Unix(0, 0))
		defer tx.Close()
		type saved struct {
			Savepoint
			wrote  string
			writes int
		}
		var open []saved
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			part, key := tx.Part(rapid.SampledFrom(spaces).Draw(t, "space"), Quota{}), []byte(keys.Draw(t, "key"))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1:
				_, writes := tx.Taken()
				open = append(open, saved{tx.Savepoint(), wroteOf(tx), writes})
			case 2:
				if n := len(open); n > 0 {
					tx.Keep(open[n-1].Savepoint)
					open = open[:n-1]
				}
			case 3, 4:
				n := len(open)
				if n == 0 {
					continue
				}
				last, read := open[n-1], readOf(tx)
				open = open[:n-1]
				tx.Undo(last.Savepoint)
				if got := wroteOf(tx); got != last.wrote {
					t.Fatalf("undone to\n%s, want\n%s", got, last.wrote)
				}
				if _, writes := tx.Taken(); writes != last.writes {
					t.Fatalf("%d writes are counted, want %d", writes, last.writes)
				}
				if now := readOf(tx); !slices.Equal(now, read) {
					t.Fatalf("%q was read, and now %q", read, now)
				}
			case 5:
				_, _, _ = part.Get(key)
			case 6:
				_ = part.List(Query{Prefix: key}, func(_, _ []byte) bool { return true })
			case 7:
				_ = part.Add(key, int64(rapid.IntRange(-3, 3).Draw(t, "delta")))
			case 8:
				_ = part.Delete(key)
				if part.space.Area() == AreaKV {
					_ = part.SetRecord(key, fmt.Append(nil, len(part.records)), 0)
				}
			case 9:
				value := fmt.Append(nil, rapid.IntRange(0, 9).Draw(t, "value"))
				if rapid.Bool().Draw(t, "stamped") {
					_ = part.SetStamped(append([]byte("12345678"), key...), value, 0, -1, 0)
				} else {
					_ = part.Set(key, value, 0)
				}
			}
			if err := tx.Effects().Check(); err != nil {
				t.Fatal(err)
			}
		}
		if len(open) == 0 && (tx.journal.open != 0 || len(tx.journal.entries) != 0) {
			t.Fatalf("no savepoint is open, and %d entries are kept for %d", len(tx.journal.entries), tx.journal.open)
		}
	})
}

// wroteOf is all that a transaction has to write.
func wroteOf(tx *Tx) string {
	var b bytes.Buffer
	for _, p := range tx.Effects().Parts {
		for _, ops := range [][]Op{p.Ops, p.Stamped, p.Records} {
			for _, op := range ops {
				op.Found = nil
				fmt.Fprintf(&b, "%x %+v; ", uint64(p.Space), op)
			}
		}
	}
	return b.String()
}

// readOf is all that it has read.
func readOf(tx *Tx) (all []string) {
	for _, p := range tx.Effects().Parts {
		for _, k := range p.Keys {
			all = append(all, fmt.Sprintf("%x %q", uint64(p.Space), k))
		}
		for _, r := range p.Ranges {
			all = append(all, fmt.Sprintf("%x %q-%q", uint64(p.Space), r.From, r.To))
		}
	}
	return all
}

// TestSharedOfParts: what the areas of a space share with other spaces is its owner's,
// and not that of the whole.
func TestSharedOfParts(t *testing.T) {
	own, other := &Shared{Name: "own"}, &Shared{Name: "other"}
	tx := new(Tx)
	tx.Reset(newMemory("a"), 3, Quota{Shared: own}, time.Unix(0, 0))
	tx.Part(9, Quota{Shared: other})
	tx.Part(Space(9).In(AreaQueue), Quota{Keys: 1})
	tx.Part(Space(3).In(AreaQueue), Quota{Keys: 1})
	for _, p := range tx.Effects().Parts {
		want := own
		if p.Space.Owner() == 9 {
			want = other
		}
		if p.Quota.Shared != want {
			t.Errorf("space %#x shares with %+v", uint64(p.Space), p.Quota.Shared)
		}
	}
}
