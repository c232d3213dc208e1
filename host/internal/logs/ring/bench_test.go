package ring_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
)

// BenchmarkLine is what a line of a guest costs in the server's log alone, and in the
// plugin's ring too.
func BenchmarkLine(b *testing.B) {
	server := slog.New(slog.DiscardHandler)
	f := ring.Open(ring.Config{Dir: b.TempDir(), Log: server})
	defer func() { _ = f.Close(context.Background()) }()
	f.Ring("shop")
	for name, log := range map[string]*slog.Logger{"server": server, "server and ring": f.Logger(server)} {
		log = log.With("plugin", "shop", "version", 3)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(context.Background(), slog.LevelInfo, "an order was placed", slog.String("request_id", "01M8JWF8DNSCBMNWHH5CH9JFN7"),
					slog.GroupAttrs("guest", slog.String("user", "17"), slog.String("total", "12.50")))
			}
		})
	}
}
