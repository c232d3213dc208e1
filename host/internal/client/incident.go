package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Pause keeps a plugin from serving, or from writing.
func (c *Client) Pause(ctx context.Context, name string, p adminapi.Pause) (out adminapi.Held, err error) {
	err = c.put(ctx, name, request{op: "pause", method: http.MethodPut, path: adminapi.PathPause}, p, &out)
	return out, err
}

// Resume lets a plugin serve again.
func (c *Client) Resume(ctx context.Context, name string) error {
	return c.about(ctx, name, request{op: "resume", method: http.MethodDelete, path: adminapi.PathPause, in: adminapi.PluginRef{Name: name}}, nil)
}

// Egress ends the calls of a plugin to other services and refuses others, or lets them
// go again; with the name "" those of all plugins.
func (c *Client) Egress(ctx context.Context, name string, off bool) error {
	r := request{op: "change egress", method: http.MethodPut, path: adminapi.PathEgress}
	if name == "" {
		r.path = adminapi.PathEgressAll
	}
	return c.put(ctx, name, r, adminapi.Egress{Off: off}, nil)
}

// Running returns the requests that a plugin has at the moment, the oldest first.
func (c *Client) Running(ctx context.Context, name string) (out []adminapi.Running, err error) {
	err = c.read(ctx, name, request{op: "list requests", path: adminapi.PathRunning}, &out)
	return out, err
}

// Kill ends the running requests with an id.
func (c *Client) Kill(ctx context.Context, id string) (out adminapi.Killed, err error) {
	err = c.put(ctx, "", request{op: "kill requests", method: http.MethodPost, path: adminapi.PathKill}, adminapi.KillRequest{ID: id}, &out)
	return out, err
}

// put performs r with a JSON body, about a plugin, or about none with the name "".
func (c *Client) put(ctx context.Context, name string, r request, body, out any) (err error) {
	if r.body, err = json.Marshal(body); err != nil {
		return fault.Wrap(fault.Internal, r.op, "the request cannot be encoded", err)
	}
	r.contentType = "application/json"
	if name == "" {
		return c.call(ctx, r, out)
	}
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	if r.in == nil {
		r.in = adminapi.PluginRef{Name: name}
	}
	return c.call(ctx, r, out)
}
