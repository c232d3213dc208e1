package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// maxTeams and maxRules bound what each request and each log-in looks through.
const (
	maxTeams = 500
	maxRules = 500
)

// Teams returns every team, by name.
func (a *Access) Teams(context.Context) []auth.Team { return a.known.Load().all.Teams }

// SetTeam makes a team, or changes the one of that name; as it is already, it does
// nothing. Errors: Invalid; Conflict
// when a plugin could belong to two teams; Exhausted when there are too many.
func (a *Access) SetTeam(ctx context.Context, t auth.Team, by string) error {
	if err := t.Check(); err != nil {
		return err
	}
	return a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		var before []plugin.Field
		known := false
		for _, other := range c.Teams {
			if other.Name == t.Name {
				known, before = true, teamFields(other)
			}
			if other.Name != t.Name && auth.Overlap(other.Plugins, t.Plugins) {
				return plugin.Event{}, fault.New(fault.Conflict, "", fmt.Sprintf(
					"a plugin of %s could be one of team %s as well, which has %s; a plugin has one team", t.Plugins, other.Name, other.Plugins))
			}
		}
		if !known && len(c.Teams) >= maxTeams {
			return plugin.Event{}, fault.New(fault.Exhausted, "", fmt.Sprintf("there are %d teams, as many as a server keeps", len(c.Teams)))
		}
		changes := plugin.Compare(before, teamFields(t))
		if changes == nil {
			return plugin.Event{}, nil
		}
		return plugin.Event{By: by, Action: plugin.ActionTeamSet, Detail: t.Name, Changes: changes}, c.PutTeam(t)
	})
}

// DeleteTeam forgets a team. Errors: NotFound; Conflict while tokens or rules are
// of it, for they would then be of more plugins or of none.
func (a *Access) DeleteTeam(ctx context.Context, name, by string) error {
	now := a.now()
	return a.change(ctx, func(c *registry.AccessChange) (plugin.Event, error) {
		t, err := teamOf(c.Teams, name)
		if err != nil {
			return plugin.Event{}, err
		}
		for _, p := range c.Passes {
			if _, ended := p.Ended(now); !ended && p.Team == name {
				return plugin.Event{}, fault.New(fault.Conflict, "", fmt.Sprintf("the token %q (%s) is of team %s; revoke it first", p.Name, p.ID, name))
			}
		}
		for _, r := range c.Rules {
			if r.Team == name {
				return plugin.Event{}, fault.New(fault.Conflict, "", fmt.Sprintf("the rule %s is of team %s; delete it first", r.Name, name))
			}
		}
		return plugin.Event{By: by, Action: plugin.ActionTeamDelete, Detail: name, Changes: plugin.Compare(teamFields(t), nil)}, c.RemoveTeam(name)
	})
}

func teamOf(teams []auth.Team, name string) (auth.Team, error) {
	i := slices.IndexFunc(teams, func(t auth.Team) bool { return t.Name == name })
	if i < 0 {
		return auth.Team{}, fault.New(fault.NotFound, "", fmt.Sprintf("there is no team %.64q; list them with: wasmoor team list", name))
	}
	return teams[i], nil
}
