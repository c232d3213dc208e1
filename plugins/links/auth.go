package main

import (
	"crypto/subtle"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

// withKey lets a request through that carries the configured API key, as bearer
// token. Without a configured key nobody gets through.
func withKey(next sdk.Handler) sdk.Handler {
	return func(w *sdk.Response, r *sdk.Request) error {
		key, _ := sdk.Config("api_key")
		if key == "" {
			return sdk.Error(403, "no API key is configured: the operator sets the plugin's variable api_key")
		}
		if !sameKey(bearer(r), key) {
			w.SetHeader("WWW-Authenticate", `Bearer realm="links"`)
			return sdk.Error(401, "send the API key as Authorization: Bearer KEY")
		}
		return next(w, r)
	}
}

func bearer(r *sdk.Request) string {
	scheme, token, _ := strings.Cut(r.Header("authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// sameKey takes the same time however much of the key is right. Its length is
// no secret.
func sameKey(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}
