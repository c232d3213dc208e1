package admin

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Data counts the data of plugins, and brings it out and in. Safe for concurrent use.
// Errors are faults; package transfer documents them.
type Data interface {
	Sizes(ctx context.Context, name, after string) (adminapi.Sizes, error)
	ExportKeys(ctx context.Context, name string, prefix []byte, by string) (sender, error)
	ImportKeys(ctx context.Context, in adminapi.KeysImport, body []byte, by string) (adminapi.KeysImported, error)
	Export(ctx context.Context, name, by string) (sender, error)
	Import(ctx context.Context, in adminapi.DataImport, r io.Reader, by string) (adminapi.DataMoved, error)
	Copy(ctx context.Context, in adminapi.DataCopy, to, by string) (adminapi.DataMoved, error)
}

// bindData is every route of the data of plugins as a whole.
func (a *Admin) bindData(api huma.API) {
	route(api, viewer, get("get-sizes", adminapi.PathSizes, "Count what the areas of a plugin's data hold, some of it at a time"), a.sizes)
	route(api, deployer, withStream(get("export-keys", adminapi.PathKeysExport, "Send the keys of a plugin as lines of JSON, all of one revision"), adminapi.TypeLines, "Lines of JSON; the last one says how many keys there were"), a.exportKeys)
	route(api, deployer, withBody(operation("import-keys", http.MethodPost, adminapi.PathKeysImport, "Set the keys of some lines of an export in one commit", http.StatusOK),
		adminapi.TypeLines, adminapi.MaxImportBody, "At most 1000 lines of an export, without its first and its last one"), a.importKeys)
	route(api, operator, withStream(get("export-data", adminapi.PathData, "Send all data of a plugin as an archive, at one revision; it is whole if the answer ends as it should"), adminapi.TypeBackup, "A tar archive, compressed with zstd"), a.exportData)
	route(api, operator, withUpload(operation("import-data", http.MethodPut, adminapi.PathData, "Put the data of an archive in place of a plugin's, all at once", http.StatusOK), adminapi.TypeBackup, "What export-data has sent"), a.importData)
	route(api, operator, operation("copy-data", http.MethodPost, adminapi.PathDataCopy, "Put the keys, databases and blobs of another plugin in place of a plugin's data, all at once", http.StatusOK), a.copyData)
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

type dataExportInput struct {
	adminapi.PluginRef
	streamInput
}

func (a *Admin) exportData(ctx context.Context, in *dataExportInput) (*huma.StreamResponse, error) {
	return a.stream(&in.streamInput, adminapi.TypeBackup, func() (sender, error) { return a.cfg.Data.Export(ctx, in.Name, by(ctx)) })
}

type dataImportInput struct {
	adminapi.DataImport
	streamInput
}

// importData reads the body as it comes: an archive has any size.
func (a *Admin) importData(ctx context.Context, in *dataImportInput) (*output[adminapi.DataMoved], error) {
	moved, err := a.cfg.Data.Import(ctx, in.DataImport, a.arriving(in.ctx), by(ctx))
	if err != nil { // the rest of the body is not read
		wire.Refusing(0, "", "").Finish(in.ctx)
	}
	return show(moved, err)
}

// isArchive reports whether a path takes a body that is read as it comes.
func isArchive(path string) bool {
	rest, ok := strings.CutPrefix(path, adminapi.PathPlugins+"/")
	parts := strings.Split(rest, "/")
	return ok && (len(parts) == 2 && parts[1] == "data" || len(parts) == 4 && parts[1] == "databases" && parts[3] == "file")
}

type dataCopyInput struct {
	adminapi.PluginRef
	Body adminapi.DataCopy
}

// copyData takes the role for the plugin that the data is of, too.
func (a *Admin) copyData(ctx context.Context, in *dataCopyInput) (*output[adminapi.DataMoved], error) {
	if err := auth.From(ctx).May(auth.Operator, in.Body.From); err != nil {
		return nil, err
	}
	return show(a.cfg.Data.Copy(ctx, in.Body, in.Name, by(ctx)))
}

// withUpload says in the document that a route takes bytes whose number nobody knows.
func withUpload(op huma.Operation, mediaType, description string) huma.Operation {
	op.RequestBody = &huma.RequestBody{
		Description: description, Required: true,
		Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	return op
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
