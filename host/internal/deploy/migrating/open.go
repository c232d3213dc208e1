package migrating

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Open returns what works on the databases of plugins, and puts right what a server that
// was killed has left in the middle. Its files are in a folder of the data folder.
func Open(ctx context.Context, data string, s store.Store, reg *registry.Registry, clock func() time.Time, log *slog.Logger) (*database.Service, error) {
	service := database.New(database.Config{Store: s, Dir: filepath.Join(data, "databases"), Clock: clock, Log: log})
	service.Clean()
	plugins, err := reg.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range plugins {
		if err := service.Recover(ctx, p.Name, store.Space(p.Keys())); err != nil { // it keeps nobody else from serving
			log.Error("a database that was being worked on is not put right yet: it takes no writes until that is done, which is tried again", "plugin", p.Name, "error", err)
		}
	}
	return service, nil
}
