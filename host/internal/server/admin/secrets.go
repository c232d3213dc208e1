package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) secrets(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Secret], error) {
	return show(a.cfg.Operator.Secrets(ctx, in.Name))
}

func (a *Admin) setSecret(ctx context.Context, in *setVarInput) (*output[adminapi.Changed], error) {
	value, err := in.value()
	if err != nil {
		return nil, err
	}
	return changed(a.cfg.Deployer.SetSecret(ctx, in.Name, in.Var, value, by(ctx)))
}

func (a *Admin) unsetSecret(ctx context.Context, in *adminapi.VarRef) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.SetVars(ctx, in.Name, nil, []string{in.Var}, by(ctx)))
}

func (a *Admin) rotateKey(ctx context.Context, _ *struct{}) (*output[adminapi.RotatedKey], error) {
	return show(a.cfg.Operator.RotateKey(ctx, by(ctx)))
}
