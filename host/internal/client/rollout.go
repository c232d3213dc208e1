package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Rollout returns how the last roll-out of a plugin does, or did.
func (c *Client) Rollout(ctx context.Context, name string) (adminapi.Rollout, error) {
	var out adminapi.Rollout
	err := c.read(ctx, name, request{op: "read roll-out", path: adminapi.PathRollout}, &out)
	return out, err
}

// ChangeRollout promotes, pauses, resumes or aborts a roll-out.
func (c *Client) ChangeRollout(ctx context.Context, name string, act adminapi.RolloutAct) (out adminapi.Rollout, err error) {
	err = c.post(ctx, name, act.Act+" roll-out", adminapi.PathRollout, act, &out)
	return out, err
}

// Preview lets a version serve at an address of its own for a while, or ends all of a
// plugin.
func (c *Client) Preview(ctx context.Context, name string, v adminapi.NewPreview) (out adminapi.Preview, err error) {
	err = c.post(ctx, name, "preview", adminapi.PathPreviews, v, &out)
	return out, err
}

// Pin keeps a version however old it is, or no longer does.
func (c *Client) Pin(ctx context.Context, name string, pin adminapi.Pin) error {
	return c.post(ctx, name, "pin", adminapi.PathPins, pin, nil)
}

// post performs a POST about one plugin with a JSON body.
func (c *Client) post(ctx context.Context, name, op, path string, body, out any) (err error) {
	r := request{op: op, method: http.MethodPost, path: path, in: adminapi.PluginRef{Name: name}, contentType: "application/json"}
	if r.body, err = json.Marshal(body); err != nil {
		return fault.Wrap(fault.Internal, op, "the request cannot be encoded", err)
	}
	return c.about(ctx, name, r, out)
}
