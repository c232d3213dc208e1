package fair

import (
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// request is one of a space, with a weight.
type request struct {
	space  store.Space
	weight int64
}

func (r request) Owner() store.Space { return r.space }
func (r request) Weight() int64      { return r.weight }

// TestBacklogTakesTurns has one space write much more than others: it is served as
// much as they are, in order, and alone it waits for nobody.
func TestBacklogTakesTurns(t *testing.T) {
	var b Backlog[request]
	for range 3 {
		b.Add(request{1, 4 * Quantum})
	}
	for range 9 {
		b.Add(request{2, Quantum})
		b.Add(request{3, Quantum / 4})
	}
	room := 100
	turn := func() (served []store.Space) {
		b.Next(func(request) bool { return room > 0 }, func(r request) {
			room--
			served = append(served, r.space)
		})
		return served
	}
	for i, want := range [][]store.Space{
		{2, 3, 3, 3, 3}, {2, 3, 3, 3, 3}, {2, 3}, {1, 2}, {2}, {2},
	} {
		if got := turn(); !slices.Equal(got, want) {
			t.Errorf("turn %d serves %d, want %d", i, got, want)
		}
	}
	room = 0
	for range 5 {
		turn()
	}
	room = 1
	if got := turn(); !slices.Equal(got, []store.Space{2}) {
		t.Errorf("without room a line lost its turn: %d", got)
	}
	room = 100
	served := 0
	for range 20 {
		served += len(turn())
	}
	if served != 2+2 || b.Len() != 0 || len(b.of) != 0 {
		t.Errorf("%d were served at last, %d are left", served, b.Len())
	}
}
