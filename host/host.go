// Package host is the wasmoor platform as a library: a store, an engine, the
// deployments and two listeners, wired together. It only wires; the parts are
// in internal. Programs that embed it, and cmd/wasmoor, import it.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/access"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/buildinfo"
	"github.com/wasmoor/wasmoor/host/internal/cache"
	"github.com/wasmoor/wasmoor/host/internal/calls"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/cron/ticking"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/deploy/migrating"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/live"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
	"github.com/wasmoor/wasmoor/host/internal/openfiles"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/operate/crons"
	"github.com/wasmoor/wasmoor/host/internal/operate/databases"
	"github.com/wasmoor/wasmoor/host/internal/operate/queues"
	"github.com/wasmoor/wasmoor/host/internal/operate/services"
	"github.com/wasmoor/wasmoor/host/internal/operate/sockets"
	"github.com/wasmoor/wasmoor/host/internal/policy"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/admin"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/public"
	"github.com/wasmoor/wasmoor/host/internal/server/scrape"
	"github.com/wasmoor/wasmoor/host/internal/server/socket"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/socket/hub"
	"github.com/wasmoor/wasmoor/host/internal/spool"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/team"
	"github.com/wasmoor/wasmoor/host/internal/telemetry/traces"
	"github.com/wasmoor/wasmoor/host/internal/transfer"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
	"github.com/wasmoor/wasmoor/host/internal/upload"
	"github.com/wasmoor/wasmoor/host/internal/webhook"
)

// Host is a platform. Make it with New, serve with Run, and Close it if Run was
// not called. Methods are safe for concurrent use.
type Host struct {
	cfg       Config
	token     *auth.File
	access    *access.Access
	store     *badger.Store
	pipeline  *prepare.Pipeline
	deployer  *deploy.Deployer
	databases *database.Service
	operator  *operate.Operator
	rings     *ring.Folder
	floods    *logs.Floods
	tracer    *traces.Tracer // nil = requests are not traced
	backups   backup.Service
	blobs     *keeper.Service
	public    *public.Public
	queues    *delivery.Service
	streams   *stream.Streams
	live      *live.Service
	crons     *ticking.Service
	sockets   *hub.Service
	admin     *admin.Admin

	shipper                                 *ship.Shipper // nil = nothing is shipped
	fenced                                  chan error    // has why the host must not serve any more
	publicListener, adminListener, scraping net.Listener

	// What Reload changes.
	gate                      consent.Gate
	settings                  atomic.Pointer[Config] // that hold now
	reloading                 sync.Mutex
	sampled                   wire.Sample // of the requests, that have a record
	registry                  *registry.Registry
	guests                    linear.Budget // of all plugins' instances
	bodies, replies, handlers *limit.Budget
	teams                     *team.Teams
	spool                     *spool.Spool
	uploads                   *upload.Desk
	memoryLimit               int64                    // Go's, if this host has set it
	certificate               *certificate.Certificate // nil = plain HTTP

	scrapes *scrape.Listener // nil = the metrics have no listener of their own

	started time.Time
	stop    func() error
	doing   atomic.Pointer[string] // what a stop waits for
}

