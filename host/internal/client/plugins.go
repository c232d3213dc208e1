package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Upload is a module to install.
type Upload struct {
	Name       string
	Mount      string // "" = as it is, or /NAME for a new plugin
	Label      string
	Module     []byte // with its manifest packed in
	Grant      bool   // grant what the manifest asks for
	NoActivate bool   // store it as a version and stop there
}

// Outcome says what came of a deploy, an activation or a change of vars.
type Outcome struct {
	Plugin     string   `json:"plugin"`
	Mount      string   `json:"mount"`
	Version    int      `json:"version"`
	Digest     string   `json:"digest"`
	Deployment int      `json:"deployment"`
	Activated  bool     `json:"activated"`
	Waiting    []string `json:"waiting,omitempty"` // what keeps it from being activated, and the next command
	Routes     []string `json:"routes,omitempty"`
	Steps      []Step   `json:"steps,omitempty"`
	Notices    []string `json:"notices,omitempty"` // what requests pay for how the version initialises
}

// Step is a part of a deploy and the time it took.
type Step struct {
	Name   string  `json:"name"`
	Millis float64 `json:"millis"`
	Detail string  `json:"detail,omitempty"` // for a person, e.g. "from cache"
}

// Plugin is an installed plugin and how it does.
type Plugin struct {
	Name       string    `json:"name"`
	Mount      string    `json:"mount"`
	State      string    `json:"state"` // serving, asleep, stopped, failed, deleted
	Error      string    `json:"error,omitempty"`
	Version    int       `json:"version"`  // the one that serves; 0 = none
	Versions   int       `json:"versions"` // number of the newest
	Deployment int       `json:"deployment"`
	Digest     string    `json:"digest,omitempty"`
	Label      string    `json:"label,omitempty"`
	Routes     []string  `json:"routes,omitempty"`
	Created    time.Time `json:"created"`
	Usage      Usage     `json:"usage"`
	InFlight   int64     `json:"in_flight"`
	Idle       int       `json:"idle"`                    // clean instances that wait for a request
	Busy       int       `json:"busy"`                    // instances that serve one
	Fresh      string    `json:"fresh,omitempty"`         // why each request gets a new instance
	Making     float64   `json:"making_millis,omitempty"` // how long the last new instance took to make
	Stateful   bool      `json:"stateful,omitempty"`      // instances keep their memory between requests
}

// Version is a version of a plugin.
type Version struct {
	plugin.Version
	State   string   `json:"state,omitempty"`   // serving, waiting; "" = it can be activated
	Waiting []string `json:"waiting,omitempty"` // what keeps it from that, each with what to do
}

// Usage is what a key space holds.
type Usage struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
}

// Var is a variable of a plugin. Value is empty when it is secret.
type Var struct {
	Name        string  `json:"name"`
	Value       string  `json:"value,omitempty"`
	Set         bool    `json:"set"`
	Secret      bool    `json:"secret"`
	Required    bool    `json:"required"`
	Default     *string `json:"default,omitempty"` // nil = none
	Description string  `json:"description,omitempty"`
}

// Server is what the server says of itself.
type Server struct {
	Version       string `json:"version"`
	Go            string `json:"go"`
	UptimeSeconds int64  `json:"uptime_seconds"`
	Plugins       int    `json:"plugins"`
	Public        struct {
		URL string `json:"url"`
	} `json:"public"`
}

// Status returns what the server says of itself.
func (c *Client) Status(ctx context.Context) (Server, error) {
	var s Server
	err := c.call(ctx, request{op: "status", method: http.MethodGet, path: []string{"v1", "status"}}, &s)
	return s, err
}

// Deploy uploads a module as a new version and, unless told otherwise,
// activates it. An Outcome that waits is no error.
func (c *Client) Deploy(ctx context.Context, u Upload) (Outcome, error) {
	query := url.Values{}
	setNotEmpty(query, "mount", u.Mount)
	setNotEmpty(query, "label", u.Label)
	if u.Grant {
		query.Set("grant", "true")
	}
	if u.NoActivate {
		query.Set("activate", "false")
	}
	var out Outcome
	err := c.plugin(ctx, request{
		op: "deploy", method: http.MethodPost, path: []string{"versions"},
		query: query, body: u.Module, contentType: "application/wasm",
	}, u.Name, &out)
	return out, err
}

// Activate makes a version the one that serves. An Outcome that waits is no
// error.
func (c *Client) Activate(ctx context.Context, name string, version int, grant bool) (Outcome, error) {
	var out Outcome
	body := `{"version":` + strconv.Itoa(version) + `,"grant":` + strconv.FormatBool(grant) + `}`
	err := c.plugin(ctx, request{
		op: "activate", method: http.MethodPost, path: []string{"deployments"},
		body: []byte(body), contentType: "application/json",
	}, name, &out)
	return out, err
}

