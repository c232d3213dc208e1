package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

const (
	// Lifetime is how long a token lasts that is made without a word about it.
	Lifetime = 90 * 24 * time.Hour
	// Grace is how long a token lasts after its rotation without a word about it.
	Grace = time.Hour
	// maxPasses bounds the tokens and log-ins of a server that let somebody in, and those
	// that did; maxLogins those of one person, or of one subject of CI.
	maxPasses = 5000
	maxLogins = 200
	// keepTokens and keepLogins are how long those that have ended are shown.
	keepTokens = 90 * 24 * time.Hour
	keepLogins = time.Hour
)

// LoginLifetime is how long a log-in lasts, of a person or of CI, that a rule says
// nothing about.
func LoginLifetime(person bool) time.Duration {
	if person {
		return 12 * time.Hour
	}
	return 15 * time.Minute
}

// Made is a new pass with its token, which is shown this once.
type Made struct {
	auth.Pass
	Secret string
}

// Tokens returns every token and log-in that is remembered, the oldest first.
func (a *Access) Tokens(context.Context) []auth.Pass {
	k := a.known.Load()
	all := make([]auth.Pass, 0, len(k.passes))
	for _, p := range k.passes {
		p := *p
		if used := p.used.Load(); used > p.Used.Unix() {
			p.Used = time.Unix(used, 0).UTC()
		}
		all = append(all, p.Pass)
	}
	slices.SortFunc(all, func(x, y auth.Pass) int {
		if c := x.Created.Compare(y.Created); c != 0 {
			return c
		}
		return slices.Compare([]byte(x.ID), []byte(y.ID))
	})
	return all
}

// Create makes a token with the name, role, plugins, team and end of spec. Errors:
// Invalid; Conflict when a token of that name lets somebody in; NotFound for the
// team; Exhausted when there are too many.
func (a *Access) Create(ctx context.Context, spec auth.Pass, by string) (Made, error) {
	spec.Kind = auth.KindToken
	return a.make(ctx, spec, by, plugin.ActionTokenCreate)
}

func (a *Access) make(ctx context.Context, spec auth.Pass, by string, action plugin.Action) (made Made, err error) {
	if err := spec.Check(); err != nil {
		return Made{}, err
	}
	now := a.now()
	if !spec.Expires.IsZero() && !now.Before(spec.Expires) {
		return Made{}, fault.New(fault.Invalid, "", "the token would have expired already")
	}
	err = a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		if spec.Team != "" {
			if _, err := teamOf(c.Teams, spec.Team); err != nil {
				return plugin.Event{}, err
			}
		}
		if spec.Kind == auth.KindToken {
			for _, p := range c.Passes {
				if _, ended := p.Ended(now); !ended && p.Kind == auth.KindToken && p.Name == spec.Name {
					return plugin.Event{}, fault.New(fault.Conflict, "", fmt.Sprintf(
						"there is a token %q already (%s); rotate it, revoke it, or take another name", p.Name, p.ID))
				}
			}
		}
		made = renew(spec, by, now)
		return plugin.Event{By: by, Action: action, Detail: named(made.Pass), Changes: plugin.Compare(nil, passFields(made.Pass))}, add(c, made.Pass, now)
	})
	if err != nil {
		return Made{}, err
	}
	return made, nil
}

// renew returns a pass like p with a secret of its own.
func renew(p auth.Pass, by string, now time.Time) Made {
	m := Made{Pass: p}
	m.Secret, m.ID, m.Sum = auth.NewSecret()
	m.By, m.Created, m.Revoked, m.Used = by, now, time.Time{}, time.Time{}
	return m
}

// add stores a new pass, and forgets those that ended long ago, and of the others that
// ended the oldest where there are too many: they keep nobody from getting one.
func add(c *registry.AccessChange, p auth.Pass, now time.Time) error {
	valid, logins := 0, 0
	var ended []auth.Pass
	for _, old := range c.Passes {
		if _, over := old.Ended(now); over {
			ended = append(ended, old)
			continue
		}
		valid++
		if old.Kind != auth.KindToken && old.Kind == p.Kind && old.Name == p.Name {
			logins++
		}
	}
	switch {
	case valid >= maxPasses:
		return fault.New(fault.Exhausted, "", fmt.Sprintf("there are %d tokens and log-ins, as many as a server keeps; revoke those that nobody needs", valid))
	case logins >= maxLogins:
		return fault.New(fault.Exhausted, "", fmt.Sprintf("%q is logged in %d times, as often as anybody may be; log out, or wait until one ends", p.Name, logins))
	}
	end := func(p auth.Pass) time.Time { since, _ := p.Ended(now); return since }
	slices.SortFunc(ended, func(x, y auth.Pass) int { return end(x).Compare(end(y)) })
	for i, old := range ended {
		keep := keepLogins
		if old.Kind == auth.KindToken {
			keep = keepTokens
		}
		if now.Sub(end(old)) < keep && len(ended)-i <= maxPasses {
			continue
		}
		if err := c.RemovePass(old.ID); err != nil {
			return err
		}
	}
	return c.PutPass(p)
}

