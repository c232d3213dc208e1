// Package secure has browsers keep to what a plugin's pages are meant to do:
// requests that other sites cause are refused, and the header says what a page may
// load and who may frame it.
//
//	func init() { sdk.Handle(secure.SameOrigin(secure.Pages(routes().Serve))) }
//
// A program of net/http has http.CrossOriginProtection for the former, which works
// as it is, and Headers for the latter. Plugins import it.
package secure

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

// SameOrigin returns a handler that refuses with 403 what CheckOrigin refuses, and
// leaves the rest to h. It panics if a trusted origin is not one.
func SameOrigin(h sdk.Handler, trusted ...string) sdk.Handler {
	for _, origin := range trusted {
		if !isOrigin(origin) {
			panic("secure: '" + origin + "' is not an origin, like https://app.example.com")
		}
	}
	return func(w *sdk.Response, r *sdk.Request) error {
		if err := CheckOrigin(r, trusted...); err != nil {
			return err
		}
		return h(w, r)
	}
}

// CheckOrigin returns an sdk.Error with status 403 for a request that a browser
// makes for a page of another origin, unless the origin is a trusted one or the
// method is GET, HEAD or OPTIONS, with which a handler must change nothing. It needs
// neither a token nor a cookie: browsers tell in Sec-Fetch-Site, or Origin if they
// are from before 2023, where a request comes from. Other clients send neither and
// pass. The rules are those of http.CrossOriginProtection.
//
// Plugins on one host are one origin, whatever their mounts.
func CheckOrigin(r *sdk.Request, trusted ...string) error {
	switch r.Method() {
	case "GET", "HEAD", "OPTIONS":
		return nil
	}
	origin, site := r.Header("origin"), r.Header("sec-fetch-site")
	scheme, host, _ := strings.Cut(origin, "://")
	switch {
	case site == "same-origin", site == "none":
		return nil
	case site == "" && (origin == "" || host == r.Host() && (scheme == "https" || scheme == "http")):
		return nil
	case slices.Contains(trusted, origin):
		return nil
	case site == "":
		return sdk.Error(403, "this request was caused by a page of another origin, as Origin says")
	}
	return sdk.Error(403, "this request was caused by a page of another origin, as Sec-Fetch-Site says")
}

// isOrigin reports whether s is a scheme and a host, as browsers write it.
func isOrigin(s string) bool {
	scheme, host, ok := strings.Cut(s, "://")
	return ok && scheme != "" && host != "" && !strings.ContainsAny(scheme+host, "/?#@ ")
}
