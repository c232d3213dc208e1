package sdk

import (
	"strings"

	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Router shares requests out by method and path, with the patterns of Go 1.22's
// net/http: "GET /items/{id}", "/files/{path...}", "/{$}". The most specific
// pattern wins; GET serves HEAD too. Paths are those below the plugin's mount;
// a pattern has no host.
//
// It answers what no pattern matches: 404, or 405 with Allow if the path has
// patterns for other methods, and OPTIONS with Allow. It reports the pattern to
// the host, whose log names it with each request.
//
// Build it during initialisation; it does not change after that.
type Router struct {
	set pattern.Set[Handler]
}

// NewRouter returns a router without patterns.
func NewRouter() *Router { return &Router{} }

// HandleFunc adds a pattern. It panics if the pattern is wrong or conflicts with
// another one: the deploy then fails and says why.
func (rt *Router) HandleFunc(text string, h Handler) {
	p, err := pattern.Parse(text)
	if err != nil {
		panic(unquoted(err))
	}
	switch {
	case p.Host() != "":
		panic("sdk: the pattern '" + text + "' names a host: only a mount has one; write '" + p.WithoutHost() + "'")
	case h == nil:
		panic("sdk: the handler of the pattern '" + text + "' is nil")
	}
	if err := rt.set.Add(p, h); err != nil {
		panic(unquoted(err))
	}
}

// unquoted is the text of a panic that the host quotes to whoever deploys:
// single quotes stay as they are there.
func unquoted(err error) string { return "sdk: " + strings.ReplaceAll(err.Error(), `"`, "'") }

// Serve answers a request with the handler of the pattern that matches. It is a
// Handler: sdk.Handle(router.Serve).
func (rt *Router) Serve(w *Response, r *Request) error {
	match, ok := rt.set.Match(r.Method(), "", r.Path(), r.params[:0])
	if !ok {
		return rt.refuse(w, r)
	}
	r.route, r.params = match.Pattern.String(), match.Params
	must("route_set", hostcall.RouteSet(r.route))
	return match.Value(w, r)
}

// refuse answers a request that no pattern matches.
func (rt *Router) refuse(w *Response, r *Request) error {
	methods := rt.set.Allowed("", r.Path())
	if len(methods) == 0 {
		return Error(404, "there is nothing at this path")
	}
	allow := strings.Join(methods, ", ")
	w.SetHeader("Allow", allow)
	if r.Method() == "OPTIONS" {
		return w.NoContent()
	}
	return Error(405, "this path answers "+allow)
}
