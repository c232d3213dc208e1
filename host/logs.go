package host

import (
	"context"
	"path/filepath"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// openLogs has what is logged of each plugin from now on kept in the plugin's ring.
func (h *Host) openLogs(ctx context.Context, reg *registry.Registry) error {
	plugins, err := reg.Plugins(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(plugins))
	for i, p := range plugins {
		names[i] = p.Name
	}
	h.rings = ring.Open(ring.Config{
		Dir: filepath.Join(h.cfg.DataDir, "logs"), Log: h.cfg.Log,
		Full: func() bool { return fault.CodeOf(h.store.Health()) == fault.Exhausted },
	})
	if err := h.rings.Retain(names); err != nil {
		h.cfg.Log.Warn("log lines of purged plugins are not all removed yet", "error", err)
	}
	h.floods = logs.NewFloods(h.cfg.Log, h.rings)
	h.cfg.Log, h.cfg.GuestLog = h.rings.Logger(h.cfg.Log), h.rings.Logger(h.cfg.GuestLog)
	return nil
}

// purged removes what the host keeps of a purged plugin outside the store.
func (h *Host) purged(reg *registry.Registry, name string) {
	if err := h.rings.Remove(name); err != nil {
		h.cfg.Log.Warn("the log lines of a purged plugin are not all removed yet", "name", name, "error", err)
	}
	h.uploads.Purge(name)
	h.sweep(reg)
}
