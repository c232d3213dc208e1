package hiding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	capblind "github.com/wasmoor/wasmoor/host/internal/capability/blind"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Manifests are those of versions.
type Manifests interface {
	Manifest(ctx context.Context, name string, number int) (*manifest.Manifest, error)
}

// Declared refuses vars that neither the newest version nor the one that
// serves would ever read: a name with a slip in it would otherwise be kept
// without a word. It returns those that one of the two calls a secret, and a blind
// one.
func Declared(ctx context.Context, all Manifests, p plugin.Plugin, set map[string]string) (secrets, blind map[string]bool, err error) {
	declared, secrets, blind := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, version := range []int{p.Versions, p.Active} {
		if version == 0 || len(set) == 0 {
			continue
		}
		m, err := all.Manifest(ctx, p.Name, version)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range m.Vars {
			declared[v.Name] = true
			secrets[v.Name] = secrets[v.Name] || v.Secret
			blind[v.Name] = blind[v.Name] || v.Blind != ""
			if value, given := set[v.Name]; given && v.Blind != "" {
				if why := capblind.Check(v, value); why != "" {
					return nil, nil, fault.New(fault.Invalid, "", fmt.Sprintf("the value of the blind secret %s is not taken: %s", v.Name, why))
				}
			}
		}
	}
	for key := range set {
		if !declared[key] {
			return nil, nil, fault.New(fault.NotFound, "", fmt.Sprintf("plugin %q declares no variable %q in [config] of its manifest; it declares: %s",
				p.Name, key, cmp.Or(strings.Join(slices.Sorted(maps.Keys(declared)), ", "), "none")))
		}
	}
	return secrets, blind, nil
}
