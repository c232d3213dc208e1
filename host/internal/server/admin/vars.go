package admin

import (
	"context"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

type setVarInput struct {
	rawBody
	adminapi.VarRef
}

func (a *Admin) vars(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Var], error) {
	return show(a.cfg.Operator.Vars(ctx, in.Name))
}

func (a *Admin) setVar(ctx context.Context, in *setVarInput) (*output[adminapi.Changed], error) {
	value, err := in.read(adminapi.MaxVar)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(value) {
		return nil, fault.New(fault.Invalid, "", "the value of a var must be UTF-8 text")
	}
	return changed(a.cfg.Deployer.SetVar(ctx, in.Name, in.Var, string(value), by))
}

func (a *Admin) unsetVar(ctx context.Context, in *adminapi.VarRef) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.UnsetVar(ctx, in.Name, in.Var, by))
}
