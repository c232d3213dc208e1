package admin

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type auditInput struct {
	After uint64 `query:"after" doc:"Only events behind this number"`
	Limit int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many events; 0 = 1000"`
}

type auditOutput struct{ Body []plugin.Event }

func (a *Admin) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	events, err := a.cfg.Deployer.Audit(ctx, in.After, in.Limit)
	return &auditOutput{list(events)}, err
}
