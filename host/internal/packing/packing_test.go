package packing

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// TestPackExtismRoutes packs plugins of several toolchains: what compilers
// export beside the author's functions is not for clients.
func TestPackExtismRoutes(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/extism/go-sdk").Output()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		"count_vowels":  {"POST /count_vowels"},                // Rust
		"var":           {"POST /run_test"},                    // TinyGo, with its scheduler
		"read_write":    {"POST /try_read", "POST /try_write"}, // Go
		"hello_haskell": {"POST /testing"},                     // returns nothing
		"std_command":   {"POST /_start"},                      // main alone
		"exit":          {"POST /_start"},
	} {
		module, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "wasm", file+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		packed, err := Extism(module, []byte(`{}`), "x")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		text, _, err := wasmbin.CustomSection(packed, abi.ManifestSection)
		if err != nil {
			t.Fatal(err)
		}
		m, err := manifest.Parse(text, manifest.FileName, capabilities.Sections())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, m.Patterns()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
