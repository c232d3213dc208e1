package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

type uploadInput struct {
	rawBody
	adminapi.Upload
}

// changed answers a change of what serves.
func changed(o deploy.Changed, err error) (*output[adminapi.Changed], error) {
	steps := make([]adminapi.Step, len(o.Steps))
	for i, s := range o.Steps {
		steps[i] = adminapi.Step{Name: s.Name, Millis: float64(s.Took.Microseconds()) / 1000, Detail: s.Detail}
	}
	plan := ""
	if o.Rollout != nil {
		plan = o.Rollout.Plan.String()
	}
	return show(adminapi.Changed{
		Rollout: plan,
		Plugin:  o.Plugin, Mount: strings.Fields(o.Mount), Version: o.Version, Digest: o.Digest, Deployment: o.Deployment, Activated: o.Activated,
		Asks: adminapi.AsksOf(o.Asks, nil), Waiting: list(o.Waiting), Routes: list(o.Routes), Private: o.Private, Steps: steps, Notices: list(o.Notices),
	}, err)
}

func (a *Admin) versions(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Version], error) {
	return show(a.cfg.Operator.Versions(ctx, in.Name))
}

func (a *Admin) upload(ctx context.Context, in *uploadInput) (*output[adminapi.Changed], error) {
	canary, err := plugin.ParseCanary(in.Canary, in.Key)
	if err != nil {
		return nil, err
	}
	module, err := in.read(a.cfg.Bodies, limit.Module)
	if err != nil {
		return nil, err
	}
	defer in.done()
	o, err := a.cfg.Deployer.Deploy(ctx, deploy.Upload{
		Name: in.Name, Mount: strings.Join(in.Mount, " "), Module: module, Label: in.Label, By: by(ctx),
		Grant: in.Grant, NoActivate: !in.Activate, Canary: canary,
	})
	switch code := fault.CodeOf(err); code {
	case fault.Invalid, fault.Trap, fault.BadReply, fault.Deadline: // the module's fault, not the request's and not the server's
		return nil, refusalError{&wire.Refusal{Status: http.StatusUnprocessableEntity, Code: code, Detail: fault.MessageOf(err)}}
	}
	return changed(o, err)
}
