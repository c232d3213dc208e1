package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Encoded slashes are taken by the routes that say so, of either ABI, and by no whole
// mount.
func TestEncodedSlashes(t *testing.T) {
	for name, text := range map[string]string{
		"native": "[[route]]\npattern = \"GET /a\"\n[[route]]\npattern = \"GET /b/{x}\"\nencoded_slashes = true\n",
		"extism": "abi = \"extism\"\n[[route]]\npattern = \"GET /a\"\nexport = \"a\"\n[[route]]\npattern = \"GET /b/{x}\"\nhandler = \"b\"\nencoded_slashes = true\n",
	} {
		m, err := manifest.Parse([]byte("manifest_version = 1\nname = \"a\"\n"+text), "f.toml", nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.Route(0).EncodedSlashes || !m.Route(1).EncodedSlashes || m.Route(-1).EncodedSlashes || m.Route(2).EncodedSlashes {
			t.Errorf("%s: other routes than the second take them", name)
		}
		if diff := cmp.Diff([]string{"GET /b/{x}"}, m.EncodedSlashes()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
