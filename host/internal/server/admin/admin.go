// Package admin is the listener operators use, with its API. No type of Fiber,
// fasthttp or huma leaves it. Only package host imports it.
package admin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/server/certificate"
	"github.com/wasmoor/wasmoor/host/internal/server/vitals"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/team"
)

// Deployer changes what serves. Safe for concurrent use. Errors are faults;
// package deploy documents them.
type Deployer interface {
	Rollouts
	Incident
	Deploy(ctx context.Context, up deploy.Upload) (deploy.Changed, error)
	Activate(ctx context.Context, name string, version int, mount string, grant, force bool, by string) (deploy.Changed, error)
	Approve(ctx context.Context, name string, version int, seen, by string) (deploy.Changed, error)
	Delete(ctx context.Context, name string, purge bool, by string) error
	SetVars(ctx context.Context, name string, set map[string]string, unset []string, by string) (deploy.Changed, error)
	SetSecret(ctx context.Context, name, key, value, by string) (deploy.Changed, error)
	SetLimits(ctx context.Context, name string, limits limit.Override, by string) (deploy.Changed, error)
	SetCORS(ctx context.Context, name string, policy plugin.CORS, by string) (deploy.Changed, error)
	UnsetCORS(ctx context.Context, name, by string) (deploy.Changed, error)
}

// Operator shows what is installed and how it does, and has the keys of plugins.
// Lists it returns are not nil. Safe for concurrent use. Errors are faults;
// package operate documents them.
type Operator interface {
	Plugins(ctx context.Context) ([]adminapi.Plugin, error)
	Plugin(ctx context.Context, name string) (adminapi.Plugin, error)
	Versions(ctx context.Context, name string) ([]adminapi.Version, error)
	Module(ctx context.Context, name string, digest plugin.Digest) (module io.ReadCloser, size int64, err error)
	Deployments(ctx context.Context, name string, before int) ([]adminapi.Deployment, error)
	Rollout(ctx context.Context, name string) (adminapi.Rollout, error)
	Pin(ctx context.Context, name string, version int, pinned bool, by string) error
	Vars(ctx context.Context, name string) ([]adminapi.Var, error)
	Secrets(ctx context.Context, name string) ([]adminapi.Secret, error)
	RotateKey(ctx context.Context, by string) (adminapi.RotatedKey, error)
	Limits(ctx context.Context, name string) (adminapi.LimitsShown, error)
	CORS(ctx context.Context, name string) (adminapi.CORS, error)
	KVGet(ctx context.Context, name string, key []byte) ([]byte, error)
	KVList(ctx context.Context, name string, q store.Query) (adminapi.KeyPage, error)
	KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration, by string) error
	KVDelete(ctx context.Context, name string, key []byte, by string) error
	Prune(ctx context.Context, in adminapi.Prune, by string) (adminapi.Pruned, error)
	Audit(ctx context.Context, in adminapi.EventsQuery, may func(plugin string) bool) ([]adminapi.Event, error)
	Approvals(ctx context.Context) ([]adminapi.Approval, error)
	Reject(ctx context.Context, name string, version int, reason, by string) error
	AuditLines(ctx context.Context, after uint64) (adminapi.AuditLines, error)
	Requests(ctx context.Context, id string) ([]adminapi.Request, error)
	Logs(ctx context.Context, in adminapi.LogsQuery) (adminapi.LogPage, error)
	Follow(ctx context.Context, in adminapi.LogsQuery) (next func(context.Context) ([]adminapi.LogLine, error), stop func(), err error)
}

// Token finds out who sends a request. Identify takes the value of the header
// Authorization and the address of the client, if it has one. It returns an
// Unauthenticated fault for a wrong token, in a time that tells nothing. Safe for
// concurrent use.
type Token interface {
	Identify(authorization string, from netip.Addr) (auth.Identity, error)
}

// Metrics shows the metrics in Prometheus's text format, compressed with gzip or not.
// Unavailable says that other scrapes are being answered. Safe for concurrent use.
type Metrics interface {
	Scrape(ctx context.Context, compressed bool) ([]byte, error)
}

