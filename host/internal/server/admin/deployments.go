package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

type activateInput struct {
	adminapi.PluginRef
	Body adminapi.Activation
}

func (a *Admin) deployments(ctx context.Context, in *adminapi.DeploymentsQuery) (*output[[]adminapi.Deployment], error) {
	return show(a.cfg.Operator.Deployments(ctx, in.Name, in.Before))
}

type pruneInput struct{ Body adminapi.Prune }

func (a *Admin) prune(ctx context.Context, in *pruneInput) (*output[adminapi.Pruned], error) {
	return show(a.cfg.Operator.Prune(ctx, in.Body, by))
}

func (a *Admin) activate(ctx context.Context, in *activateInput) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.Activate(ctx, in.Name, in.Body.Version, in.Body.Mount, in.Body.Grant, by))
}
