package abitest

import (
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

// TestScriptsCoverTheFunctions finds a call of each function that is answered,
// and one for each status that the list says it may return.
func TestScriptsCoverTheFunctions(t *testing.T) {
	scripts, err := Load("../testdata/calls")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[abi.Status]bool{}
	for _, s := range scripts {
		for _, i := range s.Invocations {
			for _, c := range slices.Concat(i.Calls, i.Meanwhile) {
				if seen[c.Function.Name] == nil {
					seen[c.Function.Name] = map[abi.Status]bool{}
				}
				seen[c.Function.Name][abi.Status(min(c.Result.Value, 0))] = true
			}
		}
	}
	for _, f := range abi.Functions() {
		statuses := append([]abi.Status{abi.OK}, f.Errors...)
		if f.Always()[0] == abi.BadPointer {
			statuses = append(statuses, abi.BadPointer)
		}
		for _, s := range statuses {
			if !seen[f.Name][s] {
				t.Errorf("no script has %s return %v", f.Name, s)
			}
		}
	}
}
