package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
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
				out, err := b.register(op, rng.IntN(2) == 0)
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

// register does op, again after conflicts, and returns what it read once that is
// durable.
func (b *bench) register(op registerOp, latest bool) (read string, err error) {
	for {
		snap, err := b.snapshot(latest)
		if err != nil {
			return "", err
		}
		tx := store.Begin(snap, b.space, store.Quota{}, now)
		read, err = do(tx, op)
		tx.Close()
		if err == nil {
			_, err = b.settle(tx.Effects(), latest)
		}
		if err == nil {
			err = snap.Durable()
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
