package host

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Pack returns module with the manifest text (TOML or JSON) in its custom
// section, in place of one that is there. Both are checked; errors are Invalid
// faults.
func Pack(module, text []byte) ([]byte, error) {
	if _, err := manifest.Parse(text, manifest.FileName); err != nil {
		return nil, err
	}
	return wasmbin.WithCustomSection(module, abi.ManifestSection, text)
}
