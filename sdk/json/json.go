// Package json reads and writes JSON bodies with encoding/json. It is apart
// from package sdk because of its price: about 1.5 MB and a slower start for
// every guest that imports it, and tens of microseconds for each body. Plugins
// import it.
package json

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/jsonbody"
)

// Option changes how Read decodes.
type Option int

// AllowUnknownFields ignores fields that the value does not have: for bodies of
// other services, which may add some.
const AllowUnknownFields Option = iota + 1

// Read decodes the request's body, one JSON value of at most limit bytes, into
// v. What is wrong with a body is an sdk.Error that tells the client: 415 for
// another content type, 413 for a longer body, 400 for anything that is not
// JSON of v's form, with the field and the byte where that is found out. A field
// that v does not have is wrong too, so that a misspelt one is not lost in silence;
// AllowUnknownFields takes it.
func Read(r *sdk.Request, limit int, v any, options ...Option) error {
	body, err := jsonbody.Read(r, limit)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	if !slices.Contains(options, AllowUnknownFields) {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		if wrong, ok := errors.AsType[*json.InvalidUnmarshalError](err); ok {
			return wrong // v is no pointer
		}
		return sdk.Error(400, explain(err, string(body)))
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

// explain says what is wrong with a body in the words of JSON, not of Go.
func explain(err error, body string) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "the body is not JSON: " + syntax.Error() + at(syntax.Offset)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if kind.Field == "" {
			return "the body is a JSON " + kind.Value + ", which is not what is asked for"
		}
		return `"` + kind.Field + `" must not be a JSON ` + kind.Value + at(kind.Offset)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		where := ""
		if strings.Count(body, field) == 1 {
			where = at(int64(strings.Index(body, field)) + 1)
		}
		return "the body has an unknown field " + field + where
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the body is not whole JSON: it ends" + at(int64(len(body)))
	}
	return "the body has a value that is not what is asked for"
}

// at names a byte, counted from 1.
func at(offset int64) string { return " at byte " + strconv.FormatInt(offset, 10) }
