// Package jsonbody takes the body of a request that should be JSON. Packages
// json and jsontext import it.
package jsonbody

import (
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

// Read returns the request's body, which the caller may keep and change. What is
// wrong with it is an sdk.Error that tells the client: 415 for another content
// type, 413 for more than limit bytes, 400 for none.
func Read(r *sdk.Request, limit int) ([]byte, error) {
	if !isJSON(r.Header("content-type")) {
		return nil, sdk.Error(415, "the body must be application/json")
	}
	body, err := r.Body(limit)
	if err == nil && len(body) == 0 {
		err = sdk.Error(400, "the body is empty; it must be JSON")
	}
	return body, err
}

// isJSON reports whether a Content-Type is application/json or a +json type.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
