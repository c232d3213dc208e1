package admin

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// fleeting is a token that is revoked at some time.
type fleeting struct{ revoked *atomic.Bool }

func (f fleeting) Identify(authorization string, _ netip.Addr) (auth.Identity, error) {
	if authorization != "Bearer right" || f.revoked.Load() {
		return auth.Identity{}, fault.New(fault.Unauthenticated, "", "no")
	}
	return auth.Identity{Name: "ann", Role: auth.Viewer, Plugins: "shop"}, nil
}

// TestFollowingEndsWithItsToken: who may not see a plugin any more gets no further lines of its log.
func TestFollowingEndsWithItsToken(t *testing.T) {
	k := &talker{recorder: &recorder{}, every: 20 * time.Millisecond, text: "tick", stopped: make(chan struct{})}
	var revoked atomic.Bool
	a := New(Config{Deployer: k, Operator: k, Token: fleeting{&revoked}, Conns: wire.Conns{WriteTimeout: time.Second}})
	_, lines := followFrom(t, servertest.Listen(t, a))
	lines.Scan()
	revoked.Store(true)
	seen := 0
	for seen < 50 && lines.Scan() {
		if strings.Contains(lines.Text(), "tick") {
			seen++
		}
	}
	if seen > 5 {
		t.Errorf("%d lines came after the token was revoked", seen)
	}
}
