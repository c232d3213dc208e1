package adminapi

import "time"

// The paths with which an operator acts in an incident.
const (
	PathPause     = "/v1/plugins/{name}/pause"
	PathEgress    = "/v1/plugins/{name}/egress"
	PathEgressAll = "/v1/egress"
	PathRunning   = "/v1/plugins/{name}/requests"
	PathKill      = "/v1/requests/kill"
)

// MaxPage is how many bytes the page of a pause may have.
const MaxPage = 64 << 10

// DefaultRetry is how many seconds clients are told to wait for the end of a pause that
// does not say.
const DefaultRetry = 60

// Pause is the body of a request that keeps a plugin from serving.
type Pause struct {
	Writes     bool   `json:"writes,omitempty" nullable:"true" doc:"It serves, and requests that have written are answered 503 in place of their commit"`
	RetryAfter int    `json:"retry_after,omitempty" nullable:"true" minimum:"0" maximum:"86400" doc:"Seconds after which clients are to try again; 0 = 60"`
	Page       string `json:"page,omitempty" nullable:"true" maxLength:"65536" doc:"What clients are answered; absent = a problem"`
	Plain      bool   `json:"plain,omitempty" nullable:"true" doc:"The page is text and no HTML"`
}

// Held says what a pause has found.
type Held struct {
	Running int `json:"running" doc:"Requests that had begun, and go on"`
}

// Egress is the body of a request that ends calls to other services, or lets them go.
type Egress struct {
	Off bool `json:"off" doc:"End the calls that are under way, and refuse others"`
}

// Paused says that a plugin does not serve, or takes no writes.
type Paused struct {
	Writes     bool      `json:"writes,omitempty" doc:"It serves, and takes no writes"`
	RetryAfter int       `json:"retry_after" doc:"Seconds after which clients are to try again"`
	Page       bool      `json:"page,omitempty" doc:"Clients are answered a page"`
	By         string    `json:"by,omitempty"`
	Since      time.Time `json:"since"`
}

// Stopped says who stopped something, and when.
type Stopped struct {
	By    string    `json:"by,omitempty"`
	Since time.Time `json:"since"`
	All   bool      `json:"all,omitempty" doc:"For all plugins"`
	Own   bool      `json:"own,omitempty" doc:"For this plugin, whatever is decided for all"`
}

// Condition returns the state of the plugin for a person, and what an operator has
// stopped of it.
func (p *Plugin) Condition() string {
	text := p.State
	switch {
	case p.Paused == nil:
	case p.Paused.Writes:
		text = "PAUSED (writes)"
	default:
		text = "PAUSED"
	}
	if p.EgressOff != nil {
		text += ", egress off"
	}
	return text
}

// Running is a request that a plugin has at the moment.
type Running struct {
	ID      string  `json:"id"`
	Trigger string  `json:"trigger" doc:"Which way it came: http"`
	Method  string  `json:"method"`
	Path    string  `json:"path" doc:"Below the mount, without the query"`
	Route   string  `json:"route,omitempty" doc:"The manifest's route that matched"`
	Remote  string  `json:"remote,omitempty" doc:"Address of the client"`
	Version int     `json:"version"`
	Attempt int     `json:"attempt" doc:"Run of the handler; 0 = none has begun"`
	State   string  `json:"state" doc:"waiting, running or committing"`
	Calling string  `json:"calling,omitempty" doc:"Host that it waits for"`
	Age     float64 `json:"age_millis"`
}

// KillRequest is the body of a request that ends others.
type KillRequest struct {
	ID string `json:"id" minLength:"1" maxLength:"128" doc:"The id of those that are to end" example:"01JDQ7YQ0T8Z3V5M6N1B2C3D4E"`
}

// Killed says how many requests were ended.
type Killed struct {
	Requests int `json:"requests"`
}
