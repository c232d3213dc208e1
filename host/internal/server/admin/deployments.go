package admin

import (
	"context"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type activateInput struct {
	adminapi.PluginRef
	Body adminapi.Activation
}

func (a *Admin) approvals(ctx context.Context, _ *struct{}) (*output[[]adminapi.Approval], error) {
	waiting, err := a.cfg.Operator.Approvals(ctx)
	return show(visible(ctx, waiting, func(w adminapi.Approval) string { return w.Plugin }), err)
}

type approveInput struct {
	adminapi.PluginRef
	Body adminapi.Approve
}

func (a *Admin) approve(ctx context.Context, in *approveInput) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.Approve(ctx, in.Name, in.Body.Version, in.Body.Digest, by(ctx)))
}

type rejectInput struct {
	adminapi.PluginRef
	Body adminapi.Reject
}

func (a *Admin) reject(ctx context.Context, in *rejectInput) (*struct{}, error) {
	return nil, a.cfg.Operator.Reject(ctx, in.Name, in.Body.Version, in.Body.Reason, by(ctx))
}

func (a *Admin) deployments(ctx context.Context, in *adminapi.DeploymentsQuery) (*output[[]adminapi.Deployment], error) {
	return show(a.cfg.Operator.Deployments(ctx, in.Name, in.Before))
}

type pruneInput struct{ Body adminapi.Prune }

func (a *Admin) prune(ctx context.Context, in *pruneInput) (*output[adminapi.Pruned], error) {
	if err := operator.met(auth.From(ctx), in.Body.Plugin); err != nil {
		return nil, err
	}
	return show(a.cfg.Operator.Prune(ctx, in.Body, by(ctx)))
}

func (a *Admin) activate(ctx context.Context, in *activateInput) (*output[adminapi.Changed], error) {
	canary, err := plugin.ParseCanary(in.Body.Canary, in.Body.Key)
	switch {
	case err != nil:
		return nil, err
	case canary.Plan != nil && len(in.Body.Mount) > 0:
		return nil, fault.New(fault.Invalid, "", "a roll-out keeps the mount; leave out the mount, or the plan")
	case canary.Plan != nil:
		return changed(a.cfg.Deployer.RollOut(ctx, in.Name, in.Body.Version, canary, in.Body.Grant, by(ctx)))
	}
	return changed(a.cfg.Deployer.Activate(ctx, in.Name, in.Body.Version, strings.Join(in.Body.Mount, " "), in.Body.Grant, in.Body.Force, by(ctx)))
}
