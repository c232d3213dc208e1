package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type corsOutput struct{ Body plugin.CORS }

type setCORSInput struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Body plugin.CORS
}

func (a *Admin) cors(ctx context.Context, in *named) (*corsOutput, error) {
	policy, err := a.cfg.Deployer.CORS(ctx, in.Name)
	return &corsOutput{policy}, err
}

func (a *Admin) setCORS(ctx context.Context, in *setCORSInput) (*outcomeOutput, error) {
	return outcome(a.cfg.Deployer.SetCORS(ctx, in.Name, in.Body, by))
}

func (a *Admin) unsetCORS(ctx context.Context, in *named) (*outcomeOutput, error) {
	return outcome(a.cfg.Deployer.UnsetCORS(ctx, in.Name, by))
}
