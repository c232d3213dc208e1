package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

const pathOpenAPI = "/openapi.json"

// bind is every route of the admin listener.
func (a *Admin) bind() {
	a.edge.App.Use(a.around)
	a.edge.BindHealth(a.cfg.Health)

	api := humafiber.New(a.edge.App, apiConfig(a.cfg.Version))
	a.bindPlugins(api)
	a.bindSettings(api)
	a.bindKV(api)
	route(api, get("status", adminapi.PathStatus, "Show the state of the server"), a.status)
	route(api, operation("prune", http.MethodPost, adminapi.PathPrune, "Remove old versions, deployments and events", http.StatusOK), a.prune)
	route(api, get("list-events", adminapi.PathEvents, "List who changed what, the oldest first"), a.audit)
	route(api, get("list-requests", adminapi.PathRequests, "Show what became of the recent requests with an id, the oldest first"), a.requests)

	document := describe(api)
	a.edge.App.Get(pathOpenAPI, func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(document)
	})
}

// bindPlugins is every route that shows and changes which code serves.
func (a *Admin) bindPlugins(api huma.API) {
	route(api, get("list-plugins", adminapi.PathPlugins, "List the plugins"), a.plugins)
	route(api, get("get-plugin", adminapi.PathPlugin, "Show a plugin"), a.plugin)
	route(api, operation("delete-plugin", http.MethodDelete, adminapi.PathPlugin, "Delete a plugin, keeping its data for a later one of that name", http.StatusNoContent), a.deletePlugin)
	route(api, get("list-versions", adminapi.PathVersions, "List the versions of a plugin, the newest first"), a.versions)
	route(api, withBody(operation("deploy", http.MethodPost, adminapi.PathVersions, "Upload a module as a new version and activate it", http.StatusCreated),
		adminapi.TypeModule, limit.Module, "The module, with its manifest in a custom section or without one"), a.upload)
	route(api, get("list-deployments", adminapi.PathDeployments, "List what served, the newest first, 100 at a time"), a.deployments)
	route(api, operation("activate", http.MethodPost, adminapi.PathDeployments, "Let a version serve: a newer one, or an older one again", http.StatusCreated), a.activate)
}

// bindSettings is every route of vars, limits and CORS.
func (a *Admin) bindSettings(api huma.API) {
	route(api, get("list-vars", adminapi.PathVars, "List the vars of a plugin, without the values of secrets"), a.vars)
	route(api, withBody(operation("set-var", http.MethodPut, adminapi.PathVar, "Set a var, which is a new deployment", http.StatusOK),
		adminapi.TypeVar, adminapi.MaxVar, "The value, at most 64 KiB of UTF-8; none = an empty one"), a.setVar)
	route(api, operation("unset-var", http.MethodDelete, adminapi.PathVar, "Unset a var, which is a new deployment", http.StatusOK), a.unsetVar)
	route(api, operation("change-vars", http.MethodPatch, adminapi.PathVars, "Set and unset several vars, which is one new deployment", http.StatusOK), a.changeVars)
	route(api, get("get-limits", adminapi.PathLimits, "Show the limits of a plugin, and who decided them"), a.limits)
	route(api, operation("set-limits", http.MethodPut, adminapi.PathLimits, "Replace the operator's limits of a plugin, which is a new deployment", http.StatusOK), a.setLimits)
	route(api, get("get-cors", adminapi.PathCORS, "Show which other origins may read a plugin's answers"), a.cors)
	route(api, operation("set-cors", http.MethodPut, adminapi.PathCORS, "Set which other origins may read a plugin's answers, which is a new deployment", http.StatusOK), a.setCORS)
	route(api, operation("unset-cors", http.MethodDelete, adminapi.PathCORS, "Leave CORS to the guest, which is a new deployment", http.StatusOK), a.unsetCORS)
}

// bindKV is every route of an operator's access to keys.
func (a *Admin) bindKV(api huma.API) {
	route(api, get("list-keys", adminapi.PathKeys, "List the keys of a plugin"), a.kvList)
	route(api, withValue(get("get-key", adminapi.PathValue, "Get a value")), a.kvGet)
	route(api, withBody(operation("put-key", http.MethodPut, adminapi.PathValue, "Set a value", http.StatusNoContent),
		adminapi.TypeValue, store.MaxValue, "The value; none = an empty one"), a.kvPut)
	route(api, operation("delete-key", http.MethodDelete, adminapi.PathValue, "Delete a key", http.StatusNoContent), a.kvDelete)
}
