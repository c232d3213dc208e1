package server

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// DeployedRoutes returns the routes of what d serves.
func DeployedRoutes(d *deploy.Deployer) Routes { return deployed{d} }

type deployed struct{ *deploy.Deployer }

func (d deployed) Route(method, host, path string, params []abi.Pair) Match {
	m, result := d.Deployer.Route(method, host, path, params)
	if result != router.Found {
		return Match{Allow: m.Allow, CORS: deploy.SharedCORS(m.Mounted)}
	}
	return Match{
		Service: m.Value.Deployment,
		Limits:  m.Value.Limits(m.Route),
		Keep:    m.Value.Idempotency(m.Route),
		Mount:   m.Mount,
		Path:    m.Path,
		Pattern: m.Pattern,
		Params:  m.Params,
		CORS:    m.Value.CORS,
	}
}
