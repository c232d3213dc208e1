package admin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// describe returns the OpenAPI document. It is made once, when every route is
// bound.
func describe(api huma.API) []byte {
	doc := api.OpenAPI()
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own error, which is never sent
	delete(schemas, "ErrorDetail")
	exclude(doc.Paths[adminapi.PathVersions].Post, "mount", `^[^/]*/(livez|readyz)/?$`) // the host's own
	exclude(doc.Paths[adminapi.PathValue].Put, "ttl", `^[0.hms]+$`)                     // no time at all
	value := doc.Paths[adminapi.PathValue]
	for _, op := range []*huma.Operation{value.Get, value.Put, value.Delete} {
		oneKey(op)
	}
	document, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document cannot be encoded: %v", err)) // found by every test
	}
	return document
}

// exclude says that neither a parameter nor an item of it is what matches a pattern. huma
// checks it too.
func exclude(op *huma.Operation, name, pattern string) {
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

// oneKey says that an operation takes one of the parameters key and key_base64.
// What parameters have to do with each other can be said of the properties of an
// object alone: of one whose properties are parameters.
func oneKey(op *huma.Operation) {
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
