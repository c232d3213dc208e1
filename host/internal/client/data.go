package client

import (
	"context"
	"io"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Sizes counts what the areas of a plugin's data hold, some of it at a time: after is
// Next of the answer before.
func (c *Client) Sizes(ctx context.Context, name, after string) (s adminapi.Sizes, err error) {
	in := adminapi.SizesQuery{PluginRef: adminapi.PluginRef{Name: name}, After: after}
	return s, c.about(ctx, name, request{op: "count data", method: http.MethodGet, path: adminapi.PathSizes, in: in}, &s)
}

// ExportKeys calls take with the keys of a plugin as lines, all of one revision. They
// are not whole if take's reader fails.
func (c *Client) ExportKeys(ctx context.Context, name string, prefix []byte, take func(io.Reader) error) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	in := adminapi.KeysExport{PluginRef: adminapi.PluginRef{Name: name}}
	if len(prefix) > 0 {
		key := adminapi.KeyOf(prefix)
		in.Prefix, in.PrefixBase64 = key.Text, key.Base64
	}
	return c.download(ctx, request{op: "export keys", method: http.MethodGet, path: adminapi.PathKeysExport, in: in}, take)
}

// ImportKeys sets the keys of some lines, all or none. Doing so again leaves the same.
func (c *Client) ImportKeys(ctx context.Context, in adminapi.KeysImport, lines []byte) (done adminapi.KeysImported, err error) {
	return done, c.about(ctx, in.Name, request{
		op: "import keys", method: http.MethodPost, path: adminapi.PathKeysImport, in: in, body: lines, contentType: adminapi.TypeLines,
	}, &done)
}

// ExportData calls take with all data of a plugin as an archive. It is not whole if take's
// reader fails.
func (c *Client) ExportData(ctx context.Context, name string, take func(io.Reader) error) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	return c.download(ctx, request{op: "export data", method: http.MethodGet, path: adminapi.PathData, in: adminapi.PluginRef{Name: name}}, take)
}

// ImportData puts the data of an archive in place of a plugin's, all or none.
func (c *Client) ImportData(ctx context.Context, in adminapi.DataImport, archive io.Reader) (moved adminapi.DataMoved, err error) {
	return moved, c.about(ctx, in.Name, request{
		op: "import data", method: http.MethodPut, path: adminapi.PathData, in: in, upload: archive, contentType: adminapi.TypeBackup,
	}, &moved)
}

// CopyData puts the data of one plugin in place of that of another, all or none.
func (c *Client) CopyData(ctx context.Context, in adminapi.DataCopy, to string) (moved adminapi.DataMoved, err error) {
	err = plugin.CheckName(to)
	if err == nil {
		err = c.sendJSON(ctx, request{op: "copy data", method: http.MethodPost, path: adminapi.PathDataCopy, in: adminapi.PluginRef{Name: to}, answer: copyTime * slowest}, in, &moved)
	}
	return moved, err
}

// copyTime is how many seconds more than another request a copy may take.
const copyTime = 600
