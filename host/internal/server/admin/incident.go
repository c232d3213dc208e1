package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Incident is what an operator may do in one.
type Incident interface {
	Pause(ctx context.Context, name string, p plugin.Pause, by string) (running int, err error)
	Resume(ctx context.Context, name, by string) error
	Egress(ctx context.Context, name string, off bool, by string) error
	Running(ctx context.Context, name string) ([]dispatch.Request, error)
	Kill(ctx context.Context, id string, may func(plugin string) error, by string) (int, error)
}

// bindIncident is every route of what an operator does in an incident.
func (a *Admin) bindIncident(api huma.API) {
	route(api, operator, operation("pause", http.MethodPut, adminapi.PathPause, "Keep a plugin from serving, or from writing", http.StatusOK), a.pause)
	route(api, operator, operation("resume", http.MethodDelete, adminapi.PathPause, "Let a plugin that is paused serve again", http.StatusNoContent), a.resume)
	route(api, operator, operation("set-egress", http.MethodPut, adminapi.PathEgress, "End a plugin's calls to other services and refuse others, or let them go again", http.StatusNoContent), a.setEgress)
	route(api, operator, operation("set-egress-of-all", http.MethodPut, adminapi.PathEgressAll, "End the calls of all plugins to other services and refuse others, or let them go again", http.StatusNoContent), a.setEgressOfAll)
	route(api, viewer, get("list-running", adminapi.PathRunning, "Show the requests that a plugin has at the moment, the oldest first"), a.running)
	route(api, operator.ofSome(), operation("kill-requests", http.MethodPost, adminapi.PathKill, "End the running requests with an id", http.StatusOK), a.kill)
}

type pauseInput struct {
	adminapi.PluginRef
	Body adminapi.Pause
}

func (a *Admin) pause(ctx context.Context, in *pauseInput) (*output[adminapi.Held], error) {
	p := plugin.Pause{
		Writes: in.Body.Writes, RetryAfter: time.Duration(cmp.Or(in.Body.RetryAfter, adminapi.DefaultRetry)) * time.Second,
		Page: in.Body.Page, PageType: "text/html; charset=utf-8",
	}
	if in.Body.Plain {
		p.PageType = "text/plain; charset=utf-8"
	}
	n, err := a.cfg.Deployer.Pause(ctx, in.Name, p, by(ctx))
	return show(adminapi.Held{Running: n}, err)
}

func (a *Admin) resume(ctx context.Context, in *adminapi.PluginRef) (*struct{}, error) {
	return nil, a.cfg.Deployer.Resume(ctx, in.Name, by(ctx))
}

type egressInput struct {
	adminapi.PluginRef
	Body adminapi.Egress
}

func (a *Admin) setEgress(ctx context.Context, in *egressInput) (*struct{}, error) {
	return nil, a.cfg.Deployer.Egress(ctx, in.Name, in.Body.Off, by(ctx))
}

func (a *Admin) setEgressOfAll(ctx context.Context, in *struct{ Body adminapi.Egress }) (*struct{}, error) {
	return nil, a.cfg.Deployer.Egress(ctx, "", in.Body.Off, by(ctx))
}

func (a *Admin) running(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Running], error) {
	requests, err := a.cfg.Deployer.Running(ctx, in.Name)
	list := make([]adminapi.Running, len(requests))
	for i, r := range requests {
		list[i] = adminapi.Running{
			ID: r.ID, Trigger: r.Trigger, Method: r.Method, Path: r.Path, Route: r.Pattern, Remote: r.Remote, Version: r.Version,
			Attempt: r.Attempt, State: r.State.String(), Calling: r.Calling, Age: float64(r.Age.Microseconds()) / 1000,
		}
	}
	return show(list, err)
}

func (a *Admin) kill(ctx context.Context, in *struct{ Body adminapi.KillRequest }) (*output[adminapi.Killed], error) {
	who := auth.From(ctx)
	may := func(plugin string) error { return who.May(auth.Operator, plugin) }
	n, err := a.cfg.Deployer.Kill(ctx, in.Body.ID, may, by(ctx))
	return show(adminapi.Killed{Requests: n}, err)
}
