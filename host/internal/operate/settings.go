package operate

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// CORS returns the CORS policy of a plugin; NotFound when there is none.
func (o *Operator) CORS(ctx context.Context, name string) (adminapi.CORS, error) {
	p, err := o.registry.Installed(ctx, name)
	if err != nil {
		return adminapi.CORS{}, err
	}
	policy, err := p.Policy()
	if err != nil {
		return adminapi.CORS{}, err
	}
	return adminapi.CORS(*policy), nil
}

// Limits tells the limits of a plugin, and who decided them.
func (o *Operator) Limits(ctx context.Context, name string) (adminapi.LimitsShown, error) {
	p, err := o.registry.Installed(ctx, name)
	if err != nil {
		return adminapi.LimitsShown{}, err
	}
	m, err := o.registry.Manifest(ctx, name, cmp.Or(p.Active, p.Versions))
	if err != nil {
		return adminapi.LimitsShown{}, err
	}
	return adminapi.LimitsShown{
		Manifest: shownLimits(m.Limits()), Operator: shownLimits(limit.Limits(p.Limits)),
		Effective: shownLimits(m.Under(p.Limits).Limits()), Maximum: shownLimits(limit.Maximum()),
	}, nil
}

func shownLimits(l limit.Limits) adminapi.Limits {
	return adminapi.Limits{
		Memory: l.Memory, DeadlineMillis: l.Deadline.Milliseconds(), RequestBody: l.RequestBody,
		ResponseBody: l.ResponseBody, Concurrency: int64(l.Concurrency),
	}
}

// Vars lists what the newest version's manifest declares and what is set. The
// value of a secret, or of a name the manifest does not know, is left out.
func (o *Operator) Vars(ctx context.Context, name string) ([]adminapi.Var, error) {
	p, err := o.registry.Installed(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := o.registry.Manifest(ctx, name, p.Versions)
	if err != nil {
		return nil, err
	}
	vars := []adminapi.Var{}
	known := map[string]bool{}
	for _, v := range m.Vars {
		value, set := p.Vars[v.Name]
		if v.Secret {
			value = ""
		}
		known[v.Name] = true
		vars = append(vars, adminapi.Var{
			Name: v.Name, Value: value, Set: set, Secret: v.Secret,
			Required: v.Required, Default: v.Default, Description: v.Description,
		})
	}
	for _, extra := range slices.Sorted(maps.Keys(p.Vars)) {
		if !known[extra] {
			vars = append(vars, adminapi.Var{Name: extra, Set: true, Secret: true, Description: "not in the newest version's manifest"})
		}
	}
	return vars, nil
}
