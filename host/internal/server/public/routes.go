package public

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/serve"
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

// Routes finds who answers a request. Safe for concurrent use.
type Routes interface {
	// Route looks a request up: host in lower case without a port, path as
	// received. Where it finds a Target it holds it for the caller, who
	// releases it or hands it to serve.Handler. params is a buffer for Match.Params.
	// The client decides where two versions of a plugin serve.
	Route(method, host, path string, params []abi.Pair, c deploy.Client) Match
}

// Match is what a lookup found. Without a deployment, Allow lists the methods that
// would have found one at this path; empty means that nothing is there.
type Match struct {
	serve.Target
	// EncodedSlashes says that the route takes a path with encoded slashes, which are
	// a part of their segment.
	EncodedSlashes bool
	Keep           time.Duration // how long answers are kept for an Idempotency-Key; 0 = not at all
	Live           bool          // a client may ask for the answer again and again
	Cache          manifest.Cache
	Mount          string // prefix, "" = the root
	Path           string // relative to the mount
	Pattern        string // of the manifest's route; "" without routes
	Params         []abi.Pair
	Allow          []string
	Preview        bool             // it is a version at an address of its own
	Dropped        bool             // nothing of what the request writes is kept
	Socket         *Socket          // that the request opens; nil = none
	Upload         *upload.Declared // that the request may begin; nil = none
	CORS           *plugin.CORS     // of the plugin, or of one mounted there; nil = none
}

// DeployedRoutes returns the routes of what d serves.
func DeployedRoutes(d *deploy.Deployer) Routes { return deployed{d} }

type deployed struct{ *deploy.Deployer }

func (d deployed) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m, result := d.Deployer.Route(method, host, path, params, c)
	if result != router.Found {
		return Match{Allow: m.Allow, CORS: m.CORS}
	}
	found := Match{
		Target:         serve.Target{Deployment: m.Deployment, Limits: m.Limits()},
		Keep:           m.Idempotency(),
		EncodedSlashes: m.EncodedSlashes(),
		Live:           m.Live(),
		Cache:          m.Cache(),
		Mount:          m.Mount,
		Path:           m.Path,
		Pattern:        m.Pattern,
		Params:         m.Params,
		CORS:           m.CORS,
		Preview:        m.Preview,
		Dropped:        m.Dropped,
	}
	if declared, values, kept := socket.Opens(m.Deployment.Env(), m.Route, method, m.Path, m.Params); declared != nil {
		found.Socket = &Socket{declared, kept, values}
	}
	found.Upload = upload.Begins(m.Deployment.Env(), m.Route, method, m.Path)
	return found
}