// New opens the data directory, restores every deployment, which its first
// request wakes, and listens on both addresses without serving yet. It sets Go's
// memory limit, unless that is set. Errors by fault code: Invalid (configuration,
// token file, data of a newer format), Unavailable (directory or address in
// use), Exhausted (disk), Internal.
func New(ctx context.Context, cfg Config) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Log = logOf(cfg)
	cfg.AccessLog = cmp.Or(cfg.AccessLog, cfg.Log)
	cfg.GuestLog = cmp.Or(cfg.GuestLog, cfg.Log)
	cfg.TokenFile = cmp.Or(cfg.TokenFile, TokenFile(cfg.DataDir))
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	h := &Host{
		fenced: make(chan error, 1), cfg: cfg, started: time.Now(), guests: linear.NewBudget(cfg.MaxGuestMemory), teams: team.New(),
		bodies: limit.NewBudget(cfg.MaxBodyMemory), replies: limit.NewBudget(cfg.MaxReplyMemory), handlers: limit.NewBudget(cfg.MaxHandlerMemory),
	}
	h.settings.Store(&cfg)
	h.sampled.Set(cfg.AccessLogSample)
	h.stop = sync.OnceValue(h.shutdown)
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// open makes the parts in order of dependency. What it has made when it fails
// is for Close to release.
func (h *Host) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(h.cfg.DataDir, 0o700); err != nil {
		return fault.Wrap(fault.Invalid, "open", fmt.Sprintf("cannot make the data directory %q", h.cfg.DataDir), err)
	}
	if err := CheckFolder(h.cfg.DataDir); err != nil {
		return err
	}
	if h.token, err = auth.OpenFile(h.TokenFile()); err != nil {
		return err
	}
	if err := h.mayOpen(); err != nil {
		return err
	}
	network, err := h.cfg.network()
	if err != nil {
		return err
	}
	h.streams = stream.New(stream.Config{WriteTimeout: h.cfg.WriteTimeout})
	h.sockets = hub.New(hub.Config{Store: func() store.Store { return h.store }, Streams: h.streams, Clock: h.cfg.Clock, Log: h.cfg.Log})
	blobs, err := keeper.Open(h.cfg.DataDir, h.cfg.Blobs, func() error { return h.store.Health() }, h.cfg.MinFreeDisk, h.cfg.Log)
	if err != nil {
		return err
	}
	var between calls.Caller
	all := capabilities.All(capabilities.Config{
		Network: network, Places: processors(), Sockets: h.sockets, Blobs: blobs,
		Call: between.Run, Receive: between.Receive,
	})
	reg, err := h.openRegistry(ctx, all)
	if err != nil {
		return err
	}
	reg.OnAudited(h.audited)
	h.registry = reg
	reg.ShareKeys(h.teams.Shared)
	_ = h.retain(&h.cfg) // it never fails
	if h.access, err = access.Open(ctx, access.Config{Registry: reg, File: h.token, Clock: h.cfg.Clock, Log: h.cfg.Log, Teams: h.teams.Use}); err != nil {
		return err
	}
	h.boundMemory(&h.cfg)
	if err := h.openLogs(ctx, reg); err != nil {
		return err
	}
	if err := h.openPipeline(reg); err != nil {
		return err
	}
	rules, err := policy.Load(h.cfg.Policy)
	if err != nil {
		return err
	}
	h.gate.Use(rules)
	if h.databases, err = migrating.Open(ctx, h.cfg.DataDir, h.store, reg, h.cfg.Clock, h.cfg.Log); err != nil {
		return err
	}
	h.deployer = deploy.New(deploy.Config{
		Canary: h.canary, Gate: &h.gate, Teams: h.teams, Databases: h.databases,
		GuestLog: h.cfg.GuestLog, Floods: h.floods,
		Caps:  caps(&h.cfg),
		Store: h.store, Registry: reg, Prepare: h.pipeline.Prepare, Clock: h.cfg.Clock, Log: h.cfg.Log, Capabilities: all,
		SleepAfter: h.cfg.SleepAfter, HandlerMemory: h.handlers, Queue: runq.New(processors()),
		Purged:  func(name string) { h.purged(reg, name) },
		Changed: func() { h.queues.Refresh(); h.crons.Refresh(); h.live.Refresh(); h.sockets.Refresh() },
	})
	h.operator = operate.New(h.store, reg, h.deployer, h.rings, h.cfg.Clock, all)
	handler, tracer := traces.Handler(h.cfg.Getenv, Version(), public.StatusOf, h.cfg.Log)
	h.tracer = tracer
	between.Use(h.deployer, handler)
	runner := trigger.New(h.deployer, handler)
	h.queues = delivery.New(delivery.Config{
		Store: h.store, Serving: h.deployer.Installed, Run: runner.Run, Send: webhook.New(h.deployer, h.cfg.Clock).Send, Clock: h.cfg.Clock, Log: h.cfg.Log,
	})
	h.crons = ticking.New(ticking.Config{Store: h.store, Serving: h.deployer.Installed, Run: runner.Run, Clock: h.cfg.Clock, Log: h.cfg.Log})
	h.live = live.New(live.Config{Store: h.store, Routes: h.deployer, Handle: handler.Handle, Clock: h.cfg.Clock, Log: h.cfg.Log})
	h.sockets.Start(h.deployer.Installed, runner.Run)
	if err := h.deployer.Restore(ctx); err != nil {
		return err
	}
	keepFormats(h.cfg)
	if h.blobs, err = keeper.Start(ctx, keeper.Config{Blobs: blobs, Store: h.store, Plugins: reg.Plugins, Server: serverName(), Log: h.cfg.Log}); err != nil {
		return err
	}
	if err := h.startShipping(ctx); err != nil {
		return err
	}
	if err := h.openBackups(reg); err != nil {
		return err
	}
	return h.listen(handler, runner.Run)
}

