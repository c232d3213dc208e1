package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"
)

// pragmas are those that attempts may use: they read, or write to the database alone.
// Of true ones the argument is no setting.
var pragmas = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true, "index_info": true, "index_xinfo": true,
	"foreign_key_list": true, "foreign_key_check": true, "integrity_check": true, "quick_check": true,
	"user_version": true, "application_id": true, "defer_foreign_keys": true,
	"foreign_keys": false, "page_count": false, "page_size": false, "freelist_count": false, "schema_version": false,
	"encoding": false, "auto_vacuum": false, "journal_mode": false, "compile_options": false,
	"function_list": false, "module_list": false, "collation_list": false, "data_version": false, // FTS5 asks the last
}

// modules are those that virtual tables may be of.
var modules = map[string]bool{"fts5": true, "rtree": true, "rtree_i32": true}

// HasModule reports whether statements may make, and drop, a virtual table of a module.
func HasModule(name string) bool { return modules[strings.ToLower(name)] }

// tempSchema is the table of what is temporary, of which there is nothing.
const tempSchema = "sqlite_temp_master"

// Ledger is the table of the migrations that a database has had. It is the host's.
const Ledger = "wasmoor_migrations"

// Rules are what some statements may do that others may not. The zero value is for those of a
// plugin.
type Rules struct {
	Ledger bool // they may write the table Ledger
	Within bool // they may not begin or end a transaction
}

// touched reports whether an action of a statement would write the table Ledger, which the
// rules do not allow. A trigger may never.
func (r Rules) touched(action sqlite3.AuthorizerActionCode, third, fourth, inner string) bool {
	table := third
	switch action {
	case sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE, sqlite3.AUTH_DELETE,
		sqlite3.AUTH_CREATE_TABLE, sqlite3.AUTH_CREATE_VIEW, sqlite3.AUTH_CREATE_VTABLE, sqlite3.AUTH_DROP_TABLE:
	case sqlite3.AUTH_ALTER_TABLE, sqlite3.AUTH_CREATE_INDEX, sqlite3.AUTH_CREATE_TRIGGER:
		table = fourth
	default:
		return false
	}
	return strings.EqualFold(table, Ledger) && (!r.Ledger || inner != "")
}

// Rule sets the rules of statements until the end of the attempt.
func (c *Conn) Rule(r Rules) { c.rules = r }

// allow decides what statements may do. An attempt leaves nothing in the connection that
// another could meet: no setting, and nothing temporary. What changes the schema makes
// the connection useless afterwards, because SQLite knows the schema by a number that
// two attempts may both have given, of which one is not committed.
func (c *Conn) allow(action sqlite3.AuthorizerActionCode, third, fourth, schema, inner string) sqlite3.AuthorizerReturnCode {
	if !c.fixed {
		return sqlite3.AUTH_OK
	}
	why := c.rules.refusal(action, third, fourth, schema, inner)
	if why == "" && action == sqlite3.AUTH_ALTER_TABLE && !c.rules.Ledger && strings.Contains(strings.ToLower(c.compiling), Ledger) {
		why = noLedger // SQLite does not tell the new name
	}
	if why != "" {
		c.refusal = why
		return sqlite3.AUTH_DENY
	}
	switch action {
	case sqlite3.AUTH_PRAGMA:
		c.spent = c.spent || fourth != "" && strings.EqualFold(third, "defer_foreign_keys") // it may stay
		c.checks = c.checks || isCheck(third)
	case sqlite3.AUTH_READ:
		c.checks = c.checks || isCheck(strings.TrimPrefix(strings.ToLower(third), "pragma_"))
	case sqlite3.AUTH_CREATE_INDEX, sqlite3.AUTH_CREATE_TABLE, sqlite3.AUTH_CREATE_TRIGGER, sqlite3.AUTH_CREATE_VIEW,
		sqlite3.AUTH_DROP_INDEX, sqlite3.AUTH_DROP_TABLE, sqlite3.AUTH_DROP_TRIGGER, sqlite3.AUTH_DROP_VIEW,
		sqlite3.AUTH_CREATE_VTABLE, sqlite3.AUTH_DROP_VTABLE,
		sqlite3.AUTH_ALTER_TABLE, sqlite3.AUTH_REINDEX, sqlite3.AUTH_ANALYZE:
		c.spent = true
	case sqlite3.AUTH_INSERT: // FTS5 knows its settings by a number, too
		c.spent = c.spent || strings.HasSuffix(third, "_config")
	}
	return sqlite3.AUTH_OK
}

