package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Databases is what an operator may do with SQLite databases. Safe for concurrent use.
// Errors are faults; package operate/databases documents them.
type Databases interface {
	List(ctx context.Context, name string) ([]adminapi.Database, error)
	Query(ctx context.Context, ref adminapi.DatabaseRef, q adminapi.Query, by string) (adminapi.QueryResult, error)
	Export(ctx context.Context, ref adminapi.DatabaseRef, by string) (sender, error)
	Import(ctx context.Context, ref adminapi.DatabaseRef, file io.Reader, by string) error
	Plan(ctx context.Context, name string, version int) ([]adminapi.MigrationPlan, error)
}

// bindDatabases is every route of databases.
func (a *Admin) bindDatabases(api huma.API) {
	route(api, viewer, get("list-databases", adminapi.PathDatabases, "List the databases of a plugin"), a.databases)
	route(api, viewer, get("list-migrations", adminapi.PathMigrations, "Show what the activation of a version does to the databases of its plugin"), a.migrations)
	query := operation("query-database", http.MethodPost, adminapi.PathDatabaseQuery, "Run statements on a database of a plugin", http.StatusOK)
	query.MaxBodyBytes, query.BodyReadTimeout = adminapi.MaxQueryBody, 30*time.Second
	route(api, deployer, query, a.queryDatabase)
	route(api, deployer, withStream(get("export-database", adminapi.PathDatabaseFile, "Send a database as a file of SQLite, all of one revision"), adminapi.TypeSQLite, "The file"), a.exportDatabase)
	route(api, deployer, withUpload(operation("import-database", http.MethodPut, adminapi.PathDatabaseFile, "Put a file of SQLite in place of a database", http.StatusNoContent),
		adminapi.TypeSQLite, "The file, at most as large as what the plugin may keep"), a.importDatabase)
}

func (a *Admin) databases(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Database], error) {
	return show(a.cfg.Databases.List(ctx, in.Name))
}

func (a *Admin) migrations(ctx context.Context, in *adminapi.MigrationsRef) (*output[[]adminapi.MigrationPlan], error) {
	version, err := strconv.Atoi(in.Version)
	if err != nil { // the form of the parameter is one of numbers
		return nil, err
	}
	return show(a.cfg.Databases.Plan(ctx, in.Name, version))
}

type queryInput struct {
	adminapi.DatabaseRef
	streamInput
	Body adminapi.Query
}

func (a *Admin) queryDatabase(ctx context.Context, in *queryInput) (*output[adminapi.QueryResult], error) {
	ctx, done := a.edge.Attended(ctx, in.ctx)
	defer done()
	return show(a.cfg.Databases.Query(ctx, in.DatabaseRef, in.Body, by(ctx)))
}

type exportInput struct {
	adminapi.DatabaseRef
	streamInput
}

func (a *Admin) exportDatabase(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	return a.stream(&in.streamInput, adminapi.TypeSQLite, func() (sender, error) {
		send, err := a.cfg.Databases.Export(ctx, in.DatabaseRef, by(ctx))
		if err == nil {
			in.ctx.Response.Header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.sqlite"`, in.Name, in.Database))
		}
		return send, err
	})
}

type importInput struct {
	adminapi.DatabaseRef
	streamInput
}

// importDatabase reads the body as it comes.
func (a *Admin) importDatabase(ctx context.Context, in *importInput) (*struct{}, error) {
	ctx, done := a.edge.Attended(ctx, in.ctx)
	defer done()
	err := a.cfg.Databases.Import(ctx, in.DatabaseRef, a.arriving(in.ctx), by(ctx))
	if err != nil { // the rest of the body is not read
		wire.Refusing(0, "", "").Finish(in.ctx)
	}
	return nil, err
}
