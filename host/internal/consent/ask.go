package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Ask is a part of how what a version asks for differs from what its plugin has.
type Ask struct {
	What   string // for a person
	Reason string // the author's; "" = none
	Less   bool   // the plugin has it, and the version does not ask for it
	// Reaches is the plugin that may be called by it; "" = none is.
	Reaches string
}

// String returns a for a person, without its sign.
func (a Ask) String() string {
	if a.Reason == "" {
		return a.What
	}
	return fmt.Sprintf("%s (%q)", a.What, a.Reason)
}

// signed is String with a sign in front.
func (a Ask) signed() string {
	if a.Less {
		return "- " + a.String()
	}
	return "+ " + a.String()
}

// Has returns what a plugin may use with a version: what was granted, and what the version
// had once. So a plugin goes back without being asked for anything, unless somebody has
// rejected the version since.
func Has(p plugin.Plugin, v plugin.Version) plugin.Grant {
	if v.Approved {
		return p.Grant.Union(v.Ask)
	}
	return p.Grant
}

// Asks lists how what a version asks for, whose manifest is m, differs from what was
// granted: first what is more, then what the plugin would give back.
func Asks(p plugin.Plugin, v plugin.Version, m *manifest.Manifest, all capability.List) (list []Ask) {
	list = granted(v.Ask.Beyond(p.Grant), m)
	for _, mount := range v.Mount.Foreign(p.Name, p.Mount) {
		list = append(list, Ask{What: "mount " + string(mount)})
	}
	for _, e := range p.Grant.Beyond(all.Keeps(p.Grant, v.Ask)) {
		list = append(list, Ask{What: e.Than("from then on"), Less: true})
	}
	return list
}

// granted lists what is more than was granted.
func granted(more []plugin.Excess, m *manifest.Manifest) (list []Ask) {
	for _, e := range more {
		list = append(list, Ask{What: e.Than("granted"), Reason: m.Reason(e), Reaches: e.Reaches})
	}
	return list
}

// InWords lists what a manifest asks for, each with its reason.
func InWords(m *manifest.Manifest) (list []string) {
	for _, e := range m.Ask().Beyond(plugin.Grant{}) {
		list = append(list, Ask{What: e.What, Reason: m.Reason(e)}.String())
	}
	return list
}

// Waits reports whether a version waits for an approval.
func Waits(p plugin.Plugin, v plugin.Version) bool {
	return v.Rejected == nil && wants(p, v)
}

// Digest stands for all that is approved with a version of a plugin: which module, to
// serve where, with which differences. It changes when any of them does.
func Digest(p plugin.Plugin, v plugin.Version, asks []Ask) string {
	text, _ := json.Marshal(struct { // of strings and numbers: it cannot fail
		Space   uint64
		Version int
		Module  plugin.Digest
		Mount   plugin.Mounts
		Asks    []Ask
	}{p.Space, v.Number, v.Digest, v.Mount, asks})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Check returns an error unless the digest that an approver saw is that of what a version
// asks for now. Errors: Conflict (it asks for something else, waits for no approval, or was
// rejected).
func Check(p plugin.Plugin, v plugin.Version, m *manifest.Manifest, all capability.List, seen string) error {
	if err := v.Refusal(p.Name); err != nil {
		return err
	}
	if !Waits(p, v) {
		return fault.New(fault.Conflict, "", fmt.Sprintf(
			"version %d of plugin %q waits for no approval; to let it serve run: wasmoor activate %s %[1]d", v.Number, p.Name, p.Name))
	}
	asks := Asks(p, v, m, all)
	if Digest(p, v, asks) == seen {
		return nil
	}
	lines := make([]string, len(asks))
	for i, a := range asks {
		lines[i] = "\n  " + a.signed()
	}
	return fault.New(fault.Conflict, "", fmt.Sprintf(
		"what version %d of plugin %q asks for is not what was shown to you; it is now:%s\nto grant that run: wasmoor approve %[2]s %[1]d", v.Number, p.Name, strings.Join(lines, "")))
}
