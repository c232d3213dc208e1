package admin

import (
	"context"
	"net/url"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// maxVar bounds the value of a var, in bytes.
const maxVar = 64 << 10

type varsOutput struct{ Body []deploy.Var }

type varInput struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Var  string `path:"var" doc:"Name of the var" example:"api_key"`
}

type setVarInput struct {
	rawBody
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	Var  string `path:"var" doc:"Name of the var" example:"api_key"`
}

func (a *Admin) vars(ctx context.Context, in *named) (*varsOutput, error) {
	vars, err := a.cfg.Deployer.Vars(ctx, in.Name)
	return &varsOutput{list(vars)}, err
}

func (a *Admin) setVar(ctx context.Context, in *setVarInput) (*outcomeOutput, error) {
	name, err := unescape(in.Var)
	if err != nil {
		return nil, err
	}
	value, err := in.read(maxVar)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(value) {
		return nil, fault.New(fault.Invalid, "", "the value of a var must be UTF-8 text")
	}
	return outcome(a.cfg.Deployer.SetVar(ctx, in.Name, name, string(value), by))
}

func (a *Admin) unsetVar(ctx context.Context, in *varInput) (*outcomeOutput, error) {
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
