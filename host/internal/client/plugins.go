package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Status returns what the server says of itself.
func (c *Client) Status(ctx context.Context) (adminapi.Status, error) {
	var s adminapi.Status
	err := c.call(ctx, request{op: "status", method: http.MethodGet, path: adminapi.PathStatus}, &s)
	return s, err
}

// maxMetrics is how much a server's metrics may be, in bytes.
const maxMetrics = 64 << 20

// Metrics returns the metrics of the server in Prometheus's text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	resp, err := c.send(ctx, request{op: "metrics", method: http.MethodGet, path: adminapi.PathMetrics})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := readAll(resp.Body, maxMetrics)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "metrics", "the answer was cut short", err)
	}
	return text, nil
}

// Settings lists what the server runs with, by key.
func (c *Client) Settings(ctx context.Context) (list []adminapi.Setting, err error) {
	err = c.call(ctx, request{op: "settings", method: http.MethodGet, path: adminapi.PathConfig}, &list)
	return list, err
}

// ReloadSettings has the server read its settings again, and returns those that
// differ from what it ran with.
func (c *Client) ReloadSettings(ctx context.Context) (changes []adminapi.SettingChange, err error) {
	err = c.call(ctx, request{op: "reload", method: http.MethodPost, path: adminapi.PathReload}, &changes)
	return changes, err
}

// Deploy uploads a module, with its manifest packed in, as a new version and
// activates it if up says so. A change that waits is no error.
func (c *Client) Deploy(ctx context.Context, up adminapi.Upload, module []byte) (adminapi.Changed, error) {
	return c.change(ctx, up.Name, request{
		op: "deploy", method: http.MethodPost, path: adminapi.PathVersions, in: up,
		body: module, contentType: adminapi.TypeModule,
	})
}

// Activate makes a version the one that serves. A change that waits is no
// error.
func (c *Client) Activate(ctx context.Context, name string, a adminapi.Activation) (adminapi.Changed, error) {
	return c.changeTo(ctx, name, request{op: "activate", method: http.MethodPost, path: adminapi.PathDeployments}, a)
}

// Plugins lists what is installed.
func (c *Client) Plugins(ctx context.Context) ([]adminapi.Plugin, error) {
	var out []adminapi.Plugin
	err := c.call(ctx, request{op: "list plugins", method: http.MethodGet, path: adminapi.PathPlugins}, &out)
	return out, err
}

// Plugin returns one plugin.
func (c *Client) Plugin(ctx context.Context, name string) (adminapi.Plugin, error) {
	var out adminapi.Plugin
	err := c.read(ctx, name, request{op: "read plugin", path: adminapi.PathPlugin}, &out)
	return out, err
}

// Versions lists the versions of a plugin.
func (c *Client) Versions(ctx context.Context, name string) ([]adminapi.Version, error) {
	var out []adminapi.Version
	err := c.read(ctx, name, request{op: "list versions", path: adminapi.PathVersions}, &out)
	return out, err
}

// Module writes the module of a version to w as it comes. Whoever has it compares the
// digest; an error leaves a part of it written.
func (c *Client) Module(ctx context.Context, name, digest string, w io.Writer) error {
	const op = "download the module"
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	d, err := plugin.ParseDigest(digest)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, request{op: op, method: http.MethodGet, path: adminapi.PathModule, answer: maxModule, in: adminapi.ModuleRef{
		PluginRef: adminapi.PluginRef{Name: name}, Digest: d.Hex(),
	}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, io.LimitReader(resp.Body, maxModule+1))
	switch {
	case err != nil:
		return fault.Wrap(fault.Unavailable, op, "the module was not read or written to its end", err)
	case n > maxModule:
		return fault.New(fault.TooLarge, op, c.base.Host+" sends more than a module may have; is --server the admin address?")
	}
	return nil
}

// Deployments calls yield with the deployments of a plugin, the newest first,
// until it returns false.
func (c *Client) Deployments(ctx context.Context, name string, yield func(adminapi.Deployment) bool) error {
	q := adminapi.DeploymentsQuery{PluginRef: adminapi.PluginRef{Name: name}}
	for {
		var page []adminapi.Deployment
		if err := c.about(ctx, name, request{op: "list deployments", method: http.MethodGet, path: adminapi.PathDeployments, in: q}, &page); err != nil {
			return err
		}
		for _, d := range page {
			if q.Before > 0 && d.Number >= q.Before || !yield(d) {
				return nil // a server that knows no pages sends the same again
			}
			q.Before = d.Number
		}
		if len(page) == 0 || q.Before <= 1 {
			return nil
		}
	}
}

// Delete removes a plugin. Its data stays for a later plugin of that name,
// unless purge says otherwise.
func (c *Client) Delete(ctx context.Context, name string, purge bool) error {
	return c.about(ctx, name, request{
		op: "delete", method: http.MethodDelete, path: adminapi.PathPlugin,
		in: adminapi.Removal{PluginRef: adminapi.PluginRef{Name: name}, Purge: purge},
	}, nil)
}

// Vars lists the variables of a plugin: those its manifest names.
func (c *Client) Vars(ctx context.Context, name string) ([]adminapi.Var, error) {
	var out []adminapi.Var
	err := c.read(ctx, name, request{op: "list vars", path: adminapi.PathVars}, &out)
	return out, err
}

