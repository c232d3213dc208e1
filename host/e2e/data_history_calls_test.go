package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// callers are plugins that call each other; key i of a group is in the i-th, and so on.
var callers = []string{"kv", "left", "right"}

// TestHistoryAcrossPlugins runs transactions on lists that three plugins keep, in keys, in
// SQL and in blobs. Each begins in one of the three, which has the others do their parts, by way of each other too; some
// of them fail or trap, and their callers go on. The server is killed over and over: what
// clients saw, before and after, has an explanation in which the transactions ran one
// after another, whole or not at all.
func TestHistoryAcrossPlugins(t *testing.T) {
	t.Parallel()
	const clients, group = 6, 12
	seed, dir, began := seeded(t), t.TempDir(), time.Now()
	h := &history{server: serve(t, dir), began: began}
	for _, name := range callers {
		lines := []string{"[blobs]", "[services]"}
		for _, other := range callers {
			lines = append(lines, other+` = "`+other+`"`)
		}
		sqlServer{h.server}.deploySQL(t, name, []string{listTable}, lines...)
	}
	done, unknown := 0, 0
	rounds := often(4, 400)
	for round := range rounds {
		histories := make([][]listTxn, clients)
		killed := time.AfterFunc(time.Duration(50+rand.IntN(400))*time.Millisecond, h.kill)
		parallel(clients, func(c int) {
			rng := rand.New(rand.NewPCG(seed+uint64(round), uint64(c)))
			for i := range often(100, 200) {
				x := randomLists(rng, fmt.Sprintf("%d.%d", c, i), fmt.Sprintf("list/%d.%d/", round, i/group))
				x.spread(rng)
				err := h.runList(t.Context(), &x)
				histories[c] = append(histories[c], x)
				if err != nil {
					return
				}
			}
		})
		killed.Stop()
		h.kill()
		gone := time.Since(began) // whatever has no answer is done by now, or is not done
		all := slices.Concat(histories...)
		for i := range all {
			if all[i].unknown {
				all[i].ret = gone
				unknown++
			}
		}
		done += len(all)
		h = &history{server: serve(t, dir), began: began}
		last := lastOf(all)
		for i, op := range last.ops {
			last.ops[i].on = onward("kv", placeOf(op.key))
		}
		if err := h.runList(t.Context(), &last); err != nil {
			t.Fatal(err)
		}
		all = append(all, last)
		if err := errors.Join(checkSerial(all), checkLinear(all)); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	t.Logf("%d transactions in %d rounds, %d of them without an answer", done, rounds, unknown)
}

// placeOf is the plugin that keeps a list.
func placeOf(key string) string { return callers[int(key[len(key)-1]-'0')%len(callers)] }

// onward is what has one plugin have another do an operation.
func onward(from, to string) string {
	if from == to {
		return ""
	}
	return "on " + to + " "
}

// spread has x begin in one of the plugins, and do its operations where their lists are.
func (x *listTxn) spread(rng *rand.Rand) {
	x.plugin = callers[rng.IntN(len(callers))]
	for i := range x.ops {
		op := &x.ops[i]
		at := x.plugin
		hops := []string{placeOf(op.key)}
		if rng.IntN(4) == 0 {
			hops = slices.Insert(hops, 0, callers[rng.IntN(len(callers))])
		}
		for _, hop := range hops {
			step := onward(at, hop)
			op.on += step
			switch at = hop; {
			case step == "" || op.drops || rng.IntN(8) > 0:
			case rng.IntN(2) == 0:
				op.on, op.drops = op.on+"fail ", true
			default:
				op.on, op.drops, op.unread = op.on+"trap ", true, true
			}
		}
	}
}

// checkLinear has porcupine look for an order of the transactions of each group that
// agrees with the clock. It knows nothing of how checkSerial finds one.
func checkLinear(history []listTxn) error {
	type lists [listKeys]string
	ops := make([]porcupine.Operation, 0, len(history))
	for _, x := range history {
		for _, part := range x.byGroup() {
			ops = append(ops, porcupine.Operation{Input: part, Call: int64(x.call), Return: int64(x.ret)})
		}
	}
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
			groups := map[string][]porcupine.Operation{}
			for _, op := range history {
				x := op.Input.(listTxn)
				groups[x.group()] = append(groups[x.group()], op)
			}
			for _, part := range groups {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{lists{}} },
		Step: func(state, input, _ any) []any {
			before, x := state.(lists), input.(listTxn)
			after := before
			for _, op := range x.ops {
				list := &after[op.key[len(op.key)-1]-'0']
				if !x.unknown && !op.unread && *list != strings.Join(op.read, ",") {
					return nil
				}
				if op.element != "" && !op.drops {
					*list = strings.TrimPrefix(*list+","+op.element, ",")
				}
			}
			switch {
			case x.aborts:
				return []any{before}
			case x.unknown:
				return []any{before, after}
			}
			return []any{after}
		},
	}
	if got := porcupine.CheckOperationsTimeout(model.ToModel(), ops, time.Minute); got != porcupine.Ok {
		return fmt.Errorf("the history is not linearizable: %v", got)
	}
	return nil
}

// group is the group of lists that a transaction of one group uses.
func (x *listTxn) group() string { return x.ops[0].key[:len(x.ops[0].key)-1] }

// byGroup returns the parts of x, of one group each: only that which reads all at the end
// has several.
func (x *listTxn) byGroup() (parts []listTxn) {
	for _, op := range x.ops {
		i := slices.IndexFunc(parts, func(p listTxn) bool { return p.group() == op.key[:len(op.key)-1] })
		if i < 0 {
			i = len(parts)
			parts = append(parts, listTxn{name: x.name, aborts: x.aborts, unknown: x.unknown})
		}
		parts[i].ops = append(parts[i].ops, op)
	}
	return parts
}
