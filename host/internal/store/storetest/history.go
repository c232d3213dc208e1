package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// registerOp is one operation of a concurrent history on one key.
type registerOp struct {
	key, kind, value string
	delta            int64
}

// testLinearizable records what clients saw when, each operation a transaction
// of its own, and has porcupine look for an order that explains it.
func testLinearizable(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const clients, each = 8, 100
	histories := make([][]porcupine.Operation, clients)
	var clock atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			for i := range each {
				op := registerOp{
					key:   string(rune('a' + rng.IntN(4))),
					kind:  []string{"get", "get", "set", "add", "delete", "take"}[rng.IntN(6)],
					value: counter(int64(c*each + i)), delta: int64(1 + rng.IntN(9)),
				}
				call := clock.Add(1)
				out, err := b.register(op)
				if err != nil {
					t.Errorf("%+v: %v", op, err)
					return
				}
				histories[c] = append(histories[c], porcupine.Operation{
					ClientId: c, Input: op, Call: call, Output: out, Return: clock.Add(1),
				})
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(registerModel, slices.Concat(histories...), time.Minute); got != porcupine.Ok {
		t.Fatalf("the history is not linearizable: %v", got)
	}
}

// register does op, again after conflicts, and returns what it read.
func (b *bench) register(op registerOp) (read string, err error) {
	for {
		snap, err := b.Snapshot()
		if err != nil {
			return "", err
		}
		tx := store.Begin(snap, b.space, store.Quota{}, now)
		read, err = do(tx, op)
		tx.Close()
		if err == nil {
			_, err = b.Commit(context.Background(), tx.Effects())
		}
		if fault.CodeOf(err) != fault.Conflict {
			return read, err
		}
	}
}

func do(tx *store.Tx, op registerOp) (read string, err error) {
	key := []byte(op.key)
	if op.kind == "get" || op.kind == "take" {
		data, ok, err := tx.Get(key)
		if err != nil {
			return "", err
		}
		read = absent
		if ok {
			read = string(data)
		}
	}
	switch op.kind {
	case "set":
		return read, tx.Set(key, []byte(op.value), 0)
	case "add":
		return read, tx.Add(key, op.delta)
	case "delete", "take":
		return read, tx.Delete(key)
	}
	return read, nil
}

var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(registerOp).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return absent },
	Step: func(state, input, output any) (bool, any) {
		have, op := state.(string), input.(registerOp)
		switch op.kind {
		case "set":
			return true, op.value
		case "delete":
			return true, absent
		case "take":
			return output == have, absent
		case "add":
			n, _ := store.CounterOf([]byte(have))
			return true, counter(n + op.delta)
		}
		return output == have, have
	},
}

// seen is a transaction as its client saw it.
type seen struct {
	revision store.Revision
	readOnly bool
	reads    []read
	ops      []store.Op
}

// read is a point read or a list with its result.
type read struct {
	key   string
	query *store.Query
	got   string
}

