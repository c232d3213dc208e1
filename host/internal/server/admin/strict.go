package admin

import (
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// strict refuses what huma would take although the document does not: a query
// that cannot be read, a parameter twice that is no list, numbers and booleans without
// a value or in a spelling of Go's, and bodies of another media type.
func strict[I any](api huma.API, op huma.Operation) func(huma.Context, func(huma.Context)) {
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
		if !takes(op, ctx.Header("Content-Type")) {
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

// takes reports whether an operation takes a body with the header Content-Type.
// Without one the body is taken for what it should be.
func takes(op huma.Operation, contentType string) bool {
	want := mediaTypeOf(op)
	if want == "" || contentType == "" {
		return true
	}
	got, _, err := mime.ParseMediaType(contentType)
	return err == nil && got == want
}
