package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
)

// serviceRecorder is a Services that notes its last call.
type serviceRecorder struct {
	note func(string, ...any) error
}

func (r serviceRecorder) List(_ context.Context, name string) ([]adminapi.Service, error) {
	return []adminapi.Service{{Name: "stock", Plugin: "stock-staging", Bound: true, Granted: true, About: []string{"stock-staging is of no team, and has: kv"}}}, r.note("services %s", name)
}

func (r serviceRecorder) Bind(_ context.Context, name string, b adminapi.Bindings, by string) (deploy.Changed, error) {
	return deploy.Changed{Plugin: name, Mount: "/a"}, r.note("bind %s %v %v by %s", name, b.Bind, b.Unbind, by)
}
