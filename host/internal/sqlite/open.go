package sqlite

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// fileMemory is what SQLite has for the work on a file, in bytes.
const fileMemory = 256 << 20

// OpenFile opens a file of SQLite, which may be hostile. The end of ctx interrupts what
// runs. Close it.
func OpenFile(ctx context.Context, file string, readOnly bool) (*sqlite3.Conn, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: "_pragma=trusted_schema(off)"}
	if readOnly {
		name.RawQuery = "mode=ro&" + name.RawQuery
	}
	db, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(ctx, fileMemory), name.String())
	if err != nil {
		return nil, err
	}
	db.SetInterrupt(ctx)
	return db, nil
}
