package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
)

type pluginsOutput struct{ Body []deploy.Status }

type pluginOutput struct{ Body deploy.Status }

type deleteInput struct {
	Name  string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Purge bool   `query:"purge" doc:"Also delete the data, for good"`
}

func (a *Admin) plugins(ctx context.Context, _ *struct{}) (*pluginsOutput, error) {
	plugins, err := a.cfg.Deployer.Plugins(ctx)
	return &pluginsOutput{list(plugins)}, err
}

func (a *Admin) plugin(ctx context.Context, in *named) (*pluginOutput, error) {
	p, err := a.cfg.Deployer.Plugin(ctx, in.Name)
	return &pluginOutput{p}, err
}

func (a *Admin) deletePlugin(ctx context.Context, in *deleteInput) (*struct{}, error) {
	return nil, a.cfg.Deployer.Delete(ctx, in.Name, in.Purge, by)
}
