package storetest

import (
	"context"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// seal seals a transaction on what is decided, which must be accepted.
func (b *bench) seal(f func(tx *store.Tx) error) *store.Settling {
	tx := b.beginOn(true)
	b.want("transaction", f(tx), "")
	_, settling, err := b.Seal(context.Background(), tx.Effects())
	b.want("Seal", err, "")
	tx.Close()
	return settling
}

// testListModel seals random writes and compares each state with a model, with own
// writes on top and also when it is read after later ones.
func testListModel(t *testing.T, open Opener) {
	b := newBench(t, open, Options{})
	rapid.Check(t, func(t *rapid.T) {
		b.space++
		type state struct {
			tx *store.Tx
			m  model
		}
		var states []state
		m := model{}
		var last *store.Settling
		for range rapid.IntRange(1, 6).Draw(t, "commits") {
			last = b.seal(func(tx *store.Tx) error {
				for range rapid.IntRange(1, 4).Draw(t, "writes") {
					mutate(t, tx, m)
				}
				return nil
			})
			states = append(states, state{b.beginOn(true), maps.Clone(m)})
		}
		if rapid.Bool().Draw(t, "durable") {
			b.want("Wait", last.Wait(), "")
			states = append(states, state{b.begin(), maps.Clone(m)})
		}
		for _, s := range states {
			for range rapid.IntRange(0, 8).Draw(t, "own") {
				mutate(t, s.tx, s.m)
			}
			sameList(t, s.tx, s.m, store.Query{})
			sameList(t, s.tx, s.m, anyQuery().Draw(t, "query"))
			s.tx.Close()
		}
	})
}