// refusal says why a statement may not do something, "" = it may.
func (r Rules) refusal(action sqlite3.AuthorizerActionCode, third, fourth, schema, inner string) string {
	if r.touched(action, third, fourth, inner) {
		return noLedger
	}
	switch action {
	case sqlite3.AUTH_TRANSACTION:
		if r.Within {
			return "BEGIN, COMMIT and ROLLBACK are refused: the host begins and ends the transaction"
		}
	case sqlite3.AUTH_ATTACH, sqlite3.AUTH_DETACH: // VACUUM attaches
		return "ATTACH, DETACH and VACUUM are refused: for another database write another [sql.NAME]; without VACUUM, free pages are used again"
	case sqlite3.AUTH_CREATE_TEMP_INDEX, sqlite3.AUTH_CREATE_TEMP_TABLE, sqlite3.AUTH_CREATE_TEMP_TRIGGER, sqlite3.AUTH_CREATE_TEMP_VIEW:
		return noTemp
	case sqlite3.AUTH_CREATE_VTABLE, sqlite3.AUTH_DROP_VTABLE:
		if !HasModule(fourth) {
			return fmt.Sprintf("virtual tables of the module %.64q are refused: use fts5, rtree or rtree_i32", fourth)
		}
	case sqlite3.AUTH_PRAGMA:
		name := strings.ToLower(third)
		argument, ok := pragmas[name]
		switch {
		case !ok:
			return fmt.Sprintf("PRAGMA %.64s is refused: MANIFEST.md, \"SQL\", lists those that may be used", name)
		case fourth != "" && !argument:
			return fmt.Sprintf("PRAGMA %.64s with a value is refused: it can be read, not set", name)
		}
	case sqlite3.AUTH_FUNCTION:
		if strings.EqualFold(fourth, "load_extension") {
			return "load_extension is refused: there are no extensions but FTS5 and R-tree"
		}
	}
	if schema == "temp" && (third != tempSchema || action == sqlite3.AUTH_INSERT) { // ALTER TABLE looks for what is temporary
		return noTemp
	}
	return ""
}

const noLedger = "table " + Ledger + " may not be modified"

// isCheck reports whether a pragma looks for damage.
func isCheck(pragma string) bool {
	return strings.EqualFold(pragma, "integrity_check") || strings.EqualFold(pragma, "quick_check")
}

// renew has full-text tables see what other connections have done. They look when they are
// read, but not when they are checked, and would take it for damage.
func (c *Conn) renew() error {
	list, _, err := c.db.Prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'")
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }()
	for list.Step() {
		_ = c.db.Exec("SELECT 1 FROM " + sqlite3.QuoteIdentifier(list.ColumnText(0)) + " WHERE rowid = -1") // the check tells what is wrong
	}
	return list.Err()
}

const noTemp = "what is temporary is refused: use WITH, or a table that the request drops again"

// Confine holds a connection to a file to what statements of plugins may do, by rules that
// may change.
func Confine(db *sqlite3.Conn, rules *Rules) error {
	bound(db)
	return errors.Join(Extend(db), db.SetAuthorizer(func(action sqlite3.AuthorizerActionCode, third, fourth, schema, inner string) sqlite3.AuthorizerReturnCode {
		if rules.refusal(action, third, fourth, schema, inner) != "" {
			return sqlite3.AUTH_DENY
		}
		return sqlite3.AUTH_OK
	}))
}

// bound sets the limits of a connection.
func bound(db *sqlite3.Conn) {
	for id, most := range map[sqlite3.LimitCategory]int{
		sqlite3.LIMIT_LENGTH: MaxValue, sqlite3.LIMIT_SQL_LENGTH: MaxSQL, sqlite3.LIMIT_ATTACHED: 0,
		sqlite3.LIMIT_LIKE_PATTERN_LENGTH: maxPattern, sqlite3.LIMIT_FUNCTION_ARG: 100, sqlite3.LIMIT_TRIGGER_DEPTH: 32, sqlite3.LIMIT_EXPR_DEPTH: 200,
		sqlite3.LIMIT_WORKER_THREADS: 0,
	} {
		db.Limit(id, most)
	}
}

// Extend adds what SQLite has in addition: full-text search and trees of ranges.
func Extend(db *sqlite3.Conn) error { return errors.Join(fts5.Register(db), rtree.Register(db)) }
