package admin

import (
	"context"
	"net/url"
	"runtime"
	"time"
)

// serverStatus is what the server says of itself.
type serverStatus struct {
	Version       string          `json:"version" doc:"Of the program"`
	Go            string          `json:"go" doc:"The Go release it was built with"`
	UptimeSeconds int64           `json:"uptime_seconds"`
	Plugins       int             `json:"plugins" doc:"How many are installed"`
	Store         componentStatus `json:"store"`
	Public        publicStatusOf  `json:"public"`
}

type componentStatus struct {
	Healthy bool `json:"healthy" doc:"It can read and write"`
}

type publicStatusOf struct {
	URL     string `json:"url" doc:"Where clients reach the plugins" example:"http://127.0.0.1:8080"`
	Address string `json:"address" doc:"Its host and port" example:"127.0.0.1:8080"`
}

type statusOutput struct{ Body serverStatus }

func (a *Admin) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	plugins, err := a.cfg.Deployer.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	s := serverStatus{
		Version:       a.cfg.Version,
		Go:            runtime.Version(),
		UptimeSeconds: int64(time.Since(a.cfg.Started).Seconds()),
		Plugins:       len(plugins),
		Store:         componentStatus{Healthy: true},
		Public:        publicStatusOf{URL: a.cfg.PublicURL},
	}
	if u, err := url.Parse(a.cfg.PublicURL); err == nil {
		s.Public.Address = u.Host
	}
	for _, check := range a.cfg.Health {
		s.Store.Healthy = s.Store.Healthy && check.Healthy() == nil
	}
	return &statusOutput{s}, nil
}
