package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Crons is what an operator may do with schedules.
type Crons interface {
	List(ctx context.Context, name string) ([]adminapi.Cron, error)
	Run(ctx context.Context, name, cron, by string) (adminapi.CronRun, error)
}

// bindCrons is every route of schedules.
func (a *Admin) bindCrons(api huma.API) {
	route(api, viewer, get("list-crons", adminapi.PathCrons, "List the schedules of a plugin, with their last runs"), a.crons)
	route(api, operator, operation("run-cron", http.MethodPost, adminapi.PathCronRun, "Make the request of a schedule now, and answer when it is over", http.StatusOK), a.runCron)
}

func (a *Admin) crons(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Cron], error) {
	return show(a.cfg.Crons.List(ctx, in.Name))
}

func (a *Admin) runCron(ctx context.Context, in *adminapi.CronRef) (*output[adminapi.CronRun], error) {
	return show(a.cfg.Crons.Run(ctx, in.Name, in.Cron, by(ctx)))
}
