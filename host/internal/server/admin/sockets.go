package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Sockets is what an operator may do with sockets.
type Sockets interface {
	List(ctx context.Context, name string, limit int) (adminapi.SocketPage, error)
	Close(ctx context.Context, name string, in adminapi.CloseSockets, by string) (int, error)
}

// bindSockets is every route of sockets. A list has addresses of clients.
func (a *Admin) bindSockets(api huma.API) {
	route(api, deployer, get("list-sockets", adminapi.PathSockets, "List the open sockets of a plugin"), a.sockets)
	route(api, operator, operation("close-sockets", http.MethodPost, adminapi.PathSocketsClose, "Close a socket of a plugin, or all", http.StatusOK), a.closeSockets)
}

func (a *Admin) sockets(ctx context.Context, in *adminapi.SocketsQuery) (*output[adminapi.SocketPage], error) {
	return show(a.cfg.Sockets.List(ctx, in.Name, in.Limit))
}

func (a *Admin) closeSockets(ctx context.Context, in *struct {
	adminapi.PluginRef
	Body adminapi.CloseSockets
},
) (*output[adminapi.Sockets], error) {
	n, err := a.cfg.Sockets.Close(ctx, in.Name, in.Body, by(ctx))
	return show(adminapi.Sockets{Sockets: n}, err)
}