// Config is what the admin listener works with. Deployer, Operator, Queues, Crons, Services,
// Sockets, Data, Databases, Access, Metrics and Token are required.
type Config struct {
	Deployer  Deployer
	Operator  Operator
	Queues    Queues
	Crons     Crons
	Services  Services
	Sockets   Sockets
	Access    Access
	Backups   Backups
	Data      Data
	Databases Databases
	Token     Token
	Conns     wire.Conns
	// Bodies is the memory that uploads share with the bodies of public requests;
	// one that does not fit is answered 503. nil = no bound.
	Bodies *limit.Budget
	// Certificate makes the listener speak TLS. nil = it does not.
	Certificate *certificate.Certificate
	// Allow are the networks that requests may come from; a unix socket is not asked.
	// nil = any.
	Allow wire.Networks
	// Settings are those of the server; nil = it has none outside its program.
	Settings Settings
	// Health is asked by /readyz and shown in the status, in order.
	Health []wire.Check
	// Shares tells what the plugins of a team have; nil = nothing.
	Shares func(name string) team.Used
	// Log receives a record of each request at info, and of failures at error.
	// nil drops them.
	Log *slog.Logger

	// Metrics shows the metrics.
	Metrics Metrics

	// Shipping tells how far commits are shipped; nil, or a nil result = they are not.
	Shipping func() *adminapi.Shipping

	Version   string    // of the program
	PublicURL string    // where clients reach the plugins
	Started   time.Time // of the process
}

// Admin is the listener operators use. Everything under /v1 wants the token.
// Methods are safe for concurrent use.
type Admin struct {
	edge  *wire.Edge
	cfg   Config
	log   *slog.Logger
	local bool // only this machine reaches it; set by Serve
}

// New returns an Admin that does not listen yet. Serve and Close it.
func New(cfg Config) *Admin {
	a := &Admin{cfg: cfg, log: wire.OrDiscard(cfg.Log)}
	a.edge = wire.NewEdge("admin", cfg.Conns, a.log, wire.AccessLog{Log: a.log, Sample: wire.Each()}, true, a.unreadable)
	a.bind()
	a.edge.ServeOtherMethods(a.otherMethod)
	a.edge.App.Server().ExpectHandler = a.expect
	return a
}

// Serve serves ln until Close, and closes it. Call it once. It returns nil
// after Close; an error has the code Unavailable: ln failed.
func (a *Admin) Serve(ln net.Listener) error {
	a.local = isLocal(ln.Addr())
	if a.cfg.Certificate != nil {
		ln = a.cfg.Certificate.Listen(ln)
	}
	return a.edge.Serve(ln)
}

// Vitals tells how the listener does.
func (a *Admin) Vitals() vitals.Listener { return a.edge.Vitals() }

// Drain makes /readyz fail while everything else goes on: whoever probes this
// listener learns that the process stops before it takes no more connections.
func (a *Admin) Drain() { a.edge.Drain() }

// Close takes no more connections and waits for the requests that run. When ctx
// ends first it cuts them off and returns a Deadline fault; a deployment that
// was recorded stays.
func (a *Admin) Close(ctx context.Context) error { return a.edge.Close(ctx) }

// exchange is one admin request on its way to its answer.
type exchange struct {
	id    string
	start time.Time
	who   auth.Identity
	err   error // what a handler failed with
}

// exchangeKey is its key in the context of handlers.
type exchangeKey struct{}

// exchangeOf returns the exchange that a handler's context belongs to.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// around is what happens to every request before and after its own handler.
func (a *Admin) around(c *fiber.Ctx) error {
	ctx := c.Context()
	a.answer(ctx, func(x *exchange) *wire.Refusal {
		c.SetUserContext(a.contextOf(ctx, x))
		if err := c.Next(); err != nil {
			return a.unrouted(ctx)
		}
		return wire.Refused(ctx) // not nil when the body broke while it was read
	})
	return nil
}

// contextOf returns the context of a request's handler: who makes it, and what the
// audit says of it.
func (a *Admin) contextOf(ctx *fasthttp.RequestCtx, x *exchange) context.Context {
	actor := audit.Actor{Token: x.who.Token, Request: x.id}
	if from := addressOf(ctx.RemoteAddr()); from.IsValid() {
		actor.Address = from.String()
	}
	return audit.With(auth.With(context.WithValue(a.edge.Context(), exchangeKey{}, x), x.who), actor)
}

// otherMethod answers a request of a method that Fiber has no table for.
func (a *Admin) otherMethod(ctx *fasthttp.RequestCtx) {
	a.answer(ctx, func(*exchange) *wire.Refusal { return a.unrouted(ctx) })
}

