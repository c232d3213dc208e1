package client

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Services lists the plugins that a plugin calls.
func (c *Client) Services(ctx context.Context, name string) (out []adminapi.Service, err error) {
	err = c.read(ctx, name, request{op: "list services", path: adminapi.PathServices}, &out)
	return out, err
}

// Bind has names of a plugin stand for other plugins, which is a new deployment.
func (c *Client) Bind(ctx context.Context, name string, b adminapi.Bindings) (adminapi.Changed, error) {
	return c.changeTo(ctx, name, request{op: "bind services", method: http.MethodPatch, path: adminapi.PathServices}, b)
}
