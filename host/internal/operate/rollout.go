package operate

import (
	"context"
	"fmt"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/rollout"
)

// Rollout tells how the last roll-out of a plugin does, or did. Errors: NotFound,
// also when there was none.
func (o *Operator) Rollout(ctx context.Context, name string) (adminapi.Rollout, error) {
	p, err := o.registry.Plugin(ctx, name)
	if err != nil {
		return adminapi.Rollout{}, err
	}
	s, ok := o.deployer.Rollout(p)
	if !ok {
		return adminapi.Rollout{}, fault.New(fault.NotFound, "", fmt.Sprintf("no version of plugin %q has been rolled out; begin with: wasmoor deploy --canary", name))
	}
	return shownRollout(name, &s), nil
}

func shownRollout(name string, s *deploy.RolloutStatus) adminapi.Rollout {
	r := adminapi.Rollout{
		Plugin: name, State: stateOf(s), Share: float64(s.Weight()) * 100 / plugin.WholeWeight,
		Plan: s.Plan.String(), Step: s.Step + 1, Steps: len(s.Plan), Key: string(s.Key), By: s.By, Started: s.Started, Stepped: s.Stepped,
		Reason: s.Reason, Old: side(s.From, &s.Old), New: side(s.To, &s.New),
	}
	if s.Runs() {
		r.Reason = s.Decision.Reason
		r.Verdict = map[rollout.Verdict]string{rollout.Good: "good", rollout.Worse: "worse", rollout.Inconclusive: "inconclusive"}[s.Decision.Verdict]
		return r
	}
	ended := s.Ended
	r.Ended = &ended
	return r
}

// inOneLine says how a roll-out does that runs.
func inOneLine(r adminapi.Rollout) string {
	line := fmt.Sprintf("version %d serves %g %% of the clients, %s at step %d of %d", r.New.Version, r.Share, r.State, r.Step, r.Steps)
	if r.Reason != "" {
		line += ", " + r.Verdict + ": " + r.Reason
	}
	return line
}

func stateOf(s *deploy.RolloutStatus) string {
	switch {
	case s.Outcome == plugin.RolledOut:
		return adminapi.RolloutDone
	case s.Outcome == plugin.RolledBack:
		return adminapi.RolloutBack
	case s.Outcome != "":
		return adminapi.RolloutAborted
	case s.Paused:
		return adminapi.RolloutPaused
	case s.Decision.Held:
		return adminapi.RolloutHeld
	}
	return adminapi.RolloutRunning
}

func side(version int, c *rollout.Counts) adminapi.RolloutSide {
	return adminapi.RolloutSide{
		Version: version, Requests: c.Requests, Failures: c.Failures, Traps: c.Traps,
		P50: millis(c.Times.Quantile(0.5)), P99: millis(c.Times.Quantile(0.99)),
	}
}

// Pin keeps a version however old it is, or no longer does. Errors: NotFound,
// Exhausted.
func (o *Operator) Pin(ctx context.Context, name string, version int, pinned bool, by string) error {
	_, err := o.registry.Pin(ctx, name, version, pinned, by)
	return err
}
