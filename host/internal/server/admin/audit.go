package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
)

func (a *Admin) audit(ctx context.Context, in *adminapi.EventsQuery) (*output[[]adminapi.Event], error) {
	who := auth.From(ctx)
	return show(a.cfg.Operator.Audit(ctx, *in, func(plugin string) bool { return who.May(auth.Viewer, plugin) == nil }))
}

func (a *Admin) auditLines(ctx context.Context, in *adminapi.AuditLinesQuery) (*output[adminapi.AuditLines], error) {
	return show(a.cfg.Operator.AuditLines(ctx, in.After))
}

func (a *Admin) requests(ctx context.Context, in *adminapi.RequestsQuery) (*output[[]adminapi.Request], error) {
	requests, err := a.cfg.Operator.Requests(ctx, in.ID)
	return show(visible(ctx, requests, func(r adminapi.Request) string { return r.Plugin }), err)
}
