// Package json reads and writes JSON bodies with encoding/json. It is apart
// from package sdk because of its price: about 1.5 MB and a slower start for
// every guest that imports it, and tens of microseconds for each body. Plugins
// import it.
package json

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

// Read decodes the request's body, one JSON value of at most limit bytes, into
// v. What is wrong with a body is an sdk.Error that tells the client: 415 for
// another content type, 413 for a longer body, 400 for anything that is not
// JSON of v's form. A field that v does not have is wrong too, so that a
// misspelt one is not lost in silence.
func Read(r *sdk.Request, limit int, v any) error {
	if !isJSON(r.Header("content-type")) {
		return sdk.Error(415, "the body must be application/json")
	}
	body, err := r.Body(limit)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return sdk.Error(400, "the body is empty; it must be JSON")
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return sdk.Error(400, explain(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return sdk.Error(400, "the body has more than one JSON value")
	}
	return nil
}

// Write answers with v as JSON. A v that JSON cannot hold is an error, and the
// response is untouched.
func Write(w *sdk.Response, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.SetStatus(status)
	w.SetHeader("Content-Type", "application/json")
	_, err = w.Write(append(body, '\n'))
	return err
}

// isJSON reports whether a Content-Type is application/json or a +json type.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// explain says what is wrong with a body in the words of JSON, not of Go.
func explain(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "the body is not JSON: " + syntax.Error() + " at byte " + strconv.FormatInt(syntax.Offset, 10)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if kind.Field == "" {
			return "the body is a JSON " + kind.Value + ", which is not what is asked for"
		}
		return `"` + kind.Field + `" must not be a JSON ` + kind.Value
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "the body has an unknown field " + field
	}
	return "the body is not whole JSON"
}