// Revoke makes a token or log-in worth nothing, at once, and with it all that were put in
// its place: whoever had it may have rotated it. Errors: NotFound; Conflict when all are
// worth nothing already.
func (a *Access) Revoke(ctx context.Context, id, by string) error {
	now := a.now()
	return a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		p, err := find(c.Passes, id)
		if err != nil {
			return plugin.Event{}, err
		}
		var ended []string
		for it := p; ; {
			if _, over := it.Ended(now); !over {
				it.Revoked = now
				if err := c.PutPass(it); err != nil {
					return plugin.Event{}, err
				}
				ended = append(ended, named(it))
			}
			if it.Next == "" {
				break
			}
			if it, err = find(c.Passes, it.Next); err != nil {
				break // it ended so long ago that it is forgotten
			}
		}
		if ended == nil {
			_, err := alive(c.Passes, id, now)
			return plugin.Event{}, err
		}
		return plugin.Event{By: by, Action: plugin.ActionTokenRevoke, Detail: strings.Join(ended, ", "), Changes: []plugin.Difference{{What: "state", Before: "valid", After: "revoked"}}}, nil
	})
}

// Rotate makes a token in place of another, which lasts for grace from now on at
// the most. The new one lasts as long as the old one was made for. Errors:
// NotFound; Conflict when the old one is worth nothing already, or was rotated and
// the one in its place is worth something; Invalid for a log-in.
func (a *Access) Rotate(ctx context.Context, id string, grace time.Duration, by string) (made Made, err error) {
	now := a.now()
	err = a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		old, err := alive(c.Passes, id, now)
		if err != nil {
			return plugin.Event{}, err
		}
		if old.Kind != auth.KindToken {
			return plugin.Event{}, fault.New(fault.Invalid, "", "a log-in is not rotated; log in again")
		}
		last, err := lastOf(c.Passes, old, now)
		if err != nil {
			return plugin.Event{}, err
		}
		before := old
		made = renew(old, by, now)
		made.Next, made.Expires = "", time.Time{}
		if !last.Expires.IsZero() {
			made.Expires = now.Add(last.Expires.Sub(last.Created))
		}
		if end := now.Add(grace); old.Expires.IsZero() || end.Before(old.Expires) {
			old.Expires = end
		}
		old.Next = made.ID
		if err := c.PutPass(old); err != nil {
			return plugin.Event{}, err
		}
		for _, p := range c.Passes { // two of a row let somebody in at a time
			if _, ended := p.Ended(now); !ended && p.Next == old.ID {
				p.Expires = now
				if err := c.PutPass(p); err != nil {
					return plugin.Event{}, err
				}
			}
		}
		changes := plugin.Compare(passFields(before), passFields(made.Pass))
		return plugin.Event{
			By: by, Action: plugin.ActionTokenRotate, Changes: changes,
			Detail: fmt.Sprintf("%s (%s), in place of %s, which ends %s", made.Name, made.ID, old.ID, old.Expires.Format(time.RFC3339)),
		}, add(c, made.Pass, now)
	})
	if err != nil {
		return Made{}, err
	}
	return made, nil
}

// lastOf returns the last of the tokens that were put in the place of p, or p itself
// where none was. Conflict when one of them lets somebody in: two would be in the place
// of one.
func lastOf(passes []auth.Pass, p auth.Pass, now time.Time) (auth.Pass, error) {
	old := p
	for p.Next != "" {
		next, err := find(passes, p.Next)
		if err != nil {
			return p, nil // it ended so long ago that it is forgotten
		}
		if _, ended := next.Ended(now); !ended {
			return p, fault.New(fault.Conflict, "", fmt.Sprintf(
				"the token %q (%s) was rotated on %s: %s is in its place; rotate that one, or revoke it first if nobody has it",
				old.Name, old.ID, next.Created.UTC().Format(time.RFC3339), next.ID))
		}
		p = next
	}
	return p, nil
}

// now is the time in records.
func (a *Access) now() time.Time { return a.cfg.Clock().UTC().Truncate(time.Second) }

// alive returns the pass of an id if it lets somebody in.
func alive(passes []auth.Pass, id string, now time.Time) (auth.Pass, error) {
	p, err := find(passes, id)
	if err != nil {
		return p, err
	}
	if since, ended := p.Ended(now); ended {
		return p, fault.New(fault.Conflict, "", fmt.Sprintf("the token %q (%s) has been worth nothing since %s", p.Name, p.ID, since.UTC().Format(time.RFC3339)))
	}
	return p, nil
}

func find(passes []auth.Pass, id string) (auth.Pass, error) {
	i := slices.IndexFunc(passes, func(p auth.Pass) bool { return p.ID == id })
	if i < 0 {
		return auth.Pass{}, fault.New(fault.NotFound, "", fmt.Sprintf("no token has the id %.16q; list them with: wasmoor token list", id))
	}
	return passes[i], nil
}
