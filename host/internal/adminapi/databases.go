package adminapi

import (
	"bytes"
	"encoding/json"
	"time"
)

// The paths of SQL databases.
const (
	PathDatabases     = "/v1/plugins/{name}/databases"
	PathDatabaseQuery = "/v1/plugins/{name}/databases/{database}/query"
	PathDatabaseFile  = "/v1/plugins/{name}/databases/{database}/file"
	PathMigrations    = "/v1/plugins/{name}/versions/{version}/migrations"
)

// TypeSQLite is the media type of a file of SQLite.
const TypeSQLite = "application/vnd.sqlite3"

// Limits of statements.
const (
	MaxStatement  = 1 << 20 // bytes of one
	MaxStatements = 10_000  // that run in one transaction, before the last
	MaxQueryBody  = 8 << 20 // bytes of a request with all of them
	MaxQueryRows  = 10_000  // in one answer
	// MaxQueryTime bounds the work of one request.
	MaxQueryTime = time.Minute
)

// Database is a SQLite database of a plugin.
type Database struct {
	Name     string `json:"name"`
	Declared bool   `json:"declared" doc:"The version that serves has it, or the newest one"`
	Bytes    int64  `json:"bytes" doc:"Of the file that it would be; 0 = nobody has written it"`
	Held     bool   `json:"held,omitempty" doc:"A migration or an import is under way: it is read, and takes no writes"`
}

// DatabaseRef names a database.
type DatabaseRef struct {
	PluginRef
	Database string `path:"database" maxLength:"63" pattern:"^[a-z][a-z0-9_-]*$" patternDescription:"1 to 63 of a-z, 0-9, _ and -, beginning with a letter" doc:"Name of the database" example:"main"`
}

// Query is statements to run in one transaction.
type Query struct {
	Before    []string `json:"before,omitempty" nullable:"true" maxItems:"10000" maxLength:"1048576" doc:"Statements that run before it, whose rows nobody wants"`
	Statement string   `json:"statement" minLength:"1" maxLength:"1048576" doc:"One statement of SQL" example:"SELECT count(*) FROM customers"`
	Write     bool     `json:"write,omitempty" nullable:"true" doc:"Commit what they change; else they may change nothing"`
	Limit     int      `json:"limit,omitempty" nullable:"true" minimum:"0" maximum:"10000" doc:"At most so many rows; 0 = 1000"`
}

// QueryResult is what a statement finds.
type QueryResult struct {
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows" doc:"Values are null, numbers (an integer has neither a point nor an exponent), texts, {\"blob\":BASE64}, and {\"text\":BASE64} of what is not UTF-8"`
	More    bool     `json:"more" doc:"There are further rows"`
	Changed int64    `json:"changed" doc:"Rows that the statements have inserted, updated or deleted"`
}

// Row has the values of a row: nil, a json.Number, a string, or a Bytes.
type Row []any

// Bytes is a value that is no text of JSON.
type Bytes struct {
	Blob []byte `json:"blob,omitempty"`
	Text []byte `json:"text,omitempty"` // that is not UTF-8
}

// MarshalJSON implements json.Marshaler: an empty blob is not left out.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b.Text != nil {
		return json.Marshal(map[string][]byte{"text": b.Text})
	}
	return json.Marshal(map[string][]byte{"blob": append([]byte{}, b.Blob...)})
}

// UnmarshalJSON implements json.Unmarshaler. Numbers keep all their digits.
func (r *Row) UnmarshalJSON(data []byte) error {
	var values []json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	*r = make(Row, len(values))
	for i, raw := range values {
		if raw[0] == '{' {
			var b Bytes
			if err := json.Unmarshal(raw, &b); err != nil {
				return err
			}
			(*r)[i] = b
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&(*r)[i]); err != nil {
			return err
		}
	}
	return nil
}

// MigrationsRef names a version whose migrations are asked for.
type MigrationsRef struct {
	PluginRef
	Version string `path:"version" maxLength:"15" pattern:"^[1-9][0-9]*$" patternDescription:"a number above 0" doc:"Number of the version" example:"2"`
}

// MigrationPlan is what the activation of a version does to a database.
type MigrationPlan struct {
	Database   string      `json:"database"`
	Migrations []Migration `json:"migrations" doc:"In the order of their numbers"`
	Obstacle   string      `json:"obstacle,omitempty" doc:"Why they cannot run, or why the version cannot serve; absent = nothing is in the way"`
}

// Migration is one of a database.
type Migration struct {
	Number     int    `json:"number"`
	Name       string `json:"name" doc:"Of its file"`
	Compatible bool   `json:"compatible" doc:"Versions before it can work with the database after it"`
	Applied    string `json:"applied,omitempty" doc:"When the database has had it; absent = it is pending" example:"2026-11-30T15:00:00Z"`
	Unknown    bool   `json:"unknown,omitempty" doc:"The version does not have it"`
}
