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

// The paths.
const (
	PathStatus      = "/v1/status"
	PathPlugins     = "/v1/plugins"
	PathPlugin      = "/v1/plugins/{name}"
	PathVersions    = "/v1/plugins/{name}/versions"
	PathDeployments = "/v1/plugins/{name}/deployments"
	PathVars        = "/v1/plugins/{name}/vars"
	PathPrune       = "/v1/prune"
	PathLimits      = "/v1/plugins/{name}/limits"
	PathVar         = "/v1/plugins/{name}/vars/{var}"
	PathCORS        = "/v1/plugins/{name}/cors"
	PathKeys        = "/v1/plugins/{name}/kv"
	PathValue       = "/v1/plugins/{name}/kv/value"
	PathEvents      = "/v1/audit"
	PathRequests    = "/v1/requests"
)

// Limits of requests and pages. The client may ask for less than a page.
const (
	MaxDeployments = 100      // deployments in one answer
	MaxKeys        = 1000     // keys in one answer
	MaxEvents      = 1000     // events in one answer
	MaxVar         = 64 << 10 // bytes of the value of a var
)

// Media types of bodies that are not JSON.
const (
	TypeModule  = "application/wasm"
	TypeVar     = "text/plain"
	TypeValue   = "application/octet-stream"
	TypeProblem = "application/problem+json" // RFC 9457
)
