// Package adminapi is the admin API on the wire: its paths, the parameters and
// bodies of its requests, its answers, and their limits. The server and the
// client both import it, so that neither keeps a copy. It imports the standard
// library alone, and nothing here is stored: a stored record and a type of the
// domain may change without the API.
//
// The tags say more than the names of fields. A parameter of a request has the
// tag path or query, and default where an absent one is not the zero value; the
// other tags are for the OpenAPI document and for the checks the server makes
// by it.
package adminapi

import "time"

// The paths.
const (
	PathStatus      = "/v1/status"
	PathPlugins     = "/v1/plugins"
	PathPlugin      = "/v1/plugins/{name}"
	PathVersions    = "/v1/plugins/{name}/versions"
	PathDeployments = "/v1/plugins/{name}/deployments"
	PathRollout     = "/v1/plugins/{name}/rollout"
	PathPreviews    = "/v1/plugins/{name}/previews"
	PathModule      = "/v1/plugins/{name}/modules/{digest}"
	PathPins        = "/v1/plugins/{name}/pins"
	PathVars        = "/v1/plugins/{name}/vars"
	PathPrune       = "/v1/prune"
	PathConfig      = "/v1/config"
	PathReload      = "/v1/config/reload"
	PathLimits      = "/v1/plugins/{name}/limits"
	PathVar         = "/v1/plugins/{name}/vars/{var}"
	PathSecrets     = "/v1/plugins/{name}/secrets"       //nolint:gosec // a path
	PathSecret      = "/v1/plugins/{name}/secrets/{var}" //nolint:gosec // a path //nolint:gosec // a path
	PathRotateKey   = "/v1/secrets/rotate-key"
	PathCORS        = "/v1/plugins/{name}/cors"
	PathKeys        = "/v1/plugins/{name}/kv"
	PathValue       = "/v1/plugins/{name}/kv/value"
	PathLogs        = "/v1/plugins/{name}/logs"
	PathFollow      = "/v1/plugins/{name}/logs/follow"
	PathEvents      = "/v1/audit"
	PathApprovals   = "/v1/approvals"
	PathApprove     = "/v1/plugins/{name}/approvals"
	PathReject      = "/v1/plugins/{name}/rejections"
	PathAuditLines  = "/v1/audit/lines"
	PathRequests    = "/v1/requests"
	PathMetrics     = "/metrics" // where Prometheus looks
)

// Limits of requests and pages. The client may ask for less than a page.
const (
	MaxDeployments = 100      // deployments in one answer
	MaxKeys        = 1000     // keys in one answer
	MaxEvents      = 1000     // events in one answer
	MaxVar         = 64 << 10 // bytes of the value of a var
	MaxLogLine     = 1 << 20  // bytes of a log line in JSON
)

// Heartbeat is how often an answer that has no end has an empty line at the latest, so
// that client and server notice when the other is gone.
const Heartbeat = 5 * time.Second

// Media types of bodies that are not JSON.
const (
	TypeModule  = "application/wasm"
	TypeVar     = "text/plain"
	TypeValue   = "application/octet-stream"
	TypeLines   = "application/x-ndjson" // a value of JSON in each line, or nothing
	TypeMetrics = "text/plain; version=0.0.4; charset=utf-8"
	TypeProblem = "application/problem+json" // RFC 9457
)
