package secure

import (
	"encoding/base64"
	"iter"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/world"
)

// Headers are fields for a page. The zero value lets it load what is of its own
// origin, and no inline script or style; nobody may frame it, and other sites learn
// nothing of it but its origin.
type Headers struct {
	// Nonce, from NewNonce, lets inline scripts and styles run that have it as the
	// value of their attribute nonce.
	Nonce string
	// Policy is the Content-Security-Policy in place of the one that is made from
	// Nonce.
	Policy string
}

// All ranges over names and values for a response, with Strict-Transport-Security
// if it goes out over HTTPS. In a program of net/http:
//
//	for name, value := range secure.Headers{}.All(r.TLS != nil) {
//		w.Header().Set(name, value)
//	}
func (h Headers) All(https bool) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		_ = yield("Content-Security-Policy", h.policy()) &&
			yield("X-Content-Type-Options", "nosniff") &&
			yield("Referrer-Policy", "strict-origin-when-cross-origin") &&
			yield("Cross-Origin-Opener-Policy", "same-origin") &&
			yield("Cross-Origin-Resource-Policy", "same-origin") &&
			https && yield("Strict-Transport-Security", "max-age=31536000")
	}
}

func (h Headers) policy() string {
	if h.Policy != "" {
		return h.Policy
	}
	policy := "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
	if h.Nonce != "" {
		from := "'self' 'nonce-" + h.Nonce + "'"
		policy += "; script-src " + from + "; style-src " + from
	}
	return policy
}

// Set sets the fields in a response. Set another value later to have it instead.
func (h Headers) Set(w *sdk.Response, r *sdk.Request) {
	for name, value := range h.All(r.Scheme() == "https") {
		w.SetHeader(name, value)
	}
}

// Pages returns a handler that sets the fields of the zero Headers and goes on with
// h.
func Pages(h sdk.Handler) sdk.Handler {
	return func(w *sdk.Response, r *sdk.Request) error {
		Headers{}.Set(w, r)
		return h(w, r)
	}
}

// NewNonce returns 128 random bits as text, for one response.
func NewNonce() string {
	var b [16]byte
	world.Random(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
