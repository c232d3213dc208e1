package dispatch

import "context"

// Tidy looks at the pools once.
func (g *Pools) Tidy() { g.tidy() }

// Waiting returns how many invocations wait for their turn.
func (d *Deployment) Waiting() int {
	g := &d.cfg.Plugin.slots
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.Len()
}

// TakeAndGive takes an instance and gives it back.
func (d *Deployment) TakeAndGive(ctx context.Context) error {
	l, err := d.pool.take(ctx)
	if err == nil {
		err = l.handle(ctx, nil)
	}
	return err
}

// Hungry returns how many wait for memory.
func (g *Pools) Hungry() int { return int(g.hunger.size.Load()) }

// Busy returns how many instances serve.
func (d *Deployment) Busy() int { return d.Stats().Busy }

// Running returns how many slots of the plugin are taken.
func (d *Deployment) Running() int {
	g := &d.cfg.Plugin.slots
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}
