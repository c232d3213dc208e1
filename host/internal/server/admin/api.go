package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/admin/strict"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

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
					"token": {Type: "http", Scheme: "bearer", Description: "A token. That of the owner is in the data directory of the server. x-role is the role that an operation takes, and x-plugins says for which plugins: the one of its path (named), any, of which it shows and changes those alone (some), or all"},
				},
			},
		},
		// "json" is what huma looks up for application/problem+json.
		Formats:                      map[string]huma.Format{"application/json": strict.JSON, "json": strict.JSON},
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

// get describes a route that shows something.
func get(id, path, summary string) huma.Operation {
	return operation(id, http.MethodGet, path, summary, http.StatusOK)
}

// route binds a handler whose errors are faults, for those who have what it takes.
// HEAD is answered as GET is.
func route[I, O any](api huma.API, takes need, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "Error",
		Content: map[string]*huma.MediaType{adminapi.TypeProblem: {
			Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[adminapi.Problem](), true, "Problem"),
		}},
	}
	op.Extensions = map[string]any{"x-role": takes.role.String(), "x-plugins": takes.scope(op.Path)}
	op.Middlewares = huma.Middlewares{permit(takes), strict.Refuse[I](api, op)}
	answer := func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	}
	huma.Register(api, op, answer)
	if op.Method == http.MethodGet { // fasthttp leaves the body out
		op.Method, op.Hidden = http.MethodHead, true
		huma.Register(api, op, answer)
	}
}

// problemOf describes a failure to an operator. What is internal stays in the
// log, where the request id finds it.
func problemOf(ctx context.Context, err error) *problem {
	x := exchangeOf(ctx)
	x.err = err
	if r, ok := errors.AsType[refusalError](err); ok {
		return &problem{r.Problem(x.id)}
	}
	code := fault.CodeOf(err)
	return &problem{wire.NewProblem(wire.StatusOf(code), code, detailOf(code, err), x.id)}
}

// detailOf says what failed, as far as that is not internal.
func detailOf(code fault.Code, err error) string {
	switch code {
	case fault.Internal:
		return wire.DetailInternal
	case fault.Unknown:
		return wire.DetailUnknown
	}
	return fault.MessageOf(err)
}

// problem is a Problem that huma sends as an error.
type problem struct{ wire.Problem }

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return adminapi.TypeProblem }

// refusalError makes a refusal what a handler returns.
type refusalError struct{ *wire.Refusal }

func (e refusalError) Error() string { return e.Detail }

// ownErrors gives huma's errors, those of validation, the one shape of an error.
// Replacing huma.NewError would do the same to every other user of huma in the
// process.
func ownErrors(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &problem{wire.NewProblem(m.Status, codeOfStatus(m.Status), m.Detail, exchangeOf(ctx.Context()).id)}
	if p.Code == string(fault.Internal) {
		p.Detail = wire.DetailInternal
		return p, nil
	}
	for _, e := range m.Errors {
		if e != nil {
			p.Errors = append(p.Errors, adminapi.ProblemField{Message: e.Message, Location: e.Location})
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
type rawBody struct {
	ctx  *fasthttp.RequestCtx
	body wire.Body
}

// Resolve is called by huma when it has read the parameters.
func (b *rawBody) Resolve(ctx huma.Context) []error {
	b.ctx = humafiber.Unwrap(ctx).Context()
	return nil
}

// read returns the body, which may have max bytes and takes its memory from the
// budget, nil = none. The bytes are the caller's until done is called.
func (b *rawBody) read(of *limit.Budget, max int64) (data []byte, err error) {
	if of != nil {
		b.body = wire.NewBody(of)
	}
	if r := b.body.Read(b.ctx, spool.File{}, max); r != nil {
		b.done()
		r.Finish(b.ctx)
		return nil, refusalError{r}
	}
	return b.body.Bytes(), nil
}

// done gives the body's memory back. Calling it twice is fine.
func (b *rawBody) done() { b.body.Reset() }

// withBody says in the document that a route takes bytes of a media type, at most
// max of them. A module must be there; of a value none are an empty one.
func withBody(op huma.Operation, mediaType string, max int, description string) huma.Operation {
	schema := &huma.Schema{Type: "string", MaxLength: &max}
	if mediaType != adminapi.TypeVar {
		schema.Format = "binary"
	}
	op.RequestBody = &huma.RequestBody{
		Description: description,
		Required:    mediaType == adminapi.TypeModule,
		Content:     map[string]*huma.MediaType{mediaType: {Schema: schema}},
	}
	return op
}

// withValue says in the document that a route answers with the bytes of a value.
func withValue(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {Content: map[string]*huma.MediaType{
		adminapi.TypeValue: {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
	return op
}

// output is the answer of a route.
type output[T any] struct{ Body T }

// show answers with what was asked for.
func show[T any](body T, err error) (*output[T], error) { return &output[T]{body}, err }

// list makes an absent list an empty one, as JSON shows it.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
