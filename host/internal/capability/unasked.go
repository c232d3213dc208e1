package capability

import (
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Unasked says for whoever deploys a module which host functions will refuse what it
// asks, because its manifest has no table for them; imports reports what it imports. It
// is no error: a function that is imported may never be called.
func (l List) Unasked(m *manifest.Manifest, imports func(module, name string) bool) (notices []string) {
	for _, u := range l {
		if u.Read == nil || m.Ask().Terms[u.Name] != nil || m.Settings(u.Name) != nil {
			continue
		}
		for _, f := range append(slices.Clip(u.Native), u.Extism...) {
			if imports(f.Module, f.Name) {
				notices = append(notices, fmt.Sprintf("the module imports %s, and its manifest asks for nothing under [%s]: such calls are refused; add the table to wasmoor.toml", f.Name, u.Name))
				break
			}
		}
	}
	return notices
}
