package operate

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
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
		value := p.Vars[v.Name]
		if v.Secret {
			value = ""
		}
		known[v.Name] = true
		vars = append(vars, adminapi.Var{
			Name: v.Name, Value: value, Set: p.IsSet(v.Name), Secret: v.Secret || sealed(p, v.Name),
			Required: v.Required, Default: v.Default, Description: v.Description,
		})
	}
	for _, extra := range slices.Sorted(maps.Keys(p.Values())) {
		if !known[extra] {
			vars = append(vars, adminapi.Var{Name: extra, Set: true, Secret: true, Description: adminapi.Undeclared})
		}
	}
	return vars, nil
}

func sealed(p plugin.Plugin, name string) bool {
	_, sealed := p.Secrets[name]
	return sealed
}

// Secrets lists the secrets that the newest version's manifest declares, and those
// that are kept for another version. No value is shown.
func (o *Operator) Secrets(ctx context.Context, name string) ([]adminapi.Secret, error) {
	p, err := o.registry.Installed(ctx, name)
	if err != nil {
		return nil, err
	}
	m, err := o.registry.Manifest(ctx, name, p.Versions)
	if err != nil {
		return nil, err
	}
	secrets := []adminapi.Secret{}
	known := map[string]bool{}
	for _, v := range m.Vars {
		if v.Secret || sealed(p, v.Name) {
			known[v.Name] = true
			secrets = append(secrets, secretOf(p, v))
		}
	}
	for _, extra := range slices.Sorted(maps.Keys(p.Secrets)) {
		if !known[extra] {
			secrets = append(secrets, secretOf(p, manifest.Var{Name: extra, Description: adminapi.Undeclared}))
		}
	}
	return secrets, nil
}

func secretOf(p plugin.Plugin, v manifest.Var) adminapi.Secret {
	out := adminapi.Secret{Name: v.Name, State: adminapi.SecretUnset, Required: v.Required, Blind: v.Blind, Description: v.Description}
	s, set := p.Secrets[v.Name]
	switch {
	case !set && v.Required:
		out.State = adminapi.SecretMissing
	case !set:
	case s.Lost != "":
		out.State, out.Lost = adminapi.SecretLost, s.Lost
	default:
		out.State = adminapi.SecretSet
	}
	if out.By = s.By; !s.Set.IsZero() {
		out.Set = &s.Set
	}
	return out
}

// RotateKey replaces the key that secrets are sealed with, while everything goes on.
// Errors: Conflict when the server does not write it.
func (o *Operator) RotateKey(ctx context.Context, by string) (adminapi.RotatedKey, error) {
	done, err := o.registry.RotateKey(ctx, by)
	return adminapi.RotatedKey(done), err
}