// answer has a request that may reach a handler handled.
func (a *Admin) answer(ctx *fasthttp.RequestCtx, handle func(*exchange) *wire.Refusal) {
	start := time.Now()
	x := &exchange{id: string(wire.AppendRequestID(nil, ctx.Request.Header.Peek(wire.HeaderRequestID), start)), start: start}
	defer a.settle(ctx, x)
	r := a.admit(ctx, x)
	if r == nil {
		r = handle(x)
	}
	if r != nil {
		a.refuse(ctx, r, x.id)
	}
}

// settle completes the response and logs, whatever happened.
func (a *Admin) settle(ctx *fasthttp.RequestCtx, x *exchange) {
	if reason := recover(); reason != nil {
		a.log.Error("panic in the server", "request_id", x.id, "reason", reason, "stack", string(debug.Stack()))
		x.err = fault.New(fault.Internal, "serve", fmt.Sprintf("panic: %v", reason))
		wire.NewProblem(http.StatusInternalServerError, fault.Internal, wire.DetailInternal, x.id).Write(ctx)
	}
	h := &ctx.Response.Header
	h.Set("X-Request-Id", x.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	a.record(ctx, x)
}

// admit refuses what must not reach a handler, and no body is read for. It notes who
// sends the request.
func (a *Admin) admit(ctx *fasthttp.RequestCtx, x *exchange) *wire.Refusal {
	h := &ctx.Request.Header
	path, _ := wire.SplitTarget(h.RequestURI())
	if addr := addressOf(ctx.RemoteAddr()); a.cfg.Allow != nil && addr.IsValid() && !a.cfg.Allow.Contain(addr) {
		return refuseAddress
	}
	if a.local && !isLocalName(h.Host()) {
		return refuseRebinding
	}
	if slashes, r := wire.CheckPath(string(path)); r != nil {
		return r
	} else if slashes {
		return refuseSlash
	}
	if string(path) == adminapi.PathLogin && isForeign(h) {
		return refuseForeign
	}
	if needsToken(string(path)) {
		if isForeign(h) {
			return refuseForeign
		}
		who, r := a.identify(ctx)
		if r != nil {
			return r
		}
		x.who = who
	}
	if int64(h.ContentLength()) > limit.Module && !isArchive(string(path)) {
		return refuseUpload
	}
	return nil
}

func (a *Admin) expect(ctx *fasthttp.RequestCtx) int {
	x := &exchange{id: wire.NewRequestID()}
	if r := a.admit(ctx, x); r != nil {
		a.refuse(ctx, r, x.id)
		return r.Status
	}
	return http.StatusContinue
}

func (a *Admin) refuse(ctx *fasthttp.RequestCtx, r *wire.Refusal, id string) {
	r.Problem(id).Write(ctx)
	if r.Status == http.StatusUnauthorized {
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
	}
	r.Finish(ctx)
}

// unreadable answers what fasthttp could not read although the gate let it
// through: a body that stopped within its first bytes.
func (a *Admin) unreadable(c *fiber.Ctx, _ error) error {
	a.refuse(c.Context(), wire.Unreadable(c.Context()), wire.NewRequestID())
	return nil
}

// unrouted refuses what no route takes.
func (a *Admin) unrouted(ctx *fasthttp.RequestCtx) *wire.Refusal {
	path, _ := wire.SplitTarget(ctx.Request.Header.RequestURI())
	if allow := a.allowed(string(path)); len(allow) > 0 {
		return &wire.Refusal{
			Status: http.StatusMethodNotAllowed, Code: fault.Invalid, Allow: strings.Join(allow, ", "),
			Detail: "the path exists, but not for " + string(ctx.Method()),
		}
	}
	return &wire.Refusal{Status: http.StatusNotFound, Code: fault.NotFound, Detail: "the admin API has no such path; " + pathOpenAPI + " lists what it has"}
}

// allowed returns the methods that are bound at a path, sorted.
func (a *Admin) allowed(path string) (methods []string) {
	for _, r := range a.edge.App.GetRoutes(true) {
		if fiber.RoutePatternMatch(path, r.Path, a.edge.App.Config()) {
			methods = append(methods, r.Method)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func (a *Admin) record(ctx *fasthttp.RequestCtx, x *exchange) {
	path, _ := wire.SplitTarget(ctx.Request.Header.RequestURI())
	r := wire.Record{
		Method:    string(ctx.Method()),
		Path:      string(path),
		Status:    ctx.Response.StatusCode(),
		Bytes:     wire.BodySize(&ctx.Response),
		Duration:  time.Since(x.start),
		RequestID: x.id,
		Remote:    string(wire.AppendIP(nil, ctx.RemoteAddr())),
		Err:       x.err,
	}
	r.Log(a.log, "admin request")
}
