package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Databases lists the databases of a plugin.
func (c *Client) Databases(ctx context.Context, name string) (out []adminapi.Database, err error) {
	err = c.read(ctx, name, request{op: "list databases", path: adminapi.PathDatabases}, &out)
	return out, err
}

// maxResult is how much the answer to a statement may be, in bytes: 8 MiB of values take up
// to six times as much in JSON.
const maxResult = 96 << 20

// Query runs statements on a database, and returns what the last one finds.
func (c *Client) Query(ctx context.Context, of adminapi.DatabaseRef, q adminapi.Query) (out adminapi.QueryResult, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return out, fault.Wrap(fault.Internal, "query", "the request cannot be encoded", err)
	}
	return out, c.about(ctx, of.Name, request{
		op: "query", method: http.MethodPost, path: adminapi.PathDatabaseQuery, in: of,
		body: body, contentType: "application/json", answer: maxResult,
	}, &out)
}

// ExportDatabase calls take with a database as a file of SQLite. It is not whole if take's
// reader fails.
func (c *Client) ExportDatabase(ctx context.Context, of adminapi.DatabaseRef, take func(io.Reader) error) error {
	if err := plugin.CheckName(of.Name); err != nil {
		return err
	}
	return c.download(ctx, request{op: "export database", method: http.MethodGet, path: adminapi.PathDatabaseFile, in: of}, take)
}

// ImportDatabase puts a file of SQLite in place of a database.
func (c *Client) ImportDatabase(ctx context.Context, of adminapi.DatabaseRef, file io.Reader) error {
	return c.about(ctx, of.Name, request{
		op: "import database", method: http.MethodPut, path: adminapi.PathDatabaseFile, in: of,
		upload: file, contentType: adminapi.TypeSQLite,
	}, nil)
}

// Migrations returns what the activation of a version does to databases.
func (c *Client) Migrations(ctx context.Context, name string, version int) (out []adminapi.MigrationPlan, err error) {
	in := adminapi.MigrationsRef{PluginRef: adminapi.PluginRef{Name: name}, Version: strconv.Itoa(version)}
	err = c.about(ctx, name, request{op: "list migrations", method: http.MethodGet, path: adminapi.PathMigrations, in: in}, &out)
	return out, err
}
