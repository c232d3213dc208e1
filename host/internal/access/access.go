// Package access decides who may use the admin API: by the tokens that owners
// make, by log-ins through OIDC, and by the token file of the machine. It keeps
// them, the teams and the rules of trust in the registry, each change in one
// commit with its event. The host opens it; server/admin asks it.
package access

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/access/issuer"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// Registry keeps what Access knows. *registry.Registry is one.
type Registry interface {
	Access(ctx context.Context) (registry.Access, error)
	ChangeAccess(ctx context.Context, act func(*registry.AccessChange) (plugin.Event, error)) error
}

// Config is what Access works with. All but Log are required.
type Config struct {
	Registry Registry
	File     *auth.File
	Clock    func() time.Time
	Log      *slog.Logger // nil drops records
	// Teams is told of every team at first and after each change; nil = nobody is. It
	// must not wait.
	Teams func([]auth.Team)
}

// Access decides who may use the admin API. Safe for concurrent use. Close it.
// Errors are faults; besides those named at each method, every method may return
// those of the registry.
type Access struct {
	cfg      Config
	failures *failures
	issuers  *issuer.Issuers

	changes sync.Mutex // of known, after a commit
	known   atomic.Pointer[known]

	uses chan string // ids of passes whose use is to be noted
	done chan struct{}
	idle sync.WaitGroup
}

// known is what the registry has, for those who ask at each request. It is not
// changed once it is made, but for the times of use.
type known struct {
	passes map[string]*pass
	all    registry.Access
}

type pass struct {
	auth.Pass
	within auth.Pattern
	used   *atomic.Int64 // when it was last used, as far as it is noted; Unix seconds
}

// usePeriod is how far back the last use that is noted may be.
const usePeriod = time.Hour

// Open returns Access to what the registry has.
func Open(ctx context.Context, cfg Config) (*Access, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Access{cfg: cfg, failures: newFailures(), issuers: issuer.New(cfg.Clock), uses: make(chan string, 64), done: make(chan struct{})}
	if err := a.refresh(ctx); err != nil {
		return nil, err
	}
	_ = a.meetOwner() // it is logged, and done again for who sends a token
	a.idle.Go(a.noteUses)
	return a, nil
}

// Close ends what runs. The registry must be open until then.
func (a *Access) Close() {
	close(a.done)
	a.idle.Wait()
}

// refresh reads what the registry has.
func (a *Access) refresh(ctx context.Context) error {
	a.changes.Lock()
	defer a.changes.Unlock()
	all, err := a.cfg.Registry.Access(ctx)
	if err != nil {
		return err
	}
	before := a.known.Load()
	next := &known{passes: make(map[string]*pass, len(all.Passes)), all: all}
	for _, p := range all.Passes {
		one := &pass{Pass: p, used: &atomic.Int64{}}
		one.used.Store(p.Used.Unix())
		if before != nil && before.passes[p.ID] != nil {
			one.used = before.passes[p.ID].used
		}
		for _, t := range all.Teams {
			if t.Name == p.Team {
				one.within = t.Plugins
			}
		}
		next.passes[p.ID] = one
	}
	if a.cfg.Teams != nil && (before == nil || !slices.Equal(before.all.Teams, all.Teams)) {
		a.cfg.Teams(all.Teams)
	}
	a.known.Store(next)
	return nil
}

// change commits what act does, with its event, and then knows of it.
func (a *Access) change(ctx context.Context, act func(*registry.AccessChange) (plugin.Event, error)) error {
	if err := a.cfg.Registry.ChangeAccess(ctx, act); err != nil {
		return err
	}
	return a.refresh(context.WithoutCancel(ctx))
}

// Identify returns who sends a request with that value of its header
// Authorization, from an address. Errors: Unauthenticated, which says that a
// token has expired or was revoked to who has it alone; Exhausted when wrong ones
// came from the address too often.
func (a *Access) Identify(authorization string, from netip.Addr) (auth.Identity, error) {
	who, err := a.identify(authorization, from)
	if fault.CodeOf(err) != fault.Unauthenticated || authorization == "" {
		return who, err
	}
	if late := a.failed(from); late != nil {
		return auth.Identity{}, late
	}
	return who, err
}

// failed counts a failure of an address: Exhausted when there are too many.
func (a *Access) failed(from netip.Addr) error {
	if wait := a.failures.note(from, a.cfg.Clock()); wait > 0 {
		return fault.New(fault.Exhausted, "", fmt.Sprintf("too many wrong tokens came from your address; wait %s", wait.Round(time.Second)))
	}
	return nil
}

func (a *Access) identify(authorization string, from netip.Addr) (auth.Identity, error) {
	bearer, err := auth.ParseBearer(authorization)
	if err != nil {
		return auth.Identity{}, err
	}
	if bearer.ID() == "" {
		return a.identifyOwner(authorization, from)
	}
	p := a.known.Load().passes[bearer.ID()]
	if p == nil || !bearer.Opens(p.Pass) {
		return auth.Identity{}, fault.New(fault.Unauthenticated, "", "this server knows no such token; is it that of another server?")
	}
	now := a.cfg.Clock()
	if since, ended := p.Ended(now); ended {
		how := "expired"
		if since.Equal(p.Revoked) {
			how = "was revoked"
		}
		return auth.Identity{}, fault.New(fault.Unauthenticated, "", fmt.Sprintf(
			"the token %q (%s) %s on %s; %s", p.Name, p.ID, how, since.UTC().Format(time.RFC3339), renewal(p.Kind)))
	}
	a.use(p, now)
	return p.Identity(p.within), nil
}

func renewal(kind auth.Kind) string {
	if kind == auth.KindToken {
		return "ask an owner for a new one"
	}
	return "log in again"
}

// use notes that a pass was used, unless it was noted not long ago.
func (a *Access) use(p *pass, now time.Time) {
	before := p.used.Load()
	if now.Unix()-before < int64(usePeriod/time.Second) || !p.used.CompareAndSwap(before, now.Unix()) {
		return
	}
	select {
	case a.uses <- p.ID:
	default: // the next use in an hour will do
	}
}

// noteUses writes uses down, apart from the requests.
func (a *Access) noteUses() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-a.done:
			return
		case <-look.C:
			_ = a.meetOwner() // as in Open
		case id := <-a.uses:
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			err := a.cfg.Registry.ChangeAccess(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
				p, err := find(c.Passes, id)
				if err != nil {
					return plugin.Event{}, err
				}
				p.Used = a.cfg.Clock().UTC().Truncate(time.Second)
				return plugin.Event{}, c.PutPass(p)
			})
			cancel()
			if err != nil {
				a.cfg.Log.Debug("the use of a token was not noted", "token", id, "err", err)
			}
		}
	}
}
