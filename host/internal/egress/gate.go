package egress

import (
	"context"
	"fmt"
	"sync"

	"github.com/wasmoor/wasmoor/abi"
)

// gate lets calls out until an operator ends them. The zero gate is open.
type gate struct {
	mu    sync.Mutex
	calls context.Context // of all calls; nil = there was none since the gate was opened
	end   context.CancelCauseFunc
	off   bool
}

// errOff is why a call has ended; it tells against no service.
var errOff = fmt.Errorf("an operator has ended the calls of this plugin: %w", context.Canceled)

// OffReason is why a call fails while an operator has ended the calls of its plugin.
const OffReason = "an operator has ended the calls of this plugin; wasmoor egress on lets them go again"

func refusedOff() *failure { return &failure{abi.Denied, OffReason} }

// Switch ends every call of the plugin that is under way, and refuses others, or lets
// them go again.
func (s *State) Switch(off bool) {
	g := &s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.off = off; off && g.end != nil {
		g.end(errOff)
		g.calls, g.end = nil, nil
	}
}

// Off reports whether an operator has ended the calls of the plugin. A nil State makes
// none.
func (s *State) Off() bool { return s != nil && s.gate.shut() }

// shut reports whether no call may be made.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.off
}

// context returns the parent of the contexts of calls; it has ended where none may be
// made.
func (g *gate) context() context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.off {
		over, end := context.WithCancelCause(context.Background())
		end(errOff)
		return over
	}
	if g.calls == nil {
		g.calls, g.end = context.WithCancelCause(context.Background())
	}
	return g.calls
}
