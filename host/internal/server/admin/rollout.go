package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Rollouts takes versions to their clients step by step. Safe for concurrent use.
// Errors are faults; package deploy documents them.
type Rollouts interface {
	RollOut(ctx context.Context, name string, version int, canary plugin.Canary, grant bool, by string) (deploy.Changed, error)
	Promote(ctx context.Context, name string, full bool, by string) error
	PauseRollout(ctx context.Context, name string, pause bool, by string) error
	Abort(ctx context.Context, name, by string) error
	Preview(ctx context.Context, name string, version int, lasts time.Duration, writes bool, by string) (deploy.Preview, error)
	EndPreviews(ctx context.Context, name, by string) (int, error)
}

// bindRollouts is every route about roll-outs, and about which versions stay.
func (a *Admin) bindRollouts(api huma.API) {
	route(api, viewer, get("get-rollout", adminapi.PathRollout, "Show how a version takes over from another one, or did"), a.rollout)
	route(api, deployer, operation("change-rollout", http.MethodPost, adminapi.PathRollout, "Take a roll-out to its next step, pause it, let it go on, or end it", http.StatusOK), a.changeRollout)
	route(api, deployer, operation("preview", http.MethodPost, adminapi.PathPreviews, "Let a version serve at an address of its own for a while, or end that", http.StatusOK), a.preview)
	route(api, deployer, operation("pin-version", http.MethodPost, adminapi.PathPins, "Keep a version however old it is, or no longer", http.StatusNoContent), a.pin)
}

func (a *Admin) rollout(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.Rollout], error) {
	return show(a.cfg.Operator.Rollout(ctx, in.Name))
}

type rolloutInput struct {
	adminapi.PluginRef
	Body adminapi.RolloutAct
}

func (a *Admin) changeRollout(ctx context.Context, in *rolloutInput) (*output[adminapi.Rollout], error) {
	var err error
	switch in.Body.Act {
	case "promote":
		err = a.cfg.Deployer.Promote(ctx, in.Name, in.Body.Full, by(ctx))
	case "abort":
		err = a.cfg.Deployer.Abort(ctx, in.Name, by(ctx))
	default:
		err = a.cfg.Deployer.PauseRollout(ctx, in.Name, in.Body.Act == "pause", by(ctx))
	}
	if err != nil {
		return nil, err
	}
	return show(a.cfg.Operator.Rollout(ctx, in.Name))
}

type previewInput struct {
	adminapi.PluginRef
	Body adminapi.NewPreview
}

func (a *Admin) preview(ctx context.Context, in *previewInput) (*output[adminapi.Preview], error) {
	if in.Body.End {
		n, err := a.cfg.Deployer.EndPreviews(ctx, in.Name, by(ctx))
		return show(adminapi.Preview{Ended: n}, err)
	}
	lasts := time.Duration(cmp.Or(in.Body.Minutes, 60)) * time.Minute
	v, err := a.cfg.Deployer.Preview(ctx, in.Name, in.Body.Version, lasts, in.Body.Writes, by(ctx))
	return show(adminapi.Preview{Version: v.Version, URL: a.cfg.PublicURL + v.Path + "/", Writes: v.Writes, Ends: v.Ends}, err)
}

type pinInput struct {
	adminapi.PluginRef
	Body adminapi.Pin
}

func (a *Admin) pin(ctx context.Context, in *pinInput) (*struct{}, error) {
	return nil, a.cfg.Operator.Pin(ctx, in.Name, in.Body.Version, !in.Body.Unpin, by(ctx))
}
