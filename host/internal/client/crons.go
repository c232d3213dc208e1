package client

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Crons lists the schedules of a plugin.
func (c *Client) Crons(ctx context.Context, name string) (out []adminapi.Cron, err error) {
	err = c.read(ctx, name, request{op: "list schedules", path: adminapi.PathCrons}, &out)
	return out, err
}

// CronRun makes the request of a schedule now, and returns how it went.
func (c *Client) CronRun(ctx context.Context, name, cron string) (out adminapi.CronRun, err error) {
	in := adminapi.CronRef{PluginRef: adminapi.PluginRef{Name: name}, Cron: cron}
	err = c.about(ctx, name, request{op: "run a schedule", method: http.MethodPost, path: adminapi.PathCronRun, in: in}, &out)
	return out, err
}
