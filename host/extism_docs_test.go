package host

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// documentedFunctions returns the signatures of EXTISM.md by module and name. A
// row without a signature starts a module.
func documentedFunctions(t *testing.T) map[string]string {
	t.Helper()
	functions := map[string]string{}
	module := ""
	for line := range strings.Lines(read(t, "docs/EXTISM.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name, signature := strings.Trim(cells[1], " `"), strings.Trim(cells[2], " `")
		if signature == "" {
			module = name
			continue
		}
		functions[module+"."+name] = signature
	}
	return functions
}

func TestExtismFunctionsAreTheCode(t *testing.T) {
	documented := documentedFunctions(t)
	for _, f := range extism.Functions(capabilities.All(capabilities.Config{}).Extism()) {
		if f.Module != capability.ExtismEnv && f.Module != capability.ExtismUser {
			continue
		}
		name, want := f.Module+"."+f.Name, wasmbin.FuncType{Params: f.Params, Results: f.Results}.String()
		if got := documented[name]; got != want {
			t.Errorf("EXTISM.md says that %s is %q, but it is %q", name, got, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("EXTISM.md has %s, which is not there", name)
	}
}
