// Package nethttp serves any http.Handler as a plugin, and makes the calls of
// http.Client by the host.
//
//	func init() {
//		mux := http.NewServeMux()
//		mux.HandleFunc("GET /hello/{name}", hello)
//		nethttp.Handle(mux)
//	}
//
// Handlers, middleware and routers for net/http work as they are. A request is
// one transaction as with package sdk: a status of 500 or above drops its writes,
// sdk.Commit and sdk.Abort decide otherwise. The response leaves when the handler has
// returned, so Flush sends nothing, and there is no Hijack.
//
// # Paths
//
// Request.URL.Path is the path below the plugin's mount, as if the handler stood
// after http.StripPrefix; Request.RequestURI is whole. A Location that starts with
// a slash is below the mount too: the mount is put in front of it, so that
// redirects of http.ServeMux and http.Redirect are right wherever the plugin is
// mounted. So is the Path of a cookie. Links in pages start with Mount.
//
// # Calls
//
// Importing the package makes http.DefaultTransport call by the host, so that
// http.Get and http.DefaultClient work; Transport is for other clients. Calls of
// several goroutines that are ready at the same time are sent together.
//
// Plugins import it. It costs the size of net/http.
package nethttp

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/sdk"
)

// Handle makes h the plugin's handler, http.DefaultServeMux if h is nil. Call it once, in
// an init function.
func Handle(h http.Handler) {
	warm()
	sdk.Handle(Serve(h))
}

// warm has net/http make the tables that it makes at first use, so that requests
// start with them.
func warm() {
	http.CanonicalHeaderKey("accept")
	oneLine.Replace("\n")
	http.DetectContentType([]byte("<"))
}

// Serve returns h as a handler of package sdk, for sdktest.New for instance.
// nil is http.DefaultServeMux.
func Serve(h http.Handler) sdk.Handler {
	if h == nil {
		h = http.DefaultServeMux //nolint:forbidigo // as net/http has it
	}
	return func(w *sdk.Response, r *sdk.Request) error {
		ctx := &requestContext{request: r}
		defer ctx.end()
		req, err := newRequest(ctx, r)
		if err != nil {
			return sdk.Error(http.StatusBadRequest, err.Error())
		}
		rw := newWriter(w, r)
		if aborted := serve(h, rw, req, r); aborted {
			return errAborted
		}
		rw.Flush()
		return nil
	}
}

// errAborted is the response to a panic with http.ErrAbortHandler, for which net/http
// closes the connection without a word in the log.
var errAborted = sdk.Error(http.StatusBadGateway, "the handler aborted the response")

// serve calls h and reports whether it has panicked with http.ErrAbortHandler. Any
// other panic goes on. The host hears of the pattern that http.ServeMux has matched,
// unless the handler has told it another.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request, from *sdk.Request) (aborted bool) {
	before := r.Pattern
	defer func() {
		if from.Pattern() == before && r.Pattern != before {
			from.SetPattern(r.Pattern)
		}
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// FromContext returns the request that a context belongs to, which tells of it what
// http.Request does not: attempt, id, trigger, attributes. ok is false in a program
// that is no plugin.
func FromContext(ctx context.Context) (r *sdk.Request, ok bool) {
	r, ok = ctx.Value(requestKey{}).(*sdk.Request)
	return r, ok
}

// Mount returns the prefix that the plugin is mounted at, without a trailing "/".
// Links to the plugin's own pages start with it. It is empty at the root, and in a
// program that is no plugin.
func Mount(r *http.Request) string {
	if request, ok := FromContext(r.Context()); ok {
		return request.Mount()
	}
	return ""
}
