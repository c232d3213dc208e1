// Package vars changes the vars and secrets of a plugin, within their bounds. Only
// package registry imports it.
package vars

import (
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Max bounds the names and values of a plugin's vars together, in bytes. A
// record holds them once, and escaped they stay below store.MaxValue.
const Max = 128 << 10

// Change says what is set and removed.
type Change struct {
	Set           map[string]string
	Secret, Blind map[string]bool // of Set; what is so already stays so
	Unset         []string
}

// Of returns p with the changes. Errors: Invalid.
func (c Change) Of(p plugin.Plugin) (plugin.Plugin, error) {
	if len(c.Set) == 0 && len(c.Unset) == 0 {
		return p, nil
	}
	vars, secrets := make(map[string]string, len(p.Vars)+len(c.Set)), make(map[string]plugin.Secret, len(p.Secrets)+len(c.Set))
	maps.Copy(vars, p.Vars)
	maps.Copy(secrets, p.Secrets)
	for _, name := range c.Unset {
		delete(vars, name)
		delete(secrets, name)
	}
	for name, value := range c.Set {
		if before, sealed := secrets[name]; sealed || c.Secret[name] {
			delete(vars, name)
			secrets[name] = plugin.Secret{Value: plugin.Hidden(value), Blind: before.Blind || c.Blind[name]}
		} else {
			vars[name] = value
		}
	}
	p.Vars, p.Secrets = unlessEmpty(vars), unlessEmpty(secrets)
	return p, checkVars(p.Values())
}

// unlessEmpty returns nil for an empty map, as records are read.
func unlessEmpty[T any](m map[string]T) map[string]T {
	if len(m) == 0 {
		return nil
	}
	return m
}

// checkVars refuses what a manifest cannot name, what JSON cannot hold, and
// more than a record can.
func checkVars(vars map[string]string) error {
	size := 0
	for name, value := range vars {
		size += len(name) + len(value)
		if err := manifest.CheckVar(name); err != nil {
			return err
		}
		if !utf8.ValidString(value) {
			return badVar(fmt.Sprintf("the value of var %q is not UTF-8 text; encode it, e.g. as base64", name))
		}
	}
	if size > Max {
		return badVar(fmt.Sprintf("the vars of a plugin may hold %s together, not %d bytes", limit.FormatSize(Max), size))
	}
	return nil
}

func badVar(message string) error { return fault.New(fault.Invalid, "set a var", message) }

// Sealed returns p with those of its vars among its secrets that are some.
func Sealed(p plugin.Plugin, secret func(string) bool) (next plugin.Plugin, n int) {
	next = p
	next.Vars, next.Secrets = maps.Clone(p.Vars), maps.Clone(p.Secrets)
	if next.Secrets == nil {
		next.Secrets = map[string]plugin.Secret{}
	}
	for name, value := range p.Vars {
		if secret(name) {
			next.Secrets[name] = plugin.Secret{Value: plugin.Hidden(value)}
			delete(next.Vars, name)
			n++
		}
	}
	if n == 0 {
		return p, 0
	}
	next.Vars = unlessEmpty(next.Vars)
	return next, n
}
