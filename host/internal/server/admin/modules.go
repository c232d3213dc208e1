package admin

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// moduleInput notes whose answer is the module.
type moduleInput struct {
	adminapi.ModuleRef
	ctx *fasthttp.RequestCtx
}

// Resolve is called by huma when it has read the parameters.
func (in *moduleInput) Resolve(ctx huma.Context) []error {
	in.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

// module sends the file as it is read, so that a module takes no memory.
func (a *Admin) module(ctx context.Context, in *moduleInput) (*huma.StreamResponse, error) {
	module, size, err := a.cfg.Operator.Module(ctx, in.Name, plugin.Digest("sha256:"+in.Digest))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		in.ctx.SetContentType(adminapi.TypeModule)
		in.ctx.SetBodyStream(module, int(size)) // fasthttp closes it
	}}, nil
}
