package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Deployer is what the admin API changes and shows. Safe for concurrent use.
// Errors are faults; package deploy documents them.
type Deployer interface {
	Deploy(ctx context.Context, up deploy.Upload) (deploy.Outcome, error)
	Activate(ctx context.Context, name string, version int, grant bool, by string) (deploy.Outcome, error)
	Delete(ctx context.Context, name string, purge bool, by string) error
	Plugins(ctx context.Context) ([]deploy.Status, error)
	Plugin(ctx context.Context, name string) (deploy.Status, error)
	Versions(ctx context.Context, name string) ([]deploy.VersionStatus, error)
	Deployments(ctx context.Context, name string, before int) ([]plugin.Deployment, error)
	Vars(ctx context.Context, name string) ([]deploy.Var, error)
	SetVar(ctx context.Context, name, key, value, by string) (deploy.Outcome, error)
	UnsetVar(ctx context.Context, name, key, by string) (deploy.Outcome, error)
	CORS(ctx context.Context, name string) (plugin.CORS, error)
	SetCORS(ctx context.Context, name string, policy plugin.CORS, by string) (deploy.Outcome, error)
	UnsetCORS(ctx context.Context, name, by string) (deploy.Outcome, error)
	KVGet(ctx context.Context, name string, key []byte) ([]byte, error)
	KVList(ctx context.Context, name string, q store.Query) ([]deploy.KVEntry, bool, error)
	KVPut(ctx context.Context, name string, key, value []byte, ttl time.Duration) error
	KVDelete(ctx context.Context, name string, key []byte) error
	Audit(ctx context.Context, after uint64, limit int) ([]plugin.Event, error)
}

// Token decides who may use the admin API. Check takes the value of the header
// Authorization and returns an Unauthenticated fault for a wrong one, in a time
// that tells nothing.
type Token interface {
	Check(authorization string) error
}

// AdminConfig is what the admin listener works with. Deployer and Token are
// required.
type AdminConfig struct {
	Deployer Deployer
	Token    Token
	Conns    Conns
	// Health is asked by /readyz and shown in the status, in order.
	Health []Check
	// Log receives a record of each request at info, and of failures at error.
	// nil drops them.
	Log *slog.Logger

	Version   string    // of the program
	PublicURL string    // where clients reach the plugins
	Started   time.Time // of the process
}

// Admin is the listener operators use. Everything under /v1 wants the token.
// Methods are safe for concurrent use.
type Admin struct {
	*edge
	cfg   AdminConfig
	log   *slog.Logger
	local bool // only this machine reaches it; set by Serve
}

// NewAdmin returns an Admin that does not listen yet. Serve and Close it.
func NewAdmin(cfg AdminConfig) *Admin {
	a := &Admin{cfg: cfg, log: orDiscard(cfg.Log)}
	a.edge = newEdge("admin", cfg.Conns, true, a.unreadable)
	a.bind()
	a.serveOtherMethods(func(ctx *fasthttp.RequestCtx) { a.refuse(ctx, refuseOtherMethod, newRequestID()) })
	a.app.Server().ExpectHandler = a.expect
	return a
}

// bind is every route of the admin listener.
func (a *Admin) bind() {
	a.app.Use(a.around)
	health := health{checks: a.cfg.Health, draining: &a.draining}
	a.app.Get(pathLive, health.live)
	a.app.Get(pathReady, health.ready)

	api := humafiber.New(a.app, apiConfig(a.cfg.Version))
	a.bindStatus(api)      // GET /v1/status
	a.bindPlugins(api)     // GET /v1/plugins, GET DELETE /v1/plugins/{name}
	a.bindVersions(api)    // GET POST /v1/plugins/{name}/versions
	a.bindDeployments(api) // GET POST /v1/plugins/{name}/deployments
	a.bindVars(api)        // GET /v1/plugins/{name}/vars, PUT DELETE /v1/plugins/{name}/vars/{var}
	a.bindCORS(api)        // GET PUT DELETE /v1/plugins/{name}/cors
	a.bindKV(api)          // GET /v1/plugins/{name}/kv, GET PUT DELETE /v1/plugins/{name}/kv/value
	a.bindAudit(api)       // GET /v1/audit

	document := describe(api)
	a.app.Get(pathOpenAPI, func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(document)
	})
}

const pathOpenAPI = "/openapi.json"

// Serve serves ln until Close, and closes it. Call it once. It returns nil
// after Close; an error has the code Unavailable: ln failed.
func (a *Admin) Serve(ln net.Listener) error {
	a.local = isLocal(ln.Addr())
	return a.serve(ln, a.log)
}

// Drain makes /readyz fail while everything else goes on: whoever probes this
// listener learns that the process stops before it takes no more connections.
func (a *Admin) Drain() { a.draining.Store(true) }

// Close takes no more connections and waits for the requests that run. When ctx
// ends first it cuts them off and returns a Deadline fault; a deployment that
// was recorded stays.
func (a *Admin) Close(ctx context.Context) error { return a.close(ctx) }

