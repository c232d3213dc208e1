package registry

import (
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// MaxVars bounds the names and values of a plugin's vars together, in bytes. A
// record holds them once, and escaped they stay below store.MaxValue.
const MaxVars = 128 << 10

// vars returns vars with c's changes, leaving those given as they are.
func (c Change) vars(vars map[string]string) (map[string]string, error) {
	if len(c.Set) == 0 && len(c.Unset) == 0 {
		return vars, nil
	}
	next := make(map[string]string, len(vars)+len(c.Set))
	maps.Copy(next, vars)
	for _, name := range c.Unset {
		delete(next, name)
	}
	maps.Copy(next, c.Set)
	return next, checkVars(next)
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
	if size > MaxVars {
		return badVar(fmt.Sprintf("the vars of a plugin may hold %s together, not %d bytes", limit.FormatSize(MaxVars), size))
	}
	return nil
}

func badVar(message string) error { return fault.New(fault.Invalid, "set a var", message) }
