package service

import (
	"context"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// watchdog tells systemd that the server works, twice in the time after which it
// would be restarted, for as long as it does. A server that only refuses writes
// works.
func (s *Service) watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for ; ; <-tick.C {
		if why := s.stuck(ctx, interval/2); why != "" {
			s.say("wasmoor: systemd's watchdog is not answered: %s", why)
		} else {
			s.tell(daemon.SdNotifyWatchdog)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// stuck says why the server does not work, "" if it does: it answers on a socket,
// and its disk takes what is committed.
func (s *Service) stuck(ctx context.Context, within time.Duration) string {
	if s.host.WaitsFor() != "" {
		return "" // it stops, for which there is another limit
	}
	if since := s.host.Writing(); since > within {
		return "a commit has not reached the disk for " + since.String()
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.host.AdminURL()+"/livez", nil)
	if err != nil {
		return err.Error()
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err.Error()
	}
	_ = res.Body.Close() // any answer is one
	return ""
}
