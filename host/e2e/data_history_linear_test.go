package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// keyOp is one request with one operation on one key, and what it answered.
type keyOp struct {
	key, kind, arg string
}

// testLinearizableRegisters: a read that misses a write whose answer came before
// it began, or a write that two requests seem to have replaced, has no place in
// an order of the operations that agrees with the clock.
func testLinearizableRegisters(t *testing.T, h *history) {
	h.linearizable(t, "reg", "absent", []string{"get", "get", "set", "del", "append"}, register)
}

// testLinearizableBlobs: the same for the bytes under a name.
func testLinearizableBlobs(t *testing.T, h *history) {
	h.linearizable(t, "blob", "absent", []string{"blobget", "blobget", "blobset", "blobdel", "blobappend"}, func(state string, op keyOp, answer string) (bool, string) {
		op.kind = strings.TrimPrefix(op.kind, "blob")
		return register(state, op, answer)
	})
}

// register is what an operation does to a register, and whether it answers this.
func register(state string, op keyOp, answer string) (bool, string) {
	switch op.kind {
	case "set":
		return answer == "ok", strconv.Quote(op.arg)
	case "del":
		return answer == "ok", "absent"
	case "append":
		before := ""
		if state != "absent" {
			before, _ = strconv.Unquote(state)
		}
		after := op.arg
		if before != "" {
			after = before + "," + op.arg
		}
		return answer == strconv.Quote(before), strconv.Quote(after)
	}
	return answer == state, state
}

// testLinearizableCounters: the same for counters, which adds change without
// reading while others read, set and delete them.
func testLinearizableCounters(t *testing.T, h *history) {
	h.linearizable(t, "count", "0", []string{"int", "int", "add", "add", "incr", "setint", "del"}, func(state string, op keyOp, answer string) (bool, string) {
		n, _ := strconv.ParseInt(state, 10, 64)
		arg, _ := strconv.ParseInt(op.arg, 10, 64)
		switch op.kind {
		case "add":
			return answer == "ok", strconv.FormatInt(n+arg, 10)
		case "incr":
			return answer == state, strconv.FormatInt(n+arg, 10)
		case "setint":
			return answer == "ok", strconv.FormatInt(arg, 10)
		case "del":
			return answer == "ok", "0"
		}
		return answer == state, state
	})
}

// linearizable has clients run random operations on a few keys at the same time
// and porcupine look for an order that explains the answers by step.
func (h *history) linearizable(t *testing.T, prefix, initial string, kinds []string, step func(state string, op keyOp, answer string) (bool, string)) {
	const clients = 6
	each := often(60, 2000)
	seed := seeded(t)
	histories := make([][]porcupine.Operation, clients)
	parallel(clients, func(c int) {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		for i := range each {
			op := keyOp{
				key:  fmt.Sprintf("%s/%d/%d", prefix, i/100, rng.IntN(3)), // keys change, so that none has a long history
				kind: kinds[rng.IntN(len(kinds))],
				arg:  strconv.Itoa(c*each + i + 1),
			}
			x := h.tx(op.kind + " " + op.key + " " + op.arg)
			histories[c] = append(histories[c], porcupine.Operation{
				ClientId: c, Input: op, Output: x.results[0], Call: int64(x.call), Return: int64(x.ret),
			})
		}
	})
	model := porcupine.Model{
		Partition: byKey,
		Init:      func() any { return initial },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(string), input.(keyOp), output.(string))
		},
	}
	if got := porcupine.CheckOperationsTimeout(model, slices.Concat(histories...), time.Minute); got != porcupine.Ok {
		t.Errorf("the history is not linearizable: %v", got)
	}
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	keys := map[string][]porcupine.Operation{}
	for _, op := range history {
		key := op.Input.(keyOp).key
		keys[key] = append(keys[key], op)
	}
	var parts [][]porcupine.Operation
	for _, part := range keys {
		parts = append(parts, part)
	}
	return parts
}
