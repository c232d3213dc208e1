package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
)

// The paths of the API.
const (
	pathOpenAPI     = "/openapi.json"
	pathStatus      = "/v1/status"
	pathAudit       = "/v1/audit"
	pathPlugins     = "/v1/plugins"
	pathPlugin      = "/v1/plugins/{name}"
	pathVersions    = "/v1/plugins/{name}/versions"
	pathDeployments = "/v1/plugins/{name}/deployments"
	pathVars        = "/v1/plugins/{name}/vars"
	pathVar         = "/v1/plugins/{name}/vars/{var}"
	pathCORS        = "/v1/plugins/{name}/cors"
	pathKeys        = "/v1/plugins/{name}/kv"
	pathValue       = "/v1/plugins/{name}/kv/value"
)

// bind is every route of the admin listener.
func (a *Admin) bind() {
	a.edge.App.Use(a.around)
	a.edge.BindHealth(a.cfg.Health)

	api := humafiber.New(a.edge.App, apiConfig(a.cfg.Version))
	a.bindPlugins(api)
	a.bindSettings(api)
	a.bindKV(api)
	route(api, get("status", pathStatus, "Show the state of the server"), a.status)
	route(api, get("list-events", pathAudit, "List who changed what, the oldest first"), a.audit)

	document := describe(api)
	a.edge.App.Get(pathOpenAPI, func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(document)
	})
}

// bindPlugins is every route that shows and changes which code serves.
func (a *Admin) bindPlugins(api huma.API) {
	route(api, get("list-plugins", pathPlugins, "List the plugins"), a.plugins)
	route(api, get("get-plugin", pathPlugin, "Show a plugin"), a.plugin)
	route(api, operation("delete-plugin", http.MethodDelete, pathPlugin, "Delete a plugin, keeping its data for a later one of that name", http.StatusNoContent), a.deletePlugin)
	route(api, get("list-versions", pathVersions, "List the versions of a plugin, the newest first"), a.versions)
	route(api, withBody(operation("deploy", http.MethodPost, pathVersions, "Upload a module as a new version and activate it", http.StatusCreated),
		"application/wasm", "The module, with its manifest in a custom section or without one"), a.upload)
	route(api, get("list-deployments", pathDeployments, "List what served, the newest first, 100 at a time"), a.deployments)
	route(api, operation("activate", http.MethodPost, pathDeployments, "Let a version serve: a newer one, or an older one again", http.StatusCreated), a.activate)
}

// bindSettings is every route of the vars and of CORS.
func (a *Admin) bindSettings(api huma.API) {
	route(api, get("list-vars", pathVars, "List the vars of a plugin, without the values of secrets"), a.vars)
	route(api, withBody(operation("set-var", http.MethodPut, pathVar, "Set a var, which is a new deployment", http.StatusOK),
		"text/plain", "The value, at most 64 KiB"), a.setVar)
	route(api, operation("unset-var", http.MethodDelete, pathVar, "Unset a var, which is a new deployment", http.StatusOK), a.unsetVar)
	route(api, get("get-cors", pathCORS, "Show which other origins may read a plugin's answers"), a.cors)
	route(api, operation("set-cors", http.MethodPut, pathCORS, "Set which other origins may read a plugin's answers, which is a new deployment", http.StatusOK), a.setCORS)
	route(api, operation("unset-cors", http.MethodDelete, pathCORS, "Leave CORS to the guest, which is a new deployment", http.StatusOK), a.unsetCORS)
}

// bindKV is every route of an operator's access to keys.
func (a *Admin) bindKV(api huma.API) {
	route(api, get("list-keys", pathKeys, "List the keys of a plugin"), a.kvList)
	route(api, get("get-key", pathValue, "Get a value"), a.kvGet)
	route(api, withBody(operation("put-key", http.MethodPut, pathValue, "Set a value", http.StatusNoContent),
		"application/octet-stream", "The value"), a.kvPut)
	route(api, operation("delete-key", http.MethodDelete, pathValue, "Delete a key", http.StatusNoContent), a.kvDelete)
}
