package admin

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

type setVarInput struct {
	rawBody
	adminapi.VarRef
}

func (a *Admin) vars(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Var], error) {
	return show(a.cfg.Operator.Vars(ctx, in.Name))
}

func (a *Admin) setVar(ctx context.Context, in *setVarInput) (*output[adminapi.Changed], error) {
	value, err := in.value()
	if err != nil {
		return nil, err
	}
	return changed(a.cfg.Deployer.SetVars(ctx, in.Name, map[string]string{in.Var: value}, nil, by(ctx)))
}

// value reads the body.
func (in *setVarInput) value() (string, error) {
	value, err := in.read(nil, adminapi.MaxVar)
	if err == nil && !utf8.Valid(value) {
		err = fault.New(fault.Invalid, "", "the value must be UTF-8 text; encode it, e.g. as base64")
	}
	return string(value), err
}

func (a *Admin) unsetVar(ctx context.Context, in *adminapi.VarRef) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.SetVars(ctx, in.Name, nil, []string{in.Var}, by(ctx)))
}

type changeVarsInput struct {
	adminapi.PluginRef
	Body adminapi.VarsChange
}

func (a *Admin) changeVars(ctx context.Context, in *changeVarsInput) (*output[adminapi.Changed], error) {
	for name, value := range in.Body.Set {
		if len(value) > adminapi.MaxVar {
			return nil, fault.New(fault.Invalid, "", fmt.Sprintf("the value of %.64q has %d bytes; a var has at most %d", name, len(value), adminapi.MaxVar))
		}
	}
	return changed(a.cfg.Deployer.SetVars(ctx, in.Name, in.Body.Set, in.Body.Unset, by(ctx)))
}

type setLimitsInput struct {
	adminapi.PluginRef
	Body adminapi.Limits
}

func (a *Admin) limits(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.LimitsShown], error) {
	return show(a.cfg.Operator.Limits(ctx, in.Name))
}

func (a *Admin) setLimits(ctx context.Context, in *setLimitsInput) (*output[adminapi.Changed], error) {
	l := in.Body
	return changed(a.cfg.Deployer.SetLimits(ctx, in.Name, limit.Override{
		Memory: l.Memory, Deadline: time.Duration(l.DeadlineMillis) * time.Millisecond,
		RequestBody: l.RequestBody, ResponseBody: l.ResponseBody, Concurrency: int(l.Concurrency),
	}, by(ctx)))
}
