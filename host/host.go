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
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/serve"
	"github.com/wasmoor/wasmoor/host/internal/server/admin"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/public"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// Host is a platform. Make it with New, serve with Run, and Close it if Run was
// not called. Methods are safe for concurrent use.
type Host struct {
	cfg      Config
	token    auth.Token
	store    *badger.Store
	pipeline *prepare.Pipeline
	deployer *deploy.Deployer
	operator *operate.Operator
	floods   *logs.Floods
	public   *public.Public
	admin    *admin.Admin

	publicListener, adminListener net.Listener

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
	h := &Host{cfg: cfg, started: time.Now()}
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
	if err := checkFormats(h.cfg.DataDir); err != nil {
		return err
	}
	if h.token, _, err = auth.LoadOrCreate(h.TokenFile()); err != nil {
		return err
	}
	if h.store, err = badger.Open(storeConfig(h.cfg)); err != nil {
		return err
	}
	network, err := h.cfg.network()
	if err != nil {
		return err
	}
	all := capabilities.All(capabilities.Config{Network: network})
	reg, err := registry.Open(ctx, h.store, modulesDir(h.cfg), time.Now, all)
	if err != nil {
		return err
	}
	reg.Retain(registry.Retention{Versions: h.cfg.KeepVersions, Deployments: h.cfg.KeepDeployments, Events: h.cfg.KeepEvents})
	h.boundMemory()
	if err := h.openPipeline(reg); err != nil {
		return err
	}
	h.floods = logs.NewFloods(h.cfg.Log)
	h.deployer = deploy.New(deploy.Config{
		GuestLog: h.cfg.GuestLog, Floods: h.floods,
		Caps:  deploy.Caps{Memory: h.cfg.MaxGuestMemory, BodyDisk: h.cfg.MaxBodyDisk, DrainTimeout: h.cfg.DrainTimeout},
		Store: h.store, Registry: reg, Prepare: h.pipeline.Prepare, Clock: time.Now, Log: h.cfg.Log, Capabilities: all,
		SleepAfter: h.cfg.SleepAfter, HandlerMemory: limit.NewBudget(h.cfg.MaxHandlerMemory), Queue: runq.New(processors()),
		Purged: func() { h.sweep(reg) },
	})
	h.operator = operate.New(h.store, reg, h.deployer, time.Now)
	if err := h.deployer.Restore(ctx); err != nil {
		return err
	}
	keepFormats(h.cfg)
	return h.listen()
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

// storeConfig says where the store of a data directory is, and how to open it.
func storeConfig(cfg Config) badger.Config {
	return badger.Config{
		Dir: filepath.Join(cfg.DataDir, "store"), Marker: filepath.Join(cfg.DataDir, "store.id"), Logger: cfg.Log,
		MinFree: cmp.Or(cfg.MinFreeDisk, -1), ScrubEvery: cmp.Or(cfg.ScrubPeriod, -1),
	}
}

func (h *Host) listen() (err error) {
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
	if conns.Max, err = h.connsThatFit(); err != nil {
		return err
	}
	var tlsCert *certificate.Certificate
	if h.cfg.TLSCert != "" {
		if tlsCert, err = certificate.Load(h.cfg.TLSCert, h.cfg.TLSKey, h.cfg.Log); err != nil {
			return err
		}
	}
	spool, err := wire.OpenSpool(wire.SpoolConfig{
		Dir: filepath.Join(h.cfg.DataDir, "spool"), Max: h.cfg.MaxBodyDisk, Health: h.store.Health, Log: h.cfg.Log,
	})
	if err != nil {
		return err
	}
	bodies := limit.NewBudget(h.cfg.MaxBodyMemory)
	health := []wire.Check{{Name: "reads", Healthy: h.store.Readable}, {Name: "writes", Healthy: h.store.Health, Optional: true}}
	h.public = public.New(public.Config{
		Routes: public.DeployedRoutes(h.deployer), Handler: serve.New(h.cfg.Log, serve.Count, serve.Remember), Conns: conns, Health: health, Log: h.cfg.Log, ShowErrors: h.cfg.ShowErrors,
		Access: wire.AccessLog{Log: h.cfg.AccessLog, Every: h.cfg.AccessLogSample, Apart: h.cfg.AccessLogApart},
		Bodies: bodies, ReplyMemory: h.cfg.MaxReplyMemory, Spool: spool, Certificate: tlsCert, TrustedProxies: proxies,
	})
	conns.Max, conns.PerAddress = adminConns, 0
	h.admin = admin.New(admin.Config{
		Deployer: h.deployer, Operator: h.operator, Token: h.token, Conns: conns, Bodies: bodies, Health: health, Log: h.cfg.Log,
		Version: Version(), PublicURL: h.PublicURL(), Started: h.started,
	})
	return nil
}

// The names of the listeners.
const (
	PublicListener = "public"
	AdminListener  = "admin"
)

func (h *Host) listenOn(name, addr string) (net.Listener, error) {
	listen := h.cfg.Listen
	if listen == nil {
		listen = func(_, addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
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
	scheme := "http://"
	if h.cfg.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + h.publicListener.Addr().String()
}

// AdminURL returns where operators reach the admin API.
func (h *Host) AdminURL() string { return "http://" + h.adminListener.Addr().String() }

// Token returns the admin token. Keep it out of logs.
func (h *Host) Token() string { return h.token.Reveal() }

// TokenFile returns the path of the file that holds the admin token.
func (h *Host) TokenFile() string { return TokenFile(h.cfg.DataDir) }

// Version returns the version of the program: its module version, or the commit
// it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
