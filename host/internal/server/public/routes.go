package public

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// bind is every route of the public listener. What a plugin is mounted at is
// found after the last one.
func (p *Public) bind() {
	p.edge.BindHealth(p.cfg.Health)
	p.edge.App.Use(func(c *fiber.Ctx) error {
		p.serveRequest(c.Context())
		return nil
	})

	p.edge.ServeOtherMethods(p.serveRequest) // guests may serve any
	p.edge.App.Server().ExpectHandler = p.expect
}

// Service runs invocations of one deployment.
type Service interface {
	// Do runs inv's handler and settles its effects. It keeps nothing of inv
	// when it returns.
	Do(ctx context.Context, inv *invoke.Invocation, limits limit.Limits) (dispatch.Result, error)
	// Release ends the hold on the service that Routes.Route took.
	Release()
	Env() *invoke.Env
}

// Routes finds who answers a request. Safe for concurrent use.
type Routes interface {
	// Route looks a request up: host in lower case without a port, path as
	// received. Where it finds a Service it holds it for the caller, who
	// releases it. params is a buffer for Match.Params.
	Route(method, host, path string, params []abi.Pair) Match
}

// Match is what a lookup found. Without a Service, Allow lists the methods that
// would have found one at this path; empty means that nothing is there.
type Match struct {
	Service Service
	Limits  limit.Limits
	Keep    time.Duration // how long answers are kept for an Idempotency-Key; 0 = not at all
	Mount   string        // prefix, "" = the root
	Path    string        // relative to the mount
	Pattern string        // of the manifest's route; "" without routes
	Params  []abi.Pair
	Allow   []string
	CORS    *plugin.CORS // of the plugin, or of one mounted there; nil = none
}

// DeployedRoutes returns the routes of what d serves.
func DeployedRoutes(d *deploy.Deployer) Routes { return deployed{d} }

type deployed struct{ *deploy.Deployer }

func (d deployed) Route(method, host, path string, params []abi.Pair) Match {
	m, result := d.Deployer.Route(method, host, path, params)
	if result != router.Found {
		return Match{Allow: m.Allow, CORS: m.CORS}
	}
	return Match{
		Service: m.Deployment,
		Limits:  m.Limits(),
		Keep:    m.Idempotency(),
		Mount:   m.Mount,
		Path:    m.Path,
		Pattern: m.Pattern,
		Params:  m.Params,
		CORS:    m.CORS,
	}
}
