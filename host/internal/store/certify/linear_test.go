package certify

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// simulated is a store without threads: its clients begin, and commit some steps
// later, in an order that the test draws.
type simulated struct {
	log     *Log
	states  []map[string]string // by revision
	history []porcupine.Operation
	step    int64
}

// pending is a transaction between its begin and its commit.
type pending struct {
	client  int
	call    int64
	read    store.Revision
	in      simulatedOp
	out     string
	effects *store.Effects
}

// simulatedOp reads some keys, or all from one on, and sets one.
type simulatedOp struct {
	keys  string
	from  string // "" = no range
	write string // "" = read-only
	value string
}

// read is what op sees in a state.
func (op simulatedOp) read(state map[string]string) string {
	var seen strings.Builder
	for _, k := range "abcd" {
		key := string(k)
		if strings.Contains(op.keys, key) || op.from != "" && key >= op.from {
			fmt.Fprintf(&seen, "%s=%s ", key, state[key])
		}
	}
	return seen.String()
}

func (op simulatedOp) apply(state map[string]string) map[string]string {
	if op.write == "" {
		return state
	}
	next := maps.Clone(state)
	next[op.write] = op.value
	return next
}

func (s *simulated) begin(rng *rand.Rand, client int) *pending {
	s.step++
	read := s.log.Revision()
	op := simulatedOp{value: fmt.Sprint(s.step)}
	part := store.Part{Space: 1}
	for _, k := range "abcd" {
		if rng.IntN(3) == 0 {
			op.keys += string(k)
			part.Keys = append(part.Keys, []byte(string(k)))
		}
	}
	if rng.IntN(4) == 0 {
		op.from = string("abcd"[rng.IntN(4)])
		part.Ranges = []store.Range{{From: []byte(op.from)}}
	}
	if rng.IntN(4) > 0 {
		op.write = string("abcd"[rng.IntN(4)])
		part.Ops = []store.Op{{Key: []byte(op.write), Value: store.Value{Data: []byte(op.value)}}}
	}
	return &pending{
		client: client, call: s.step, read: read, in: op, out: op.read(s.states[read]),
		effects: &store.Effects{Read: read, Now: time.Unix(s.step, 0), Parts: []store.Part{part}},
	}
}

// commit decides p; what is refused has never happened.
func (s *simulated) commit(t *rapid.T, p *pending) {
	s.step++
	if p.in.write != "" {
		e := &Entry{Effects: p.effects, Seen: s.log.Revision(), Writes: []Write{{Space: 1, Key: []byte(p.in.write)}}}
		if old, ok := s.states[e.Seen][p.in.write]; ok {
			e.Writes[0].Prior = store.StateOf(store.Value{Data: []byte(old)})
		}
		e.Writes[0].Next = store.StateOf(store.Value{Data: []byte(p.in.value)})
		err := s.log.Decide(e)
		if fault.CodeOf(err) == fault.Conflict {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		s.states = append(s.states, p.in.apply(s.states[e.Seen]))
		s.log.Release(e.Revision)
	}
	s.history = append(s.history, porcupine.Operation{ClientId: p.client, Input: p.in, Call: p.call, Output: p.out, Return: s.step})
}

var simulatedModel = porcupine.Model{
	Init: func() any { return map[string]string{} },
	Step: func(state, input, output any) (bool, any) {
		op, now := input.(simulatedOp), state.(map[string]string)
		return op.read(now) == output, op.apply(now)
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
}

// TestAcceptedIsLinearizable has porcupine look for an order that explains what
// clients saw whose transactions were accepted, with windows too small to
// remember much, too.
func TestAcceptedIsLinearizable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		b := Bounds{Keys: rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "keys"), Bytes: 1 << 20}
		s := &simulated{log: New(0, map[store.Space]store.Usage{}, map[store.Space]bool{}, b), states: []map[string]string{{}}}
		clients := make([]*pending, 5)
		for range 120 {
			c := rng.IntN(len(clients))
			if clients[c] == nil {
				clients[c] = s.begin(rng, c)
				continue
			}
			s.commit(t, clients[c])
			clients[c] = nil
		}
		if !porcupine.CheckOperations(simulatedModel, s.history) {
			t.Fatalf("no order explains %+v", s.history)
		}
	})
}
