package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// by is who the audit names: there is one token.
const by = "admin"

// apiConfig is huma's without its documentation pages, which load scripts from
// elsewhere, and without its lazily made OpenAPI routes, which race.
func apiConfig(version string) huma.Config {
	if version == "" {
		version = "unknown"
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "wasmoor admin API",
				Version:     version,
				Description: "Deploys plugins and shows how they do. Errors are application/problem+json.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "The admin token, which the server writes into its data directory at its first start"},
				},
			},
		},
		// "json" is what huma looks up for application/problem+json.
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownErrors},
	}
}

// operation describes one route of the API.
func operation(id, method, path, summary string, status int) huma.Operation {
	return huma.Operation{
		OperationID:   id,
		Method:        method,
		Path:          path,
		Summary:       summary,
		DefaultStatus: status,
		Security:      []map[string][]string{{"token": {}}},
	}
}

// route binds a handler whose errors are faults. HEAD is answered as GET is.
func route[I, O any](api huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Responses = map[string]*huma.Response{"default": {
		Description: "Error",
		Content: map[string]*huma.MediaType{problemType: {
			Schema: api.OpenAPI().Components.Schemas.Schema(problemSchema, true, "Problem"),
		}},
	}}
	answer := func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, adminProblem(ctx, err)
		}
		return out, nil
	}
	huma.Register(api, op, answer)
	if op.Method == http.MethodGet { // fasthttp leaves the body out
		op.Method, op.Hidden = http.MethodHead, true
		huma.Register(api, op, answer)
	}
}

// adminProblem describes a failure to an operator. What is internal stays in the
// log, where the request id finds it.
func adminProblem(ctx context.Context, err error) *problem {
	call := adminCallOf(ctx)
	call.err = err
	if r, ok := errors.AsType[refusalError](err); ok {
		p := newProblem(r.status, r.code, r.detail, call.id)
		return &p
	}
	code := fault.CodeOf(err)
	detail := publicDetail(code)
	if code != fault.Internal && code != fault.Unknown {
		detail = fault.MessageOf(err)
	}
	p := newProblem(adminStatus(code), code, detail, call.id)
	return &p
}

// Error, GetStatus and ContentType make a problem what huma sends as an error.
func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return problemType }

// ownErrors gives huma's errors, those of validation, the one shape of an error.
// Replacing huma.NewError would do the same to every other user of huma in the
// process.
func ownErrors(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(m.Status, codeOfStatus(m.Status), m.Detail, adminCallOf(ctx.Context()).id)
	if p.Code == fault.Internal {
		p.Detail = publicDetail(p.Code)
		return p, nil
	}
	for _, e := range m.Errors {
		if e != nil {
			p.Errors = append(p.Errors, problemField{Message: e.Message, Location: e.Location})
		}
	}
	return p, nil
}

func codeOfStatus(status int) fault.Code {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusRequestTimeout:
		return fault.Deadline
	}
	if status >= 500 {
		return fault.Internal
	}
	return fault.Invalid
}

// rawBody is embedded in the input of a route whose body is bytes. huma would
// read a body whole before it looks at its size.
type rawBody struct{ ctx *fasthttp.RequestCtx }

// Resolve is called by huma when it has read the parameters.
func (b *rawBody) Resolve(ctx huma.Context) []error {
	b.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

// read returns the body, which may have max bytes. The bytes are the caller's.
func (b *rawBody) read(max int64) ([]byte, error) {
	body, _, r := readInto(b.ctx, nil, max, max, new(share))
	if r == nil {
		return body, nil
	}
	if r.close {
		endConnection(b.ctx)
	}
	return nil, refusalError{r}
}

// withBody says in the document that a route takes bytes of a media type.
func withBody(op huma.Operation, mediaType, description string) huma.Operation {
	op.RequestBody = &huma.RequestBody{
		Description: description,
		Required:    true,
		Content:     map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
	return op
}

// named is the input of a route about one plugin. The others repeat its field:
// huma does not look into embedded types that are not exported.
type named struct {
	Name string `path:"name" doc:"Name of the plugin" example:"guestbook"`
}

// list makes an absent list an empty one, as JSON shows it.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// under returns a path of the API below a plugin.
func under(parts ...string) string {
	return strings.Join(append([]string{"/v1/plugins/{name}"}, parts...), "/")
}
