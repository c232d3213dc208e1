package author

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// showLater shows what a version does without a client: its queues and schedules.
func (d *devLoop) showLater(ctx context.Context) error {
	queues, err := d.scratch.client.Queues(ctx, d.name)
	if err != nil {
		return err
	}
	crons, err := d.nextTicks(ctx)
	if err == nil {
		d.screen.later(d.name, queues, crons)
	}
	return err
}

// nextTicks returns the schedules, once it is known when each comes. That takes one
// commit after a version serves; it does not wait for a server that does not get there.
func (d *devLoop) nextTicks(ctx context.Context) ([]adminapi.Cron, error) {
	const tries, pause = 200, 25 * time.Millisecond
	for try := 1; ; try++ {
		crons, err := d.scratch.client.Crons(ctx, d.name)
		unknown := func(c adminapi.Cron) bool { return c.Next == nil && !c.Paused && !c.Running }
		if err != nil || try == tries || !slices.ContainsFunc(crons, unknown) {
			return crons, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// later shows queues with what is in them, and schedules with their next time.
func (s *devScreen) later(name string, queues []adminapi.Queue, crons []adminapi.Cron) {
	if len(queues)+len(crons) == 0 {
		return
	}
	var lines []string
	for i := range queues {
		q := &queues[i]
		text := fmt.Sprintf("  queue   %s: %d wait", q.Name, q.Waiting)
		if q.Handling > 0 {
			text += fmt.Sprintf(", %d are handled", q.Handling)
		}
		if q.Dead > 0 {
			text += fmt.Sprintf(", %d are dead letters", q.Dead)
		}
		switch {
		case q.Paused:
			text += ", paused"
		case !q.Declared:
			text += ", nobody handles it"
		}
		lines = append(lines, text)
	}
	for i := range crons {
		c := &crons[i]
		text := fmt.Sprintf("  cron    %s: %s", c.Name, c.Schedule)
		switch {
		case c.Running:
			text += ", runs"
		case c.Paused:
			text += ", paused"
		case c.Next != nil:
			text += ", next " + c.Next.Local().Format(time.DateTime)
		}
		lines = append(lines, text)
	}
	s.tell(devEvent{Event: "later", Plugin: name, Queues: queues, Crons: crons}, strings.Join(lines, "\n"))
}