// SetVar gives a variable its value, which is a new deployment.
func (c *Client) SetVar(ctx context.Context, name, key string, value []byte) (adminapi.Changed, error) {
	return c.change(ctx, name, request{
		op: "set var", method: http.MethodPut, path: adminapi.PathVar, in: varRef(name, key),
		body: append([]byte{}, value...), contentType: adminapi.TypeVar + "; charset=utf-8",
	})
}

// UnsetVar takes a variable's value away, which is a new deployment.
func (c *Client) UnsetVar(ctx context.Context, name, key string) (adminapi.Changed, error) {
	return c.change(ctx, name, request{op: "unset var", method: http.MethodDelete, path: adminapi.PathVar, in: varRef(name, key)})
}

// ChangeVars sets and unsets several variables, which is one new deployment.
func (c *Client) ChangeVars(ctx context.Context, name string, change adminapi.VarsChange) (adminapi.Changed, error) {
	return c.changeTo(ctx, name, request{op: "change vars", method: http.MethodPatch, path: adminapi.PathVars}, change)
}

// Secrets lists the secrets of a plugin, without their values.
func (c *Client) Secrets(ctx context.Context, name string) ([]adminapi.Secret, error) {
	var out []adminapi.Secret
	err := c.read(ctx, name, request{op: "list secrets", path: adminapi.PathSecrets}, &out)
	return out, err
}

// SetSecret gives a secret its value, which is a new deployment.
func (c *Client) SetSecret(ctx context.Context, name, key string, value []byte) (adminapi.Changed, error) {
	return c.change(ctx, name, request{
		op: "set secret", method: http.MethodPut, path: adminapi.PathSecret, in: varRef(name, key),
		body: append([]byte{}, value...), contentType: adminapi.TypeVar + "; charset=utf-8",
	})
}

// UnsetSecret takes a secret's value away, which is a new deployment.
func (c *Client) UnsetSecret(ctx context.Context, name, key string) (adminapi.Changed, error) {
	return c.change(ctx, name, request{op: "unset secret", method: http.MethodDelete, path: adminapi.PathSecret, in: varRef(name, key)})
}

// RotateKey replaces the key that the server seals secrets with.
func (c *Client) RotateKey(ctx context.Context) (adminapi.RotatedKey, error) {
	var out adminapi.RotatedKey
	err := c.call(ctx, request{op: "rotate the key of the secrets", method: http.MethodPost, path: adminapi.PathRotateKey}, &out)
	return out, err
}

// Limits returns the limits of a plugin, and who decided them.
func (c *Client) Limits(ctx context.Context, name string) (adminapi.LimitsShown, error) {
	var out adminapi.LimitsShown
	err := c.read(ctx, name, request{op: "read limits", path: adminapi.PathLimits}, &out)
	return out, err
}

// SetLimits replaces the operator's limits of a plugin, which is a new deployment.
func (c *Client) SetLimits(ctx context.Context, name string, limits adminapi.Limits) (adminapi.Changed, error) {
	return c.changeTo(ctx, name, request{op: "set limits", method: http.MethodPut, path: adminapi.PathLimits}, limits)
}

// CORS returns the CORS policy of a plugin; NotFound when it has none.
func (c *Client) CORS(ctx context.Context, name string) (adminapi.CORS, error) {
	var out adminapi.CORS
	err := c.read(ctx, name, request{op: "read CORS policy", path: adminapi.PathCORS}, &out)
	return out, err
}

// SetCORS sets the CORS policy of a plugin, which is a new deployment.
func (c *Client) SetCORS(ctx context.Context, name string, policy adminapi.CORS) (adminapi.Changed, error) {
	return c.changeTo(ctx, name, request{op: "set CORS policy", method: http.MethodPut, path: adminapi.PathCORS}, policy)
}

// UnsetCORS removes the CORS policy of a plugin, which is a new deployment.
func (c *Client) UnsetCORS(ctx context.Context, name string) (adminapi.Changed, error) {
	return c.change(ctx, name, request{
		op: "unset CORS policy", method: http.MethodDelete, path: adminapi.PathCORS, in: adminapi.PluginRef{Name: name},
	})
}

func varRef(name, key string) adminapi.VarRef {
	return adminapi.VarRef{PluginRef: adminapi.PluginRef{Name: name}, Var: key}
}

// read performs r, a GET without parameters, about one plugin.
func (c *Client) read(ctx context.Context, name string, r request, out any) error {
	r.method, r.in = http.MethodGet, adminapi.PluginRef{Name: name}
	return c.about(ctx, name, r, out)
}

// change performs r, which changes what serves.
func (c *Client) change(ctx context.Context, name string, r request) (adminapi.Changed, error) {
	var out adminapi.Changed
	err := c.about(ctx, name, r, &out)
	return out, err
}

// changeTo is change with a JSON body.
func (c *Client) changeTo(ctx context.Context, name string, r request, body any) (out adminapi.Changed, err error) {
	if r.body, err = json.Marshal(body); err != nil {
		return out, fault.Wrap(fault.Internal, r.op, "the request cannot be encoded", err)
	}
	r.in, r.contentType = adminapi.PluginRef{Name: name}, "application/json"
	return c.change(ctx, name, r)
}

// about performs r about one plugin.
func (c *Client) about(ctx context.Context, name string, r request, out any) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	return c.call(ctx, r, out)
}
