package host

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/database"
)

// SecretsKeyFile returns the path of the key of the secrets under a data directory.
func SecretsKeyFile(dataDir string) string { return filepath.Join(dataDir, "secrets.key") }

// ring returns the keys that secrets are sealed with.
func (c Config) ring() (*secret.Ring, error) {
	if c.SecretsKey != "" {
		return secret.Parse(c.SecretsKey, cmp.Or(c.SecretsKeySource, "SecretsKey"))
	}
	return secret.Load(c.secretsKeyFile(), true)
}

func (c Config) secretsKeyFile() string {
	return cmp.Or(c.SecretsKeyFile, SecretsKeyFile(c.DataDir))
}

// openRegistry opens the store and the registry in it. Where that has sealed secrets
// that lay in the open, it has the store take the old records off the disk too.
func (h *Host) openRegistry(ctx context.Context, all capability.List) (*registry.Registry, error) {
	ring, err := h.cfg.ring()
	if err != nil {
		return nil, err
	}
	reg, u, err := h.openStore(ctx, all, ring)
	if err != nil || u.Sealed == 0 {
		return reg, err
	}
	h.cfg.Log.Info("secrets that lay in the open are sealed now, and the store is compacted, once", "values", u.Sealed)
	if err := h.store.Close(); err != nil {
		return nil, err
	}
	if err := ship.Break(h.cfg.DataDir); err != nil {
		return nil, err
	}
	if err := database.Compact(storeConfig(h.cfg).Dir); err != nil {
		h.cfg.Log.Warn("the store could not be compacted: it holds old records with secrets in the open until a compaction comes by; change those secrets", "error", err)
	}
	reg, _, err = h.openStore(ctx, all, ring)
	return reg, err
}

// openStore opens both, and tells of secrets that cannot be opened: only the plugins
// that need them do not serve.
func (h *Host) openStore(ctx context.Context, all capability.List, ring *secret.Ring) (reg *registry.Registry, u registry.Unlocked, err error) {
	if h.store, err = badger.Open(storeConfig(h.cfg)); err != nil {
		return nil, u, err
	}
	if reg, err = registry.Open(ctx, h.store, modulesDir(h.cfg), h.cfg.Clock, all); err != nil {
		return nil, u, err
	}
	if u, err = reg.Unlock(ctx, ring); err != nil {
		return nil, u, err
	}
	for name, lost := range u.Lost {
		h.cfg.Log.Error("secrets cannot be opened; give the server back the key they were sealed with, or set them again with: wasmoor secret set",
			"plugin", name, "secrets", strings.Join(lost, " "), "key", ring.Current(), "from", ring.Source())
	}
	if ring.Old() {
		h.cfg.Log.Info("every secret that can be opened is sealed with the newest key; the older keys may go", "key", ring.Current(), "from", ring.Source())
	}
	return reg, u, nil
}

// ResetOwner puts a new token of the owner into a token file that there is, in place
// of the one there. A host that runs takes it from then on. Errors: NotFound,
// Internal.
func ResetOwner(file string) error { return auth.ResetFile(file) }