// Plugins lists what is installed.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var out []Plugin
	err := c.call(ctx, request{op: "list plugins", method: http.MethodGet, path: []string{"v1", "plugins"}}, &out)
	return out, err
}

// Plugin returns one plugin.
func (c *Client) Plugin(ctx context.Context, name string) (Plugin, error) {
	var out Plugin
	err := c.plugin(ctx, request{op: "read plugin", method: http.MethodGet}, name, &out)
	return out, err
}

// Versions lists the versions of a plugin.
func (c *Client) Versions(ctx context.Context, name string) ([]Version, error) {
	var out []Version
	err := c.plugin(ctx, request{op: "list versions", method: http.MethodGet, path: []string{"versions"}}, name, &out)
	return out, err
}

// Deployments calls yield with the deployments of a plugin, the newest first,
// until it returns false.
func (c *Client) Deployments(ctx context.Context, name string, yield func(plugin.Deployment) bool) error {
	for before := 0; ; {
		var page []plugin.Deployment
		r := request{op: "list deployments", method: http.MethodGet, path: []string{"deployments"}}
		if before > 0 {
			r.query = url.Values{"before": {strconv.Itoa(before)}}
		}
		if err := c.plugin(ctx, r, name, &page); err != nil {
			return err
		}
		for _, d := range page {
			if before > 0 && d.Number >= before || !yield(d) {
				return nil // a server that knows no pages sends the same again
			}
			before = d.Number
		}
		if len(page) == 0 || before <= 1 {
			return nil
		}
	}
}

// Delete removes a plugin. Its data stays for a later plugin of that name,
// unless purge says otherwise.
func (c *Client) Delete(ctx context.Context, name string, purge bool) error {
	query := url.Values{}
	if purge {
		query.Set("purge", "true")
	}
	return c.plugin(ctx, request{op: "delete", method: http.MethodDelete, query: query}, name, nil)
}

// Vars lists the variables of a plugin: those its manifest names.
func (c *Client) Vars(ctx context.Context, name string) ([]Var, error) {
	var out []Var
	err := c.plugin(ctx, request{op: "list vars", method: http.MethodGet, path: []string{"vars"}}, name, &out)
	return out, err
}

// SetVar gives a variable its value, which is a new deployment.
func (c *Client) SetVar(ctx context.Context, name, key string, value []byte) (Outcome, error) {
	var out Outcome
	if value == nil {
		value = []byte{}
	}
	err := c.plugin(ctx, request{
		op: "set var", method: http.MethodPut, path: []string{"vars", key},
		body: value, contentType: "text/plain; charset=utf-8",
	}, name, &out)
	return out, err
}

// UnsetVar takes a variable's value away, which is a new deployment.
func (c *Client) UnsetVar(ctx context.Context, name, key string) (Outcome, error) {
	var out Outcome
	err := c.plugin(ctx, request{op: "unset var", method: http.MethodDelete, path: []string{"vars", key}}, name, &out)
	return out, err
}

// CORS returns the CORS policy of a plugin; NotFound when it has none.
func (c *Client) CORS(ctx context.Context, name string) (plugin.CORS, error) {
	var out plugin.CORS
	err := c.plugin(ctx, request{op: "read CORS policy", method: http.MethodGet, path: []string{"cors"}}, name, &out)
	return out, err
}

// SetCORS sets the CORS policy of a plugin, which is a new deployment.
func (c *Client) SetCORS(ctx context.Context, name string, policy plugin.CORS) (Outcome, error) {
	var out Outcome
	body, err := json.Marshal(policy)
	if err != nil {
		return out, fault.Wrap(fault.Internal, "set CORS policy", "the policy cannot be encoded", err)
	}
	err = c.plugin(ctx, request{
		op: "set CORS policy", method: http.MethodPut, path: []string{"cors"}, body: body, contentType: "application/json",
	}, name, &out)
	return out, err
}

// UnsetCORS removes the CORS policy of a plugin, which is a new deployment.
func (c *Client) UnsetCORS(ctx context.Context, name string) (Outcome, error) {
	var out Outcome
	err := c.plugin(ctx, request{op: "unset CORS policy", method: http.MethodDelete, path: []string{"cors"}}, name, &out)
	return out, err
}

// plugin performs r below /v1/plugins/NAME.
func (c *Client) plugin(ctx context.Context, r request, name string, out any) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	r.path = append([]string{"v1", "plugins", name}, r.path...)
	return c.call(ctx, r, out)
}

func setNotEmpty(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
