package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
)

// Services is what an operator may do with calls of plugins to each other.
type Services interface {
	List(ctx context.Context, name string) ([]adminapi.Service, error)
	Bind(ctx context.Context, name string, b adminapi.Bindings, by string) (deploy.Changed, error)
}

func (a *Admin) services(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Service], error) {
	return show(a.cfg.Services.List(ctx, in.Name))
}

type bindInput struct {
	adminapi.PluginRef
	Body adminapi.Bindings
}

func (a *Admin) bindServices(ctx context.Context, in *bindInput) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Services.Bind(ctx, in.Name, in.Body, by(ctx)))
}
