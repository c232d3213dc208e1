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
	a.bindRollouts(api)
	a.bindSettings(api)
	a.bindKV(api)
	a.bindQueues(api)
	a.bindCrons(api)
	a.bindSockets(api)
	a.bindIncident(api)
	a.bindBackups(api)
	a.bindData(api)
	a.bindDatabases(api)
	a.bindAccess(api)
	route(api, viewer, get("list-log-lines", adminapi.PathLogs, "Show what was logged of a plugin, the oldest first"), a.logs)
	route(api, viewer, withLines(get("follow-log-lines", adminapi.PathFollow, "Show what was logged of a plugin, and what is logged from then on, as it comes")), a.followLogs)
	route(api, viewer.ofSome(), get("status", adminapi.PathStatus, "Show the state of the server"), a.status)
	route(api, operator.ofSome(), operation("prune", http.MethodPost, adminapi.PathPrune, "Remove old versions, deployments and events", http.StatusOK), a.prune)
	route(api, viewer.ofSome(), get("list-events", adminapi.PathEvents, "List who changed what, the oldest first"), a.audit)
	route(api, viewer.ofSome(), get("list-approvals", adminapi.PathApprovals, "List the versions that wait for an approval"), a.approvals)
	route(api, viewer, get("list-audit-lines", adminapi.PathAuditLines, "Show the audit as it is stored, to verify its chain"), a.auditLines)
	route(api, operator, get("show-settings", adminapi.PathConfig, "Show the settings that the server runs with"), a.settings)
	route(api, operator, operation("reload-settings", http.MethodPost, adminapi.PathReload, "Read the settings again, and make hold what can while the server runs", http.StatusOK), a.reloadSettings)
	route(api, viewer.ofSome(), get("list-requests", adminapi.PathRequests, "Show what became of the recent requests with an id, the oldest first"), a.requests)

	route(api, viewer, withMetrics(get("metrics", adminapi.PathMetrics, "Show the metrics, as Prometheus reads them")), a.metrics)

	document := describe(api)
	a.edge.App.Get(pathOpenAPI, func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(document)
	})
}

// bindPlugins is every route that shows and changes which code serves.
func (a *Admin) bindPlugins(api huma.API) {
	route(api, viewer.ofSome(), get("list-plugins", adminapi.PathPlugins, "List the plugins"), a.plugins)
	route(api, viewer, get("get-plugin", adminapi.PathPlugin, "Show a plugin"), a.plugin)
	route(api, operator, operation("delete-plugin", http.MethodDelete, adminapi.PathPlugin, "Delete a plugin, keeping its data for a later one of that name", http.StatusNoContent), a.deletePlugin)
	route(api, viewer, get("list-versions", adminapi.PathVersions, "List the versions of a plugin, the newest first"), a.versions)
	route(api, deployer, withBody(operation("deploy", http.MethodPost, adminapi.PathVersions, "Upload a module as a new version and activate it", http.StatusCreated),
		adminapi.TypeModule, limit.Module, "The module, with its manifest in a custom section or without one"), a.upload)
	route(api, operator, withStream(get("get-module", adminapi.PathModule, "Download the module of a version"), adminapi.TypeModule, "The module, as it was uploaded"), a.module)
	route(api, viewer, get("list-deployments", adminapi.PathDeployments, "List what served, the newest first, 100 at a time"), a.deployments)
	route(api, deployer, operation("activate", http.MethodPost, adminapi.PathDeployments, "Let a version serve: a newer one, or an older one again", http.StatusCreated), a.activate)
	route(api, operator, operation("approve", http.MethodPost, adminapi.PathApprove, "Grant what a version asks for, as it was shown, and let it serve", http.StatusCreated), a.approve)
	route(api, operator, operation("reject", http.MethodPost, adminapi.PathReject, "Decide that a version does not serve, because of what it asks for", http.StatusNoContent), a.reject)
}

// bindSettings is every route of vars, limits and CORS.
func (a *Admin) bindSettings(api huma.API) {
	route(api, viewer, get("list-vars", adminapi.PathVars, "List the vars of a plugin, without the values of secrets"), a.vars)
	route(api, deployer, withBody(operation("set-var", http.MethodPut, adminapi.PathVar, "Set a var, which is a new deployment", http.StatusOK),
		adminapi.TypeVar, adminapi.MaxVar, "The value, at most 64 KiB of UTF-8; none = an empty one"), a.setVar)
	route(api, deployer, operation("unset-var", http.MethodDelete, adminapi.PathVar, "Unset a var, which is a new deployment", http.StatusOK), a.unsetVar)
	route(api, deployer, operation("change-vars", http.MethodPatch, adminapi.PathVars, "Set and unset several vars, which is one new deployment", http.StatusOK), a.changeVars)
	a.bindSecrets(api)
	route(api, viewer, get("list-services", adminapi.PathServices, "List the plugins that a plugin calls"), a.services)
	route(api, operator, operation("bind-services", http.MethodPatch, adminapi.PathServices, "Have a plugin call others than its manifest says, which is a new deployment", http.StatusOK), a.bindServices)
	route(api, viewer, get("get-limits", adminapi.PathLimits, "Show the limits of a plugin, and who decided them"), a.limits)
	route(api, operator, operation("set-limits", http.MethodPut, adminapi.PathLimits, "Replace the operator's limits of a plugin, which is a new deployment", http.StatusOK), a.setLimits)
	route(api, viewer, get("get-cors", adminapi.PathCORS, "Show which other origins may read a plugin's answers"), a.cors)
	route(api, operator, operation("set-cors", http.MethodPut, adminapi.PathCORS, "Set which other origins may read a plugin's answers, which is a new deployment", http.StatusOK), a.setCORS)
	route(api, operator, operation("unset-cors", http.MethodDelete, adminapi.PathCORS, "Leave CORS to the guest, which is a new deployment", http.StatusOK), a.unsetCORS)
}

// bindSecrets is every route of secrets and of the key they are sealed with.
func (a *Admin) bindSecrets(api huma.API) {
	route(api, viewer, get("list-secrets", adminapi.PathSecrets, "List the secrets of a plugin, without their values"), a.secrets)
	route(api, deployer, withBody(operation("set-secret", http.MethodPut, adminapi.PathSecret, "Set a secret, which is a new deployment", http.StatusOK),
		adminapi.TypeVar, adminapi.MaxVar, "The value, at most 64 KiB of UTF-8; none = an empty one"), a.setSecret)
	route(api, deployer, operation("unset-secret", http.MethodDelete, adminapi.PathSecret, "Unset a secret, which is a new deployment", http.StatusOK), a.unsetSecret)
	route(api, owner, operation("rotate-key", http.MethodPost, adminapi.PathRotateKey, "Replace the key that secrets are sealed with", http.StatusOK), a.rotateKey)
}

// bindKV is every route of an operator's access to keys.
func (a *Admin) bindKV(api huma.API) {
	route(api, deployer, get("list-keys", adminapi.PathKeys, "List the keys of a plugin"), a.kvList)
	route(api, deployer, withValue(get("get-key", adminapi.PathValue, "Get a value")), a.kvGet)
	route(api, deployer, withBody(operation("put-key", http.MethodPut, adminapi.PathValue, "Set a value", http.StatusNoContent),
		adminapi.TypeValue, store.MaxValue, "The value; none = an empty one"), a.kvPut)
	route(api, deployer, operation("delete-key", http.MethodDelete, adminapi.PathValue, "Delete a key", http.StatusNoContent), a.kvDelete)
}