// testSerializable runs random transactions side by side, then replays them in
// the order of their revisions, one at a time, on a model: each must read
// again exactly what it read then.
func testSerializable(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const clients, each = 8, 150
	histories := make([][]seen, clients)
	var conflicts atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(c)))
			for range each {
				tx, err := b.random(rng)
				switch fault.CodeOf(err) {
				case "":
					histories[c] = append(histories[c], tx)
				case fault.Conflict:
					conflicts.Add(1)
				default:
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(histories...)
	// Readers of a revision come behind its writer.
	slices.SortStableFunc(all, func(x, y seen) int {
		if x.revision != y.revision {
			return int(int64(x.revision) - int64(y.revision))
		}
		return boolOrder(x.readOnly) - boolOrder(y.readOnly)
	})
	replay(t, all)
	if conflicts.Load() == 0 || len(all) < clients*each/10 {
		t.Errorf("%d committed, %d conflicts: the history shows nothing", len(all), conflicts.Load())
	}
}

func boolOrder(v bool) int {
	if v {
		return 1
	}
	return 0
}

func replay(t *testing.T, history []seen) {
	m := model{}
	for i, tx := range history {
		if i > 0 && !tx.readOnly && !history[i-1].readOnly && tx.revision == history[i-1].revision {
			t.Fatalf("two commits have revision %d", tx.revision)
		}
		for _, r := range tx.reads {
			var want string
			if r.query != nil {
				want = strings.Join(m.list(*r.query), " ")
			} else if v, ok := m[r.key]; ok {
				want = v
			} else {
				want = absent
			}
			if r.got != want {
				t.Fatalf("revision %d read %q %+v as %q; in serial order it is %q", tx.revision, r.key, r.query, r.got, want)
			}
		}
		for _, op := range tx.ops {
			m.apply(op)
		}
	}
}

func (m model) apply(op store.Op) {
	switch op.Kind {
	case store.OpSet:
		m[string(op.Key)] = string(op.Value.Data)
	case store.OpDelete:
		delete(m, string(op.Key))
	case store.OpAdd:
		n, _ := store.CounterOf([]byte(m[string(op.Key)]))
		m[string(op.Key)] = counter(n + op.Delta)
	}
}

// random runs a transaction of a few random reads, then a few random writes.
func (b *bench) random(rng *rand.Rand) (s seen, err error) {
	snap, err := b.Snapshot()
	if err != nil {
		return s, err
	}
	s.revision, s.readOnly = snap.Revision(), true
	tx := store.Begin(snap, b.space, store.Quota{}, now)
	defer tx.Close()
	for range rng.IntN(3) {
		r, err := randomRead(rng, tx)
		if err != nil {
			return s, err
		}
		s.reads = append(s.reads, r)
	}
	for range rng.IntN(3) {
		if err := randomWrite(rng, tx); err != nil {
			return s, err
		}
	}
	e := tx.Effects()
	s.ops = e.Parts[0].Ops
	revision, err := b.Commit(context.Background(), e)
	if len(s.ops) > 0 {
		s.revision, s.readOnly = revision, false
	}
	return s, err
}

func randomKey(rng *rand.Rand) []byte {
	return []byte{"ab"[rng.IntN(2)], "0123456789"[rng.IntN(10)]}
}

func randomRead(rng *rand.Rand, tx *store.Tx) (read, error) {
	if rng.IntN(2) == 0 {
		key := randomKey(rng)
		data, ok, err := tx.Get(key)
		got := absent
		if ok {
			got = string(data)
		}
		return read{key: string(key), got: got}, err
	}
	q := store.Query{Prefix: randomKey(rng)[:1], Limit: rng.IntN(4), Reverse: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		q.After = randomKey(rng)
	}
	var got []string
	err := tx.List(q, func(key, data []byte) bool {
		got = append(got, string(key)+"="+string(data))
		return true
	})
	return read{query: &q, got: strings.Join(got, " ")}, err
}

func randomWrite(rng *rand.Rand, tx *store.Tx) error {
	key := randomKey(rng)
	switch rng.IntN(4) {
	case 0:
		return tx.Delete(key)
	case 1:
		return tx.Add(key, int64(rng.IntN(100)))
	}
	return tx.Set(key, []byte(counter(rng.Int64N(1000))), 0)
}

// testBank moves money between accounts while others count it.
func testBank(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	const accounts, clients, each, start = 10, 8, 60, 100
	account := func(i int) []byte { return fmt.Appendf(nil, "account%d", i) }
	b.must(func(tx *store.Tx) error {
		for i := range accounts {
			if err := tx.Set(account(i), []byte(counter(start)), 0); err != nil {
				return err
			}
		}
		return nil
	})
	total := func(tx *store.Tx) (sum int64, err error) {
		err = tx.List(store.Query{Prefix: []byte("account")}, func(_, data []byte) bool {
			n, _ := store.CounterOf(data)
			sum += n
			return true
		})
		return sum, err
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(c)))
			for range each {
				err := b.retry(func(tx *store.Tx) error {
					if sum, err := total(tx); err != nil || sum != accounts*start {
						return fmt.Errorf("the accounts hold %d, %w", sum, err)
					}
					from, to := rng.IntN(accounts), rng.IntN(accounts)
					return transfer(tx, account(from), account(to), int64(rng.IntN(50)))
				})
				if err != nil {
					t.Errorf("transfer: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if sum, err := total(b.begin()); err != nil || sum != accounts*start {
		t.Errorf("in the end the accounts hold %d, %v", sum, err)
	}
}

func (b *bench) retry(f func(tx *store.Tx) error) error {
	for {
		if err := b.try(f); fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
}

// transfer moves amount if it is there: a write that depends on a read.
func transfer(tx *store.Tx, from, to []byte, amount int64) error {
	data, _, err := tx.Get(from)
	if n, ok := store.CounterOf(data); err != nil || !ok || n < amount || bytes.Equal(from, to) {
		return err
	}
	if err := tx.Add(from, -amount); err != nil {
		return err
	}
	return tx.Add(to, amount)
}

// testHammer uses every method from many goroutines at once. It is for the
// race detector, and for what must hold whatever happens: nothing fails but by
// its documented code, and the counts agree in the end.
func testHammer(t *testing.T, open Opener) {
	b := newBench(t, open, Options{Window: 64})
	var adds, drops atomic.Int64
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(4, uint64(c)))
			mine := store.Space(100 + c)
			for range 60 {
				switch rng.IntN(8) {
				case 0:
					if err := b.Drop(context.Background(), mine); err != nil {
						t.Errorf("Drop: %v", err)
					}
					drops.Add(1)
					mine += 100
				case 1:
					if _, err := b.Usage(b.space); err != nil {
						t.Errorf("Usage: %v", err)
					}
					if err := b.Health(); err != nil {
						t.Errorf("Health: %v", err)
					}
				case 2, 3:
					if err := b.add("shared", 1); err != nil {
						t.Errorf("add: %v", err)
					}
					adds.Add(1)
				default:
					hammer(t, b.Store, mine, rng)
				}
			}
		})
	}
	wg.Wait()
	b.holds("shared", counter(adds.Load()))
	b.recount()
	if adds.Load() == 0 || drops.Load() == 0 {
		t.Error("nothing was hammered")
	}
}

// hammer runs one random transaction whose snapshot goroutines share.
func hammer(t *testing.T, s store.Store, space store.Space, rng *rand.Rand) {
	snap, err := s.Snapshot()
	if err != nil {
		t.Errorf("Snapshot: %v", err)
		return
	}
	tx := store.Begin(snap, space, store.Quota{Keys: 30}, now)
	defer tx.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := snap.Scan(space, nil, nil, true, func([]byte, store.Value) bool { return true })
		if err != nil {
			t.Errorf("Scan: %v", err)
		}
	})
	for range 3 {
		if _, err := randomRead(rng, tx); err != nil {
			t.Errorf("read: %v", err)
		}
		if err := randomWrite(rng, tx); fault.CodeOf(err) != "" {
			t.Errorf("write: %v", err)
		}
	}
	wg.Wait()
	_, err = s.Commit(context.Background(), tx.Effects())
	switch fault.CodeOf(err) {
	case "", fault.Conflict:
	default:
		t.Errorf("commit: %v", err)
	}
}
