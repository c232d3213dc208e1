package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// state is what a plugin is on the server. The zero state is of one that is not there.
type state struct {
	there    bool
	active   int // the version that serves; 0 = none
	digest   string
	mount    string
	rolling  bool
	versions []adminapi.Version // the newest first
	limits   adminapi.Limits
	cors     *adminapi.CORS
	declared asked             // by the newest version; without its grant
	vars     map[string]string // those that are set and no secrets
	secrets  []string          // those that are set, and that the newest version declares

	egressOff bool              // of this plugin, whatever holds for all
	pause     *pause            // nil = none
	bound     map[string]string // what names stand for that an operator has bound
}

func look(ctx context.Context, c *client.Client, it adminapi.Plugin) (s state, err error) {
	s = state{there: true, active: it.Version, digest: it.Digest, mount: strings.Join(it.Mount, " "), rolling: it.Rollout != "", vars: map[string]string{}}
	s.egressOff = it.EgressOff != nil && it.EgressOff.Own
	if p := it.Paused; p != nil {
		s.pause = &pause{p.Writes, int64(p.RetryAfter)}
	}
	if s.versions, err = c.Versions(ctx, it.Name); err != nil {
		return s, err
	}
	_, s.bound = split(it.Calls)
	maps.DeleteFunc(s.bound, func(alias, _ string) bool { return !s.names(alias) })
	shown, err := c.Limits(ctx, it.Name)
	if err != nil {
		return s, err
	}
	s.limits = shown.Operator
	switch policy, err := c.CORS(ctx, it.Name); {
	case err == nil:
		s.cors = &policy
	case fault.CodeOf(err) != fault.NotFound:
		return s, err
	}
	vars, err := c.Vars(ctx, it.Name)
	if err != nil {
		return s, err
	}
	for _, v := range vars {
		s.note(v)
	}
	secrets, err := c.Secrets(ctx, it.Name)
	for _, v := range secrets {
		if v.State == adminapi.SecretSet && v.Description != adminapi.Undeclared {
			s.secrets = append(s.secrets, v.Name)
		}
	}
	return s, err
}

func (s *state) note(v adminapi.Var) {
	if v.Description == adminapi.Undeclared {
		return // an older version's
	}
	if v.Required && v.Default == nil {
		s.declared.needed = append(s.declared.needed, v.Name)
	}
	if v.Secret {
		s.declared.secrets = append(s.declared.secrets, v.Name)
		return
	}
	s.declared.vars = append(s.declared.vars, v.Name)
	if v.Set {
		s.vars[v.Name] = v.Value
	}
}

// version returns the newest version with a module.
func (s *state) version(digest string) (adminapi.Version, bool) {
	i := slices.IndexFunc(s.versions, func(v adminapi.Version) bool { return v.Digest == digest })
	if s.active != 0 && s.digest == digest { // the one that serves, if several have it
		i = slices.IndexFunc(s.versions, func(v adminapi.Version) bool { return v.Number == s.active })
	}
	if i < 0 {
		return adminapi.Version{}, false
	}
	return s.versions[i], true
}

// ask returns what a version asks for. declares says whether it is known which vars it
// has, which is so for the newest version.
func (s *state) ask(v adminapi.Version) (a asked, declares bool) {
	a = s.declared
	a.grant = v.Ask
	return a, v.Number == s.versions[0].Number
}

// readModule returns the module that a file names, whose digest is as it says.
func (e *entry) readModule() ([]byte, error) {
	module, err := cli.ReadRegular(e.module, "read the module", limit.Module)
	if err == nil && string(plugin.DigestOf(module)) != e.Digest {
		err = fault.New(fault.Invalid, "read the module", fmt.Sprintf("%s is %s, and digest says %s", e.module, plugin.DigestOf(module), e.Digest))
	}
	return module, err
}

// members returns a grant's members as text, the same for those of a file, a module
// and the API.
func members(grant map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range grant {
		text, _ := json.Marshal(value) // of TOML or JSON
		out[name] = string(text)
	}
	return out
}

// bothKeys lists the keys of two maps, sorted.
func bothKeys[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
