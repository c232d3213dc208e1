package adminapi

import "time"

// The paths of schedules.
const (
	PathCrons   = "/v1/plugins/{name}/crons"
	PathCronRun = "/v1/plugins/{name}/crons/{cron}/run"
)

// Cron is how a schedule of a plugin does.
type Cron struct {
	Name     string     `json:"name"`
	Schedule string     `json:"schedule" example:"*/5 * * * *"`
	Timezone string     `json:"timezone" example:"UTC"`
	Request  string     `json:"request" doc:"That comes by it" example:"POST /tasks/cleanup"`
	Paused   bool       `json:"paused,omitempty" doc:"Its plugin is"`
	Running  bool       `json:"running,omitempty" doc:"A run goes on"`
	Next     *time.Time `json:"next,omitempty" doc:"When the next run begins; absent = never, or it is not known yet"`
	Late     float64    `json:"late_seconds" doc:"How late the run is that is due or goes on; 0 = none is"`
	Done     uint64     `json:"done" doc:"Runs"`
	Failed   uint64     `json:"failed" doc:"Runs, each attempt"`
	Skipped  uint64     `json:"skipped" doc:"Times of the schedule without a run"`
	Refused  int64      `json:"refused" doc:"Runs that found no place, since the start of the server"`
	Runs     []CronRun  `json:"runs" doc:"The last ones, the newest first"`
}

// CronRun is a run of a schedule, or several times in a row without one.
type CronRun struct {
	Due     time.Time  `json:"due" doc:"The time of the schedule; of several the first"`
	Began   *time.Time `json:"began,omitempty"`
	Ended   time.Time  `json:"ended"`
	Outcome string     `json:"outcome" enum:"done,failed,skipped"`
	Attempt int        `json:"attempt,omitempty"`
	Status  int        `json:"status,omitempty" doc:"That the handler answered"`
	Problem string     `json:"problem,omitempty"`
	Times   int        `json:"times,omitempty" doc:"That were skipped in a row; at most 1000 are counted"`
	Manual  bool       `json:"manual,omitempty" doc:"An operator asked for it"`
}

// CronRef names a schedule.
type CronRef struct {
	PluginRef
	Cron string `path:"cron" minLength:"1" maxLength:"63" doc:"Name of the schedule" example:"cleanup"`
}