// processors returns how many guests compute at a time: as many as there were
// processors for Go code at the start. The process gets one more, so that what
// is not a guest never waits for one to make room; the operating system shares the
// processors among them.
var processors = sync.OnceValue(func() int {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(n + 1)
	return n
})

// storeMarker is the file with the id of the store.
const storeMarker = "store.id"

// storeConfig says where the store of a data directory is, and how to open it.
func storeConfig(cfg Config) badger.Config {
	return badger.Config{
		Dir: filepath.Join(cfg.DataDir, "store"), Marker: filepath.Join(cfg.DataDir, storeMarker), Logger: cfg.Log,
		Keep:  ship.Kept(cfg.DataDir),
		Clock: cfg.Clock, MinFree: cmp.Or(cfg.MinFreeDisk, -1), ScrubEvery: cmp.Or(cfg.ScrubPeriod, -1),
	}
}

func (h *Host) listen(handler *serve.Handler, run func(context.Context, *trigger.Request) trigger.Outcome) (err error) {
	if h.publicListener, err = h.listenOn(PublicListener, h.cfg.PublicAddr); err != nil {
		return err
	}
	if h.adminListener, err = h.listenOn(AdminListener, h.cfg.AdminAddr); err != nil {
		return err
	}
	proxies, err := h.cfg.trustedProxies()
	if err != nil {
		return err
	}
	conns := wire.Conns{
		HeaderTimeout: h.cfg.HeaderTimeout, BodyTimeout: h.cfg.BodyTimeout,
		WriteTimeout: h.cfg.WriteTimeout, IdleTimeout: h.cfg.IdleTimeout,
		PerAddress: h.cfg.MaxConnsPerIP, Exempt: proxies,
	}
	var streams int
	if conns.Max, streams, err = openfiles.Fit(h.cfg.MaxConns, h.cfg.MaxSockets, 0, h.cfg.Log); err != nil {
		return err
	}
	h.streams.Limit(streams, h.cfg.MaxSocketsPerIP, wire.Networks(proxies).Contain)
	var adminCert *certificate.Certificate
	if h.certificate, adminCert, err = h.cfg.certificates(); err != nil {
		return err
	}
	if h.spool, err = spool.Open(spool.Config{Dir: filepath.Join(h.cfg.DataDir, "spool"), Max: h.cfg.MaxBodyDisk, Health: h.store.Health, Log: h.cfg.Log}); err != nil {
		return err
	}
	if h.uploads, err = upload.Open(upload.Config{Dir: filepath.Join(h.cfg.DataDir, "uploads"), Room: h.spool, Clock: h.cfg.Clock, Log: h.cfg.Log}); err != nil {
		return err
	}
	health := []wire.Check{{Name: "reads", Healthy: h.store.Readable}, {Name: "writes", Healthy: h.store.Health, Optional: true}}
	h.public = public.New(public.Config{
		Routes: public.DeployedRoutes(h.deployer), Handler: handler, Conns: conns, Health: health, Log: h.cfg.Log, Author: h.cfg.Author, ServerTiming: h.cfg.ServerTiming, Sockets: h.sockets,
		Access: wire.AccessLog{Log: h.cfg.AccessLog, Sample: &h.sampled, Apart: h.cfg.AccessLogApart, Agents: h.cfg.AccessLogAgents},
		Live:   h.live, Cache: cache.New(h.store), Streams: h.streams, Uploads: h.uploads, Trigger: run,
		Bodies: h.bodies, Replies: h.replies, Spool: h.spool, Certificate: h.certificate, TrustedProxies: proxies,
	})
	exporter := h.exporter(health)
	if err := h.listenForScrapes(exporter, health); err != nil {
		return err
	}
	conns.Max, conns.PerAddress = openfiles.AdminConns, 0
	allow, err := networks("admin_allow", h.cfg.AdminAllow)
	if err != nil {
		return err
	}
	h.admin = admin.New(admin.Config{
		Backups: &h.backups, Data: transfer.New(transfer.Config{Store: h.store, Blobs: h.blobs.Blobs(), Registry: h.registry, Deployer: h.deployer, Header: BackupFormats(), Shared: h.teams.Shared, Clock: h.cfg.Clock}),
		Certificate: adminCert, Allow: allow,
		Deployer: h.deployer, Operator: h.operator, Queues: queues.New(h.store, h.registry, h.queues, h.cfg.Clock), Crons: crons.New(h.registry, h.crons), Services: services.New(h.registry, h.deployer), Sockets: sockets.New(h.registry, h.sockets), Databases: databases.New(h.store, h.registry, h.databases), Access: h.access, Shares: func(name string) team.Used { return h.teams.Used(name, h.store) }, Token: h.access, Settings: h.cfg.Settings, Conns: conns, Bodies: h.bodies, Health: health, Log: h.cfg.Log,
		Shipping: h.shippingStatus, Metrics: exporter, Version: Version(), PublicURL: h.PublicURL(), Started: h.started,
	})
	return nil
}

