package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type setCORSInput struct {
	adminapi.PluginRef
	Body adminapi.CORS
}

func (a *Admin) cors(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.CORS], error) {
	return show(a.cfg.Operator.CORS(ctx, in.Name))
}

func (a *Admin) setCORS(ctx context.Context, in *setCORSInput) (*output[adminapi.Outcome], error) {
	return outcome(a.cfg.Deployer.SetCORS(ctx, in.Name, plugin.CORS(in.Body), by))
}

func (a *Admin) unsetCORS(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.Outcome], error) {
	return outcome(a.cfg.Deployer.UnsetCORS(ctx, in.Name, by))
}
