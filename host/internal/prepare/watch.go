package prepare

import (
	"context"
	"time"
)

// lookEvery is how often a build is looked at.
const lookEvery = 100 * time.Millisecond

// watch ends a build that waits for longer than it may. What a build does computes,
// or waits for a processor: that takes as long as the machine is loaded, and is no
// fault of the module's. Where the system does not say what a process does, the
// build gets four times its processor time.
func (c *child) watch(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var idle, before time.Duration
	at := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			active, now, known := activity(c.cmd.Process.Pid)
			passed := time.Since(at)
			if !now {
				idle += passed
			}
			idle = max(0, idle-max(0, active-before))
			at, before = at.Add(passed), active
			if most := c.allowed.patience(known); idle > most {
				c.kill(errIdle)
				return
			}
		}
	}
}

func (a allowance) patience(known bool) time.Duration {
	if known {
		return a.Idle
	}
	return a.Idle + 4*a.CPU
}
