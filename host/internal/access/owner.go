package access

import (
	"context"
	"net/netip"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// lookEvery is how often Access looks whether the token file was replaced, for when
// nobody sends a token.
const lookEvery = 5 * time.Second

// identifyOwner returns who sends the token of the machine's file. One that was put
// there since lets nobody in before the audit has its event.
func (a *Access) identifyOwner(authorization string, from netip.Addr) (auth.Identity, error) {
	if err := a.meetOwner(); err != nil {
		return auth.Identity{}, fault.Wrap(fault.Unavailable, "", "the token file was replaced, and the audit cannot take that down; the server's log says why", err)
	}
	return a.cfg.File.Identify(authorization, from)
}

// meetOwner takes down that the token file holds another token than it did. A file
// that cannot be read is for who sends a token to be told of.
func (a *Access) meetOwner() error {
	token, err := a.cfg.File.Token()
	if err != nil || token.Known() == a.known.Load().all.Owner {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		if c.Owner == token.Known() {
			return plugin.Event{}, nil
		}
		e := plugin.Event{By: "user " + a.cfg.File.User(), Action: plugin.ActionOwnerReset}
		if c.Owner == "" { // the first one
			e = plugin.Event{}
		}
		return e, c.PutOwner(token.Known())
	})
	if err != nil {
		a.cfg.Log.Error("the token file was replaced, and the audit has no event of it", "err", err)
	}
	return err
}
