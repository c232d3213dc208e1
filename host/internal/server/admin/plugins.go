package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) plugins(ctx context.Context, _ *struct{}) (*output[[]adminapi.Plugin], error) {
	plugins, err := a.cfg.Operator.Plugins(ctx)
	return show(visible(ctx, plugins, nameOf), err)
}

func nameOf(p adminapi.Plugin) string { return p.Name }

func (a *Admin) plugin(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.Plugin], error) {
	return show(a.cfg.Operator.Plugin(ctx, in.Name))
}

func (a *Admin) deletePlugin(ctx context.Context, in *adminapi.Removal) (*struct{}, error) {
	return nil, a.cfg.Deployer.Delete(ctx, in.Name, in.Purge, by(ctx))
}
