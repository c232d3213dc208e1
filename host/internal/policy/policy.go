// Package policy reads the file in which an operator says what is approved without
// asking anybody, and who may not approve. Packages consent and host import it.
package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// Bounds of a policy.
const (
	MaxFile  = 64 << 10 // bytes
	MaxRules = 100
	MaxList  = 100 // hosts, and mounts, of a rule
)

// Policy is what an operator has decided about approvals. nil is that of an operator
// who has decided nothing.
type Policy struct {
	separate bool
	rules    []rule
	says     string
}

// rule approves what plugins ask for, up to something.
type rule struct {
	plugins  auth.Pattern
	hosts    []host
	quota    kv.Terms
	stateful bool
	mounts   []string // patterns of path.Match
}

// host is an origin, or with below all origins of names below that of one.
type host struct {
	origin string
	below  bool
}

// file is how a policy is written.
type file struct {
	SeparateApprover bool      `toml:"separate_approver"`
	Approve          []written `toml:"approve"`
}

type written struct {
	Plugins           string   `toml:"plugins"`
	Hosts             []string `toml:"hosts"`
	KVKeys            int64    `toml:"kv_keys"`
	KVBytes           string   `toml:"kv_bytes"`
	InstanceIsolation bool     `toml:"instance_isolation"`
	Mounts            []string `toml:"mounts"`
}

// The keys of a policy, and of a rule.
var (
	keys     = []string{"separate_approver", "approve"}
	ruleKeys = []string{"plugins", "hosts", "kv_keys", "kv_bytes", "instance_isolation", "mounts"}
)

// Load reads the policy of a file; nil where name is "". Errors: Invalid.
func Load(name string) (*Policy, error) {
	if name == "" {
		return nil, nil
	}
	wrong := func(why string) (*Policy, error) { return nil, invalid("policy file %s: %s", name, why) }
	f, err := durable.OpenRegular(name)
	switch {
	case errors.Is(err, durable.ErrNotRegular):
		return wrong(durable.ErrNotRegular.Error())
	case err != nil:
		return wrong("it cannot be read: " + errors.Unwrap(err).Error())
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return wrong("it cannot be read")
	}
	p, err := Parse(text)
	if err != nil {
		return wrong(fault.MessageOf(err))
	}
	p.says = fmt.Sprintf("%s (%d rules, sha256 %.12x)", name, len(p.rules), sha256.Sum256(text))
	return p, nil
}

// Parse reads a policy. Errors: Invalid.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxFile {
		return nil, invalid("it has more than %s", limit.FormatSize(MaxFile))
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, problem(err)
	}
	if len(f.Approve) > MaxRules {
		return nil, invalid("%d rules are above the maximum of %d", len(f.Approve), MaxRules)
	}
	p := &Policy{separate: f.SeparateApprover}
	for i, w := range f.Approve {
		r, err := w.rule()
		if err != nil {
			return nil, invalid("rule %d: %s", i+1, fault.MessageOf(err))
		}
		p.rules = append(p.rules, r)
	}
	return p, nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf(format, args...))
}

// problem words what the decoder refuses.
func problem(err error) error {
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		key, known := first.Key(), keys
		if len(key) > 1 {
			known = ruleKeys
		}
		last := key[len(key)-1]
		hint := "known keys: " + strings.Join(known, ", ")
		if near := spelling.Nearest(last, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		row, _ := first.Position()
		return invalid("line %d: unknown key %.64q; %s", row, last, hint)
	}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, _ := at.Position()
		return invalid("line %d: %s", row, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return invalid("%s", strings.TrimPrefix(err.Error(), "toml: "))
}

func (w written) rule() (r rule, err error) {
	if w.Plugins == "" {
		return r, invalid(`plugins is missing; name those the rule is for, e.g. plugins = "shop-*"`)
	}
	if r.plugins, err = auth.ParsePattern(w.Plugins); err != nil {
		return r, err
	}
	if len(w.Hosts) > MaxList || len(w.Mounts) > MaxList {
		return r, invalid("hosts and mounts may have at most %d items each", MaxList)
	}
	for _, text := range w.Hosts {
		h, err := parseHost(text)
		if err != nil {
			return r, err
		}
		r.hosts = append(r.hosts, h)
	}
	for _, text := range w.Mounts {
		if _, err := plugin.ParseMount(strings.ReplaceAll(text, "*", "x")); err != nil || strings.ContainsAny(text, `?[\`) {
			return r, invalid("%.64q is no pattern of mounts: write a path such as /shop-*, in which * stands for any characters but /", text)
		}
		r.mounts = append(r.mounts, text)
	}
	if w.KVKeys < 0 {
		return r, invalid("kv_keys must be at least 0; 0 = as many as any plugin has")
	}
	if w.KVBytes != "" {
		if r.quota.Bytes, err = limit.ParseSize(w.KVBytes); err != nil {
			return r, invalid("kv_bytes: %s", err)
		}
	}
	r.quota.Keys, r.stateful = w.KVKeys, w.InstanceIsolation
	return r, nil
}

func parseHost(text string) (host, error) {
	scheme, name, below := strings.Cut(text, "://*.")
	if !below {
		origin, err := plugin.ParseOrigin(text)
		return host{origin: origin.String()}, err
	}
	origin, err := plugin.ParseOrigin(scheme + "://" + name)
	if err != nil {
		return host{}, invalid("%.64q is no pattern of hosts: write https://api.example.com, or https://*.example.com for all names below: %s", text, fault.MessageOf(err))
	}
	return host{origin.String(), true}, nil
}

// covers reports whether an origin is meant.
func (h host) covers(origin string) bool {
	if !h.below {
		return origin == h.origin
	}
	scheme, name, _ := strings.Cut(h.origin, "://")
	return strings.HasPrefix(origin, scheme+"://") && strings.HasSuffix(origin, "."+name)
}

// Separate reports whether who deployed a version may not approve it.
func (p *Policy) Separate() bool { return p != nil && p.separate }

// Rule returns the number of the first rule, counted from 1, with which a plugin may
// have what a version asks for beyond what it has, and serve at the mounts that need an
// approval; 0 = none does.
func (p *Policy) Rule(name string, has, ask plugin.Grant, mounts []plugin.Mount) int {
	if p == nil {
		return 0
	}
	for i, r := range p.rules {
		if r.plugins.Covers(name) && !slices.ContainsFunc(mounts, r.refuses) && len(has.Union(r.of(ask)).Missing(ask)) == 0 {
			return i + 1
		}
	}
	return 0
}

func (r rule) refuses(mount plugin.Mount) bool {
	for _, pattern := range r.mounts {
		if ok, err := path.Match(pattern, string(mount)); ok && err == nil {
			return false
		}
	}
	return true
}

// of returns what the rule grants of what is asked for. What it has no word for, such as
// a secret that goes to a service, it does not.
func (r rule) of(ask plugin.Grant) plugin.Grant {
	g := plugin.Grant{Stateful: r.stateful}
	if ask.Terms[kv.Name] != nil {
		g = g.With(kv.Name, r.quota)
	}
	asked, _ := ask.Terms[outbound.Name].(outbound.Terms)
	var list []plugin.Origin
	for _, origin := range plugin.Origins(asked).List() {
		for _, h := range r.hosts {
			if h.covers(origin.String()) {
				list = append(list, origin)
				break
			}
		}
	}
	if list != nil {
		g = g.With(outbound.Name, outbound.Terms(plugin.OriginsOf(list)))
	}
	return g
}

// String returns which policy it is, for people.
func (p *Policy) String() string {
	if p == nil {
		return "none"
	}
	return p.says
}
