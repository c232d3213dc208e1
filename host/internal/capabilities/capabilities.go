// Package capabilities is the list of what plugins may be given. A capability is
// added to the host here and nowhere else. Package host and the command line
// import it, and hand the list to the engines, the registry and deploy.
package capabilities

import (
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/blind"
	"github.com/wasmoor/wasmoor/host/internal/capability/blobs"
	"github.com/wasmoor/wasmoor/host/internal/capability/config"
	"github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/capability/exchange"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/log"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/capability/password"
	"github.com/wasmoor/wasmoor/host/internal/capability/queue"
	capservice "github.com/wasmoor/wasmoor/host/internal/capability/service"
	"github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/capability/system"
	"github.com/wasmoor/wasmoor/host/internal/capability/toolchain"
	"github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/capability/webhook"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// Config is what the operator decides about capabilities, for all plugins. The
// zero value is safe.
type Config struct {
	Network egress.Network // what the plugins' calls reach; the zero value is the public network
	Places  int            // guests that compute at a time; 0 = one
	Call    service.Runner // runs calls of plugins to each other; nil = nobody does
	Receive service.Finder // finds whom plugins send messages; nil = nobody does
	Sockets socket.Hub     // what has the sockets; nil = there are none
	Blobs   *blob.Store    // has the bytes of blobs; nil = there are none
}

// All returns every capability.
func All(cfg Config) capability.List {
	return capability.List{
		exchange.Unit(),
		kv.Unit(),
		sql.Unit(),
		blobs.Unit(cfg.Blobs),
		queue.Unit(),
		webhook.Unit(),
		cron.Unit(),
		socket.Unit(cfg.Sockets),
		socket.Topics(),
		upload.Unit(),
		outbound.Unit(cfg.Network),
		blind.Unit(),
		capservice.Unit(cfg.Call, cfg.Receive),
		config.Unit(),
		log.Unit(),
		system.Unit(),
		password.Unit(cfg.Places),
		wasi.Unit(),
		toolchain.Unit(),
	}
}

// Sections returns the tables that capabilities have in a manifest.
func Sections() []manifest.Section { return All(Config{}).Sections() }
