package deploy

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// Match is what a request leads to.
type Match struct {
	router.Match
	Deployment *dispatch.Deployment // nil unless Found
	CORS       *plugin.CORS         // of the plugin, or unless Found of its mount; nil = none
	manifest   *manifest.Manifest

	Preview bool // the version serves at an address of its own
	Dropped bool // nothing of what the request writes is kept
}

// Limits returns the limits of the route that was found.
func (m *Match) Limits() limit.Limits { return m.manifest.RouteLimits(m.Route) }

// Idempotency returns how long answers of the route that was found are kept for
// an Idempotency-Key, 0 = not at all.
func (m *Match) Idempotency() time.Duration {
	if m.Dropped {
		return 0
	}
	return m.manifest.Route(m.Route).Idempotency
}

// Live reports whether the answer of the route that was found is live.
func (m *Match) Live() bool { return m.manifest.Route(m.Route).Live }

// Cache returns how answers of the route that was found are given again.
func (m *Match) Cache() manifest.Cache {
	if m.Preview || m.Dropped {
		return manifest.Cache{}
	}
	return m.manifest.Route(m.Route).Cache
}

// EncodedSlashes reports whether the route that was found takes encoded slashes.
func (m *Match) EncodedSlashes() bool { return m.manifest.Route(m.Route).EncodedSlashes }
