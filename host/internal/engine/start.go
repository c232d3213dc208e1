package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Starting runs what initialises a guest within deadline, 0 = none but that of
// ctx, and says when that was too short. limit makes the context that ends then.
// Errors are those of run.
func Starting(ctx context.Context, op string, limit func(context.Context, time.Duration) (context.Context, context.CancelFunc), deadline time.Duration, run func(context.Context) error) error {
	if deadline == 0 {
		return run(ctx)
	}
	within, cancel := limit(ctx, deadline)
	defer cancel()
	err := run(within)
	if fault.CodeOf(err) != fault.Deadline || ctx.Err() != nil {
		return err
	}
	return fault.Wrap(fault.Deadline, op, fmt.Sprintf(
		"%s: initialising may take %s, the shortest deadline of the plugin's requests; do less before the handler, or raise limits.deadline or the route's",
		fault.MessageOf(err), deadline), err)
}
