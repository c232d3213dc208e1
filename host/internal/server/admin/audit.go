package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) audit(ctx context.Context, in *adminapi.EventsQuery) (*output[[]adminapi.Event], error) {
	return show(a.cfg.Operator.Audit(ctx, in.After, in.Limit))
}
