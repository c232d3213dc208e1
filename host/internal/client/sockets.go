package client

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Sockets lists the open sockets of a plugin.
func (c *Client) Sockets(ctx context.Context, q adminapi.SocketsQuery) (out adminapi.SocketPage, err error) {
	err = c.about(ctx, q.Name, request{op: "list sockets", method: http.MethodGet, path: adminapi.PathSockets, in: q}, &out)
	return out, err
}

// CloseSockets closes a socket of a plugin, or all, and returns how many.
func (c *Client) CloseSockets(ctx context.Context, name string, in adminapi.CloseSockets) (out adminapi.Sockets, err error) {
	r := request{op: "close sockets", method: http.MethodPost, path: adminapi.PathSocketsClose, in: adminapi.PluginRef{Name: name}}
	err = c.put(ctx, name, r, in, &out)
	return out, err
}
