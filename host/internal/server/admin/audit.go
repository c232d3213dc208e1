package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) audit(ctx context.Context, in *adminapi.EventsQuery) (*output[[]adminapi.Event], error) {
	return show(a.cfg.Operator.Audit(ctx, in.After, in.Limit))
}

func (a *Admin) requests(ctx context.Context, in *adminapi.RequestsQuery) (*output[[]adminapi.Request], error) {
	return show(a.cfg.Operator.Requests(ctx, in.ID))
}
