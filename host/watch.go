package host

import (
	"context"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/folder"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// watch deploys what lies in Config.Watch until ctx ends or done is called.
func (h *Host) watch(ctx context.Context) (done func()) {
	if h.cfg.Watch == "" {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		folder.New(folder.Config{
			Dir: h.cfg.Watch, Deploy: h.deployer.Deploy, Log: h.cfg.Log,
			Known: func(ctx context.Context, name string, module plugin.Digest) (bool, error) {
				all, err := h.registry.Versions(ctx, name)
				return slices.ContainsFunc(all, func(v plugin.Version) bool { return v.Digest == module }), err
			},
		}).Watch(ctx)
	}()
	return func() { stop(); <-ended }
}
