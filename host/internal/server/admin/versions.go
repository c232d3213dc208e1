package admin

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

type versionsOutput struct{ Body []deploy.VersionStatus }

// outcomeOutput answers every change of what serves.
type outcomeOutput struct{ Body deploy.Outcome }

func outcome(o deploy.Outcome, err error) (*outcomeOutput, error) {
	o.Waiting, o.Routes, o.Steps, o.Notices = list(o.Waiting), list(o.Routes), list(o.Steps), list(o.Notices)
	return &outcomeOutput{o}, err
}

type uploadInput struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
	rawBody
	Mount    string `query:"mount" doc:"Where its routes hang, [host]/prefix; as it is, or /NAME for a new plugin" example:"/shop"`
	Label    string `query:"label" doc:"A name for the version, for people" maxLength:"128"`
	Grant    bool   `query:"grant" doc:"Grant what the manifest asks for"`
	Activate bool   `query:"activate" default:"true" doc:"Let it serve; false keeps it for later"`
}

func (a *Admin) versions(ctx context.Context, in *named) (*versionsOutput, error) {
	versions, err := a.cfg.Deployer.Versions(ctx, in.Name)
	return &versionsOutput{list(versions)}, err
}

func (a *Admin) upload(ctx context.Context, in *uploadInput) (*outcomeOutput, error) {
	module, err := in.read(limit.Module)
	if err != nil {
		return nil, err
	}
	o, err := a.cfg.Deployer.Deploy(ctx, deploy.Upload{
		Name: in.Name, Mount: in.Mount, Module: module, Label: in.Label, By: by,
		Grant: in.Grant, NoActivate: !in.Activate,
	})
	switch code := fault.CodeOf(err); code {
	case fault.Invalid, fault.Trap, fault.BadReply, fault.Deadline: // the module's fault, not the request's and not the server's
		return nil, refusalError{&wire.Refusal{Status: http.StatusUnprocessableEntity, Code: code, Detail: fault.MessageOf(err)}}
	}
	return outcome(o, err)
}