// adminCall is the state of one admin request.
type adminCall struct {
	id    string
	start time.Time
	err   error // what a handler failed with
}

// adminCallKey is its key in the context of handlers.
type adminCallKey struct{}

// adminCallOf returns the call a handler's context belongs to.
func adminCallOf(ctx context.Context) *adminCall {
	if call, ok := ctx.Value(adminCallKey{}).(*adminCall); ok {
		return call
	}
	return &adminCall{}
}

// around is what happens to every request before and after its own handler.
func (a *Admin) around(c *fiber.Ctx) error {
	ctx, start := c.Context(), time.Now()
	call := &adminCall{id: string(appendRequestID(nil, ctx.Request.Header.Peek(headerRequestID), start)), start: start}
	defer a.settle(ctx, call)
	c.SetUserContext(context.WithValue(a.ctx, adminCallKey{}, call))
	if r := a.admit(ctx); r != nil {
		a.refuse(ctx, r, call.id)
		return nil
	}
	if err := c.Next(); err != nil {
		a.refuse(ctx, unroutedRefusal(c, err), call.id)
	}
	if conn, ok := ctx.Conn().(*gateConn); ok && conn.refusal != nil {
		a.refuse(ctx, conn.refusal, call.id) // the body broke while it was read
	}
	return nil
}

// settle completes the response and logs, whatever happened.
func (a *Admin) settle(ctx *fasthttp.RequestCtx, call *adminCall) {
	if reason := recover(); reason != nil {
		a.log.Error("panic in the server", "request_id", call.id, "reason", reason, "stack", string(debug.Stack()))
		call.err = fault.New(fault.Internal, "serve", fmt.Sprintf("panic: %v", reason))
		writeProblem(ctx, newProblem(http.StatusInternalServerError, fault.Internal, publicDetail(fault.Internal), call.id))
	}
	h := &ctx.Response.Header
	h.Set("X-Request-Id", call.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	a.record(ctx, call)
}

// admit refuses what must not reach a handler, and no body is read for.
func (a *Admin) admit(ctx *fasthttp.RequestCtx) *refusal {
	h := &ctx.Request.Header
	path, _ := splitTarget(h.RequestURI())
	if a.local && !isLocalName(h.Host()) {
		return refuseRebinding
	}
	if r := checkPath(string(path)); r != nil {
		return r
	}
	if needsToken(string(path)) {
		if len(h.PeekAll("Authorization")) > 1 {
			return refuseTokens
		}
		if a.cfg.Token.Check(string(h.Peek("Authorization"))) != nil {
			return refuseToken
		}
	}
	if int64(h.ContentLength()) > limit.Module {
		return bodyTooLarge(limit.Module)
	}
	return nil
}

func (a *Admin) expect(ctx *fasthttp.RequestCtx) int {
	if r := a.admit(ctx); r != nil {
		a.refuse(ctx, r, newRequestID())
		return r.status
	}
	return http.StatusContinue
}

func (a *Admin) refuse(ctx *fasthttp.RequestCtx, r *refusal, id string) {
	writeProblem(ctx, newProblem(r.status, r.code, r.detail, id))
	if r.allow != "" {
		ctx.Response.Header.Set("Allow", r.allow)
	}
	if r == refuseToken {
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
	}
	if r.close {
		endConnection(ctx)
	}
}

// unreadable answers what fasthttp could not read although the gate let it
// through: a body that stopped within its first bytes.
func (a *Admin) unreadable(c *fiber.Ctx, _ error) error {
	a.refuse(c.Context(), refusalOf(c.Context()), newRequestID())
	return nil
}

// unroutedRefusal answers for Fiber, which knows no such path or method.
func unroutedRefusal(c *fiber.Ctx, err error) *refusal {
	if e, ok := errors.AsType[*fiber.Error](err); ok && e.Code == http.StatusMethodNotAllowed {
		return &refusal{
			status: http.StatusMethodNotAllowed, code: fault.Invalid, allow: string(c.Response().Header.Peek("Allow")),
			detail: "the path exists, but not for " + c.Method(),
		}
	}
	return &refusal{status: http.StatusNotFound, code: fault.NotFound, detail: "the admin API has no such path; " + pathOpenAPI + " lists what it has"}
}

func (a *Admin) record(ctx *fasthttp.RequestCtx, call *adminCall) {
	path, _ := splitTarget(ctx.Request.Header.RequestURI())
	r := record{
		method:    string(ctx.Method()),
		path:      string(path),
		status:    ctx.Response.StatusCode(),
		bytes:     len(ctx.Response.Body()),
		duration:  time.Since(call.start),
		requestID: call.id,
		remote:    string(appendIP(nil, ctx.RemoteAddr())),
		err:       call.err,
	}
	r.log(a.log, "admin request")
}

// describe returns the OpenAPI document. It is made once, when every route is
// bound.
func describe(api huma.API) []byte {
	schemas := api.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own error, which is never sent
	delete(schemas, "ErrorDetail")
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document cannot be encoded: %v", err)) // found by every test
	}
	return document
}
