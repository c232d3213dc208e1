package admin

import (
	"context"
	"net/url"
	"runtime"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

func (a *Admin) status(ctx context.Context, _ *struct{}) (*output[adminapi.Status], error) {
	plugins, err := a.cfg.Operator.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	s := adminapi.Status{
		Version:       a.cfg.Version,
		Go:            runtime.Version(),
		UptimeSeconds: int64(time.Since(a.cfg.Started).Seconds()),
		Plugins:       len(visible(ctx, plugins, nameOf)),
		Store:         adminapi.Component{Healthy: true},
		Public:        adminapi.Listener{URL: a.cfg.PublicURL},
	}
	if a.cfg.Shipping != nil {
		s.Shipping = a.cfg.Shipping()
	}
	if u, err := url.Parse(a.cfg.PublicURL); err == nil {
		s.Public.Address = u.Host
	}
	for _, check := range a.cfg.Health {
		s.Store.Healthy = s.Store.Healthy && check.Healthy() == nil
	}
	return &output[adminapi.Status]{s}, nil
}
