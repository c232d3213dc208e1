package dispatch

import "context"

// Tidy looks at the pools once.
func (g *Pools) Tidy() { g.tidy() }

// Waiting returns how many invocations wait for their turn.
func (s *Service) Waiting() int { return int(s.gate.waiting.Load()) }

// TakeAndGive takes an instance and gives it back.
func (s *Service) TakeAndGive(ctx context.Context) error {
	l, err := s.pool.take(ctx)
	if err == nil {
		err = l.handle(ctx, nil)
	}
	return err
}

// Hungry returns how many wait for memory.
func (g *Pools) Hungry() int { return int(g.hunger.size.Load()) }
