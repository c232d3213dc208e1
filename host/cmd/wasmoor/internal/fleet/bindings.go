package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capability/service"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// servicesOf returns what the names stand for by which a grant, or an ask for one, lets a
// plugin call others.
func servicesOf(grant map[string]any) (services map[string]string, bound map[string]string) {
	text, _ := grant[service.Name].(string)
	return split(strings.Fields(text))
}

// split tells what an operator has bound from what manifests say.
func split(calls []string) (services map[string]string, bound map[string]string) {
	services, bound = map[string]string{}, map[string]string{}
	for _, call := range calls {
		if alias, to, ok := strings.Cut(call, ">"); ok {
			bound[alias] = to
		} else if alias, to, ok := strings.Cut(call, "="); ok {
			services[alias] = to
		}
	}
	return services, bound
}

// names reports whether the version that serves, or the newest, calls a plugin by a name:
// only those are bound and unbound.
func (s *state) names(alias string) bool {
	for i, v := range s.versions {
		if services, _ := servicesOf(v.Ask); (i == 0 || v.Number == s.active) && services[alias] != "" {
			return true
		}
	}
	return false
}

// checkBind checks what a file says of names, whatever the module.
func (e *entry) checkBind() error {
	if len(e.Bind) > service.MaxServices {
		return fmt.Errorf("it binds %d names; at most %d are allowed", len(e.Bind), service.MaxServices)
	}
	for alias, to := range e.Bind {
		if err := errors.Join(plugin.CheckName(alias), plugin.CheckName(to)); err != nil {
			return fmt.Errorf("bind.%s: %s", alias, fault.MessageOf(err))
		}
	}
	return nil
}

// bindable refuses names by which the module calls nobody.
func (w *work) bindable(wants asked) error {
	services, _ := servicesOf(wants.grant)
	for _, alias := range slices.Sorted(maps.Keys(w.want.Bind)) {
		if services[alias] == "" {
			return undeclared("bind."+alias, alias, slices.Sorted(maps.Keys(services)))
		}
	}
	return nil
}

// bind has names stand for what the file says: before another version serves those that
// are known, so that it never calls whom its manifest says, and after it the others. Names
// that are bound no more are so until it serves.
func (w *work) bind(ctx context.Context, c *client.Client, before bool) error {
	var b adminapi.Bindings
	for alias, to := range w.want.Bind {
		if w.have.bound[alias] != to && w.have.names(alias) == before {
			if b.Bind == nil {
				b.Bind = map[string]string{}
			}
			b.Bind[alias] = to
		}
	}
	for alias := range w.have.bound {
		if _, wanted := w.want.Bind[alias]; !wanted && !before && w.have.names(alias) {
			b.Unbind = append(b.Unbind, alias)
		}
	}
	if len(b.Bind)+len(b.Unbind) == 0 {
		return nil
	}
	slices.Sort(b.Unbind)
	_, err := c.Bind(ctx, w.name, b)
	return err
}
