package sdktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// internal ends the hosts by which plugins of one server call each other.
const internal = ".wasmoor.internal"

// Service lets handlers call another plugin by a name of [services] in the manifest:
// callee answers what goes to http://NAME.wasmoor.internal in place of the plugin. As with
// a plugin, its answer is not kept: it is asked again when a handler runs again, and a
// redirect is not followed. If it panics the plugin has failed, and the answer is 502.
func (h *Host) Service(name string, callee http.Handler) {
	if h.services == nil {
		h.services = map[string]http.Handler{}
	}
	h.services[name+internal] = callee
}

// isInternal reports whether a valid URL names a plugin of the same server.
func isInternal(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return strings.HasSuffix(host, internal) || host == internal[1:]
}

// find notes who answers a call, and returns why nobody does.
func (o *outbound) find(h *Host) abi.Status {
	u, _ := url.Parse(o.request.URL) // it is valid
	switch {
	case !isInternal(u):
		o.service = h.upstream(o.request.URL)
	case u.Scheme != "http" || u.Port() != "" && u.Port() != "80" || strings.HasSuffix(u.Host, "."):
		return abi.Invalid
	default:
		o.inside, o.service = true, h.services[strings.ToLower(u.Hostname())]
	}
	if o.service == nil {
		return abi.Denied
	}
	return abi.OK
}

// failed is the answer of the host in place of a plugin's that has failed.
func failed() *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = fmt.Fprintf(w, `{"type":"urn:wasmoor:trap","title":"Bad Gateway","status":%d,"code":"trap"}`, http.StatusBadGateway)
	return w
}
