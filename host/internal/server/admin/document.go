package admin

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/admin/strict"
)

// describe returns the OpenAPI document. It is made once, when every route is
// bound.
func describe(api huma.API) []byte {
	doc := api.OpenAPI()
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own error, which is never sent
	delete(schemas, "ErrorDetail")
	strict.Exclude(doc.Paths[adminapi.PathVersions].Post, "mount", `^[^/]*/(livez|readyz)/?$`) // the host's own
	strict.Exclude(doc.Paths[adminapi.PathValue].Put, "ttl", `^[0.hms]+$`)                     // no time at all
	value := doc.Paths[adminapi.PathValue]
	for _, op := range []*huma.Operation{value.Get, value.Put, value.Delete} {
		strict.OneKey(op)
	}
	document, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document cannot be encoded: %v", err)) // found by every test
	}
	return document
}