// The names of the listeners.
const (
	PublicListener  = "public"
	AdminListener   = "admin"
	MetricsListener = "metrics"
)

func (h *Host) listenOn(name, addr string) (net.Listener, error) {
	listen := h.cfg.Listen
	if listen == nil {
		listen = func(_, addr string) (net.Listener, error) { return socket.Listen(addr) }
	}
	ln, err := listen(name, addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "listen", fmt.Sprintf(
			"cannot listen on %s for the %s listener; is another process using it?", addr, name), err)
	}
	return ln, nil
}

// PublicURL returns where clients reach the plugins, without a trailing slash.
func (h *Host) PublicURL() string {
	return urlOf(h.publicListener, h.cfg.TLSCert != "")
}

// AdminURL returns where operators reach the admin API: unix:// and a path where it
// is a socket of the file system.
func (h *Host) AdminURL() string { return urlOf(h.adminListener, h.cfg.AdminTLSCert != "") }

func urlOf(ln net.Listener, tls bool) string {
	scheme := "http://"
	if addr := ln.Addr(); addr.Network() == "unix" {
		scheme = "unix://"
	} else if tls {
		scheme = "https://"
	}
	return scheme + ln.Addr().String()
}

// Token returns the token of the machine's owner; "" when its file cannot be read.
// Keep it out of logs.
func (h *Host) Token() string {
	token, _ := h.token.Token()
	return token.Reveal()
}

// TokenFile returns the path of the file that holds the admin token.
func (h *Host) TokenFile() string { return h.cfg.TokenFile }

// Version returns the version of the program: its module version, or the commit
// it was built from.
func Version() string { return buildinfo.Read().Version }
