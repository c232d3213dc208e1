package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Data counts the data of plugins, and brings it out and in. Safe for concurrent use.
// Errors are faults; package transfer documents them.
type Data interface {
	Sizes(ctx context.Context, name, after string) (adminapi.Sizes, error)
	ExportKeys(ctx context.Context, name string, prefix []byte, by string) (sender, error)
	ImportKeys(ctx context.Context, in adminapi.KeysImport, body []byte, by string) (adminapi.KeysImported, error)
}

// bindData is every route of the data of plugins as a whole.
func (a *Admin) bindData(api huma.API) {
	route(api, viewer, get("get-sizes", adminapi.PathSizes, "Count what the areas of a plugin's data hold, some of it at a time"), a.sizes)
	route(api, deployer, withStream(get("export-keys", adminapi.PathKeysExport, "Send the keys of a plugin as lines of JSON, all of one revision"), adminapi.TypeLines, "Lines of JSON; the last one says how many keys there were"), a.exportKeys)
	route(api, deployer, withBody(operation("import-keys", http.MethodPost, adminapi.PathKeysImport, "Set the keys of some lines of an export in one commit", http.StatusOK),
		adminapi.TypeLines, adminapi.MaxImportBody, "At most 1000 lines of an export, without its first and its last one"), a.importKeys)
}

func (a *Admin) sizes(ctx context.Context, in *adminapi.SizesQuery) (*output[adminapi.Sizes], error) {
	return show(a.cfg.Data.Sizes(ctx, in.Name, in.After))
}

type keysExportInput struct {
	adminapi.KeysExport
	streamInput
}

func (a *Admin) exportKeys(ctx context.Context, in *keysExportInput) (*huma.StreamResponse, error) {
	prefix, err := in.Bound()
	if err != nil {
		return nil, fault.New(fault.Invalid, "", err.Error())
	}
	return a.stream(&in.streamInput, adminapi.TypeLines, func() (sender, error) { return a.cfg.Data.ExportKeys(ctx, in.Name, prefix, by(ctx)) })
}

type keysImportInput struct {
	rawBody
	adminapi.KeysImport
}

func (a *Admin) importKeys(ctx context.Context, in *keysImportInput) (*output[adminapi.KeysImported], error) {
	body, err := in.read(a.cfg.Bodies, adminapi.MaxImportBody)
	if err != nil {
		return nil, err
	}
	defer in.done()
	return show(a.cfg.Data.ImportKeys(ctx, in.KeysImport, body, by(ctx)))
}

// withStream says in the document that a route answers with bytes whose number nobody
// knows.
func withStream(op huma.Operation, mediaType, description string) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: description,
		Content:     map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	return op
}
