package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type corsOutput struct{ Body plugin.CORS }

type setCORSInput struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Body plugin.CORS
}

func (a *Admin) bindCORS(api huma.API) {
	route(api, operation("get-cors", http.MethodGet, under("cors"), "Show which other origins may read a plugin's answers", http.StatusOK), a.cors)
	route(api, operation("set-cors", http.MethodPut, under("cors"), "Set which other origins may read a plugin's answers, which is a new deployment", http.StatusOK), a.setCORS)
	route(api, operation("unset-cors", http.MethodDelete, under("cors"), "Leave CORS to the guest, which is a new deployment", http.StatusOK), a.unsetCORS)
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
