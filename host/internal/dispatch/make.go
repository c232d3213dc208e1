package dispatch

import (
	"context"
	"errors"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/team"
)

// make makes an instance, for which the plugin's team must have room: it counts as what
// it may grow to. nil is for a version that does not serve yet, and has no team.
func (p *pool) make(ctx context.Context, program engine.Program) (engine.Instance, error) {
	if p == nil {
		return program.Instance(ctx)
	}
	shared, size := p.cfg.Plugin.Team, p.cfg.Env.Limits.Memory
	if err := shared.Take(size); err != nil {
		return nil, err
	}
	instance, err := program.Instance(ctx)
	if err != nil {
		shared.Give(size)
	}
	return instance, err
}

// adopt takes an instance that was made before the pool, if the plugin's team has room.
func (p *pool) adopt(instance engine.Instance) {
	if p.cfg.Plugin.Team.Take(p.cfg.Env.Limits.Memory) != nil {
		p.report("close instance", instance.Close(context.Background()))
		return
	}
	p.idle = append(p.idle, instance)
}

// helps reports whether an idle instance of p that is closed makes room for one of own,
// which could not be made for err: where a team has none, those of other teams are of
// no use.
func (p *pool) helps(own *pool, err error) bool {
	if _, full := errors.AsType[*team.FullError](err); !full {
		return true
	}
	return p.cfg.Plugin.Team.With(own.cfg.Plugin.Team)
}
