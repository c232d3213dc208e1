package admin

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// cronRecorder is a Crons that notes its last call.
type cronRecorder struct {
	note func(string, ...any) error
}

func (r cronRecorder) List(_ context.Context, name string) ([]adminapi.Cron, error) {
	return []adminapi.Cron{{Name: "cleanup", Schedule: "@daily", Timezone: "UTC", Request: "POST /tasks/cleanup", Done: 2, Runs: []adminapi.CronRun{aRun}}}, r.note("crons %s", name)
}

func (r cronRecorder) Run(_ context.Context, name, cron, by string) (adminapi.CronRun, error) {
	return aRun, r.note("run %s %s by %s", name, cron, by)
}

var aRun = adminapi.CronRun{Due: time.Unix(1, 0).UTC(), Ended: time.Unix(2, 0).UTC(), Outcome: "done", Attempt: 1, Status: 204}
