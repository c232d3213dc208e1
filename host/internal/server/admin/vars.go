package admin

import (
	"context"
	"net/url"
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

func (a *Admin) setVar(ctx context.Context, in *setVarInput) (*output[adminapi.Outcome], error) {
	name, err := unescape(in.Var)
	if err != nil {
		return nil, err
	}
	value, err := in.read(adminapi.MaxVar)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(value) {
		return nil, fault.New(fault.Invalid, "", "the value of a var must be UTF-8 text")
	}
	return outcome(a.cfg.Deployer.SetVar(ctx, in.Name, name, string(value), by))
}

func (a *Admin) unsetVar(ctx context.Context, in *adminapi.VarRef) (*output[adminapi.Outcome], error) {
	name, err := unescape(in.Var)
	if err != nil {
		return nil, err
	}
	return outcome(a.cfg.Deployer.UnsetVar(ctx, in.Name, name, by))
}

// unescape returns the name of a var, which Fiber passes on as received.
func unescape(segment string) (string, error) {
	name, err := url.PathUnescape(segment)
	if err != nil || !utf8.ValidString(name) {
		return "", fault.New(fault.Invalid, "", "the name of the var is not readable")
	}
	return name, nil
}
