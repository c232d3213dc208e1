package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type deploymentsInput struct {
	Name   string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Before int    `query:"before" minimum:"0" doc:"Only deployments before this number; 0 = from the newest"`
}

type deploymentsOutput struct{ Body []plugin.Deployment }

type activateInput struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Body struct {
		Version int  `json:"version" minimum:"1" doc:"Number of the version that is to serve"`
		Grant   bool `json:"grant,omitempty" doc:"Grant what it asks for"`
	}
}

func (a *Admin) deployments(ctx context.Context, in *deploymentsInput) (*deploymentsOutput, error) {
	deployments, err := a.cfg.Deployer.Deployments(ctx, in.Name, in.Before)
	return &deploymentsOutput{list(deployments)}, err
}

func (a *Admin) activate(ctx context.Context, in *activateInput) (*outcomeOutput, error) {
	return outcome(a.cfg.Deployer.Activate(ctx, in.Name, in.Body.Version, in.Body.Grant, by))
}
