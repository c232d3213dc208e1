// Package strict holds operations of the admin API to their document: it refuses what
// huma would take although the document does not, and says there what huma cannot.
// Only package server/admin imports it.
package strict

import (
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Refuse refuses what huma would take although the document does not: a query
// that cannot be read, a parameter twice that is no list, numbers and booleans without
// a value or in a spelling of Go's, and bodies of another media type.
func Refuse[I any](api huma.API, op huma.Operation) func(huma.Context, func(huma.Context)) {
	kinds := map[string]reflect.Kind{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[I]()) {
		if name, ok := f.Tag.Lookup("query"); ok {
			name, _, _ = strings.Cut(name, ",")
			kinds[name] = f.Type.Kind()
		}
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			_ = huma.WriteErr(api, ctx, http.StatusBadRequest, "the query cannot be read: a percent sign or a semicolon in it is not escaped")
			return
		}
		var errs []error
		for name, values := range query {
			if why := misspelt(kinds[name], values); why != "" {
				errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: why})
			}
		}
		if len(errs) > 0 {
			_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "validation failed", errs...)
			return
		}
		if !takesType(op, ctx.Header("Content-Type")) {
			_ = huma.WriteErr(api, ctx, http.StatusUnsupportedMediaType, "the body has another media type than "+mediaTypeOf(op))
			return
		}
		next(ctx)
	}
}

// misspelt says why the values of a parameter are not one in its usual spelling.
func misspelt(kind reflect.Kind, values []string) string {
	if kind == reflect.Slice {
		return ""
	}
	if len(values) != 1 {
		return "expected one value"
	}
	switch value := values[0]; kind {
	case reflect.Bool:
		if value != "true" && value != "false" {
			return "expected true or false"
		}
	case reflect.Int, reflect.Uint64:
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || strconv.FormatInt(n, 10) != value {
			return "expected an integer"
		}
	}
	return ""
}

// mediaTypeOf returns the media type of the body that an operation takes; "" when
// it takes none.
func mediaTypeOf(op huma.Operation) string {
	if op.RequestBody != nil {
		for mediaType := range op.RequestBody.Content { // there is one
			return mediaType
		}
	}
	return ""
}

// takesType reports whether an operation takes a body with the header Content-Type.
// Without one the body is taken for what it should be.
func takesType(op huma.Operation, contentType string) bool {
	want := mediaTypeOf(op)
	if want == "" || contentType == "" {
		return true
	}
	got, _, err := mime.ParseMediaType(contentType)
	return err == nil && got == want
}

// Exclude says that neither a parameter nor an item of it is what matches a pattern. huma
// checks it too.
func Exclude(op *huma.Operation, name, pattern string) {
	for _, p := range op.Parameters {
		if p.Name == name {
			s := p.Schema
			if s.Items != nil {
				s = s.Items
			}
			s.Not = &huma.Schema{Type: huma.TypeString, Pattern: pattern}
			p.Schema.PrecomputeMessages()
		}
	}
}

// OneKey says that an operation takes one of the parameters key and key_base64.
// What parameters have to do with each other can be said of the properties of an
// object alone: of one whose properties are parameters.
func OneKey(op *huma.Operation) {
	var rest []*huma.Param
	key := &huma.Schema{}
	for _, p := range op.Parameters {
		if !strings.HasPrefix(p.Name, "key") {
			rest = append(rest, p)
			continue
		}
		key.OneOf = append(key.OneOf, &huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{p.Name: p.Schema},
			Required: []string{p.Name}, AdditionalProperties: false,
		})
	}
	explode := true
	op.Parameters = append(rest, &huma.Param{
		Name: "key", In: "query", Required: true, Style: "form", Explode: &explode,
		Description: "The key, in one of two forms, each a parameter of its own", Schema: key,
	})
}
