package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

type bench struct {
	*Service
	t     testing.TB
	place Place
}

func newBench(t testing.TB) *bench {
	s, err := badger.Open(badger.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &bench{
		New(Config{Store: s, Dir: filepath.Join(t.TempDir(), "it's a folder"), Clock: time.Now, Log: slog.New(slog.DiscardHandler)}), t,
		Place{Plugin: "crm", Space: 7, Name: "main"},
	}
}

func (b *bench) exec(sql string) {
	b.t.Helper()
	if err := b.change(b.t.Context(), b.place, func(c *sqlite.Conn) error { return c.Script(sql) }); err != nil {
		b.t.Fatalf("%.80s: %v", sql, err)
	}
}

// text returns the first column of the first row.
func (b *bench) text(sql string) (got string) {
	b.t.Helper()
	err := b.attempt(b.t.Context(), b.place, false, func(c *sqlite.Conn) error {
		rows, err := c.Query("SELECT CAST(("+sql+") AS TEXT)", nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		if _, err := rows.Next(); err != nil {
			return err
		}
		v, err := rows.Value(0)
		got = string(v.Bytes)
		return err
	})
	if err != nil {
		b.t.Fatalf("%.80s: %v", sql, err)
	}
	return got
}

// keys counts the pages of all generations.
func (b *bench) keys() (n int) {
	b.t.Helper()
	snap, err := b.cfg.Store.Snapshot()
	if err != nil {
		b.t.Fatal(err)
	}
	defer snap.Release()
	if err := snap.Scan(b.place.area(), nil, nil, false, func([]byte, store.Value) bool { n++; return true }); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) export() []byte {
	b.t.Helper()
	var file bytes.Buffer
	if err := b.Export(b.t.Context(), b.place, &file); err != nil {
		b.t.Fatal(err)
	}
	return file.Bytes()
}

const rowsOf = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "

// TestFiles exports a database that SQLite itself can read, and imports it elsewhere.
func TestFiles(t *testing.T) {
	b := newBench(t)
	if err := b.Export(t.Context(), b.place, io.Discard); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("nobody has written it: %v", err)
	}
	b.exec("CREATE TABLE t (i INTEGER PRIMARY KEY, v); CREATE INDEX v ON t (v)")
	b.exec(fmt.Sprintf("INSERT INTO t "+rowsOf+"SELECT i, 'value ' || i FROM n", 20_000))
	b.exec("DELETE FROM t WHERE i % 3 = 0") // a list of free pages
	file := filepath.Join(t.TempDir(), "exported")
	if err := os.WriteFile(file, b.export(), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := sqlite3.Open("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	stmt, _, err := own.Prepare("SELECT count(*), (SELECT integrity_check FROM pragma_integrity_check) FROM t")
	if err != nil || !stmt.Step() || stmt.ColumnInt(0) != 13_334 || stmt.ColumnText(1) != "ok" {
		t.Errorf("SQLite reads %d, %q: %v", stmt.ColumnInt(0), stmt.ColumnText(1), err)
	}
	_ = stmt.Close()
	if err := own.Exec("PRAGMA page_size=1024; PRAGMA journal_mode=wal; VACUUM; INSERT INTO t VALUES (3, 'of SQLite')"); err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := *b
	other.place.Name = "other"
	other.exec("CREATE TABLE before (a); INSERT INTO before VALUES (zeroblob(20000))")
	if err := other.Import(t.Context(), other.place, bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if got := other.text("SELECT count(*) || v FROM t WHERE i = 3"); got != "1of SQLite" {
		t.Errorf("imported: %s", got)
	}
	if got := other.text("SELECT count(*) FROM t"); got != "13335" {
		t.Errorf("imported: %s rows", got)
	}
	other.exec("INSERT INTO t VALUES (6, 'after')")
	names, err := b.Names(b.place.Space)
	if err != nil || fmt.Sprint(names) != "[main other]" {
		t.Errorf("databases: %v, %v", names, err)
	}
}

func TestImportRefuses(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (v); INSERT INTO t VALUES ('kept')")
	good, keys := b.export(), b.keys()
	damaged := bytes.Clone(good)
	copy(damaged[4096:], bytes.Repeat([]byte{0xff}, 4096))
	small := b.place
	small.Quota.Bytes = 4096
	for name, c := range map[string]struct {
		place Place
		file  io.Reader
		code  fault.Code
	}{
		"text":    {b.place, strings.NewReader(strings.Repeat("no database\n", 1000)), fault.Invalid},
		"damaged": {b.place, bytes.NewReader(damaged), fault.Invalid},
		"cut":     {b.place, bytes.NewReader(good[:5000]), fault.Invalid},
		"broken":  {b.place, io.MultiReader(bytes.NewReader(good[:5000]), failing{}), fault.Unavailable},
		"quota":   {small, bytes.NewReader(good), fault.Exhausted},
		"empty":   {b.place, strings.NewReader(""), fault.Invalid}, // SQLite takes it for an empty database
	} {
		if err := b.Import(t.Context(), c.place, c.file); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if got := b.text("SELECT v FROM t"); got != "kept" {
			t.Errorf("%s: %s", name, got)
		}
		b.exec("UPDATE t SET v = 'kept'")
	}
	left, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "*"))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got := b.keys(); got != keys+1 { // the entry
		t.Errorf("%d keys, want %d", got, keys+1)
	}
}

// made is a file of SQLite that a program has made, which gives SQLite a collation and a
// function of its own.
func made(t *testing.T, sql string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "made")
	db, err := sqlite3.Open("file:" + filepath.ToSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(sqlite.Extend(db), db.CreateCollation("own", bytes.Compare),
		db.CreateFunction("own", 1, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS, func(ctx sqlite3.Context, args ...sqlite3.Value) { ctx.ResultValue(args[0]) }))
	if err := errors.Join(err, db.Exec(sql), db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestImportOfWhatIsNotHere refuses a file whose tables could not be used, nor dropped, and
// says what they need.
func TestImportOfWhatIsNotHere(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (v); INSERT INTO t VALUES ('kept')")
	const odd = "PRAGMA writable_schema=on; INSERT INTO sqlite_schema VALUES ('table', 'o\"f', 'o\"f', 0, 'CREATE VIRTUAL TABLE \"o\"\"f\" USING fts4 (a)')"
	for name, c := range map[string]struct{ sql, want string }{
		"fts4":       {odd, `table "o\"f" of the file cannot be used here, no such module: fts4`},
		"fts5vocab":  {"CREATE VIRTUAL TABLE f USING fts5 (a); CREATE VIRTUAL TABLE v USING fts5vocab (f, row)", `table "v" of the file cannot be used here, it is of the module "fts5vocab"`},
		"collation":  {"CREATE TABLE t (v COLLATE own); CREATE INDEX i ON t (v)", "what SQLite does not have here, no such collation sequence: own"},
		"its key":    {"CREATE TABLE t (v COLLATE own PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES (1), (2)", "no such collation sequence: own"},
		"expression": {"CREATE TABLE t (v); INSERT INTO t VALUES (1); CREATE INDEX i ON t (own(v))", "unknown function: own()"},
		"check":      {"CREATE TABLE t (v CHECK (own(v)))", "unknown function: own()"},
		"generated":  {"CREATE TABLE t (v, w AS (own(v)) STORED)", "no such function: own"},
	} {
		err := b.Import(t.Context(), b.place, bytes.NewReader(made(t, c.sql)))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if got := b.text("SELECT v FROM t"); got != "kept" {
			t.Errorf("%s: %s", name, got)
		}
	}
	file := made(t, `CREATE VIRTUAL TABLE "w""x" USING fts5 (a); INSERT INTO "w""x" VALUES ('hello world'); CREATE VIRTUAL TABLE r USING rtree_i32 (id, a, b); CREATE VIRTUAL TABLE s USING rtree (id, a, b)`)
	if err := b.Import(t.Context(), b.place, bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if got := b.text(`SELECT count(*) FROM "w""x" WHERE a MATCH 'world'`); got != "1" {
		t.Errorf("%s rows", got)
	}
	b.exec(`DROP TABLE "w""x"; DROP TABLE r`)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func files(pairs ...string) (list []Migration) {
	var f Files
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, abi.Pair{Name: pairs[i], Value: pairs[i+1]})
	}
	list, err := Parse(f)
	if err != nil {
		panic(err)
	}
	return list
}

func TestMigrate(t *testing.T) {
	b := newBench(t)
	first := files("001_t.sql", "CREATE TABLE t (i INTEGER PRIMARY KEY, v);\nINSERT INTO t VALUES (1, 'one');")
	if plan, err := b.Migrate(t.Context(), b.place, first); err != nil || len(plan.Pending) != 1 || len(plan.Applied) != 0 {
		t.Fatalf("first: %+v, %v", plan, err)
	}
	if plan, err := b.Migrate(t.Context(), b.place, first); err != nil || len(plan.Pending) != 0 || len(plan.Applied) != 1 {
		t.Errorf("again: %+v, %v", plan, err)
	}
	second := append(first, files("002_more.sql", "-- compatible\nALTER TABLE t ADD COLUMN w DEFAULT 'two';", "3-index.sql", "CREATE INDEX w ON t (w)")...)
	plan, err := b.Plan(t.Context(), b.place, second)
	if err != nil || len(plan.Pending) != 2 || plan.CompatibleWithBefore() == nil || plan.Safe() != nil {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	if _, err := b.Migrate(t.Context(), b.place, second); err != nil {
		t.Fatal(err)
	}
	if got := b.text("SELECT v || w FROM t"); got != "onetwo" {
		t.Errorf("migrated: %s", got)
	}
	if plan, err = b.Plan(t.Context(), b.place, first); err != nil || len(plan.Unknown) != 2 || fault.CodeOf(plan.Safe()) != fault.Conflict {
		t.Errorf("back: %+v, %v, %v", plan, err, plan.Safe())
	}
	if plan, err = b.Plan(t.Context(), b.place, append(files("003-index.sql", "CREATE INDEX w ON t (w)"), first...)); err != nil || plan.Safe() != nil {
		t.Errorf("back over a compatible one: %+v, %v", plan, err)
	}
	copies, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "before", "crm", "main", "*-0001.sqlite"))
	if len(copies) != 1 {
		t.Errorf("copies: %v", copies)
	}
}

func TestMigrateRefuses(t *testing.T) {
	b := newBench(t)
	first := files("001_t.sql", "CREATE TABLE t (v); INSERT INTO t VALUES ('one')", "005_u.sql", "CREATE TABLE u (v)")
	if _, err := b.Migrate(t.Context(), b.place, first); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list []Migration
		code fault.Code
		want string
	}{
		"changed": {files("001_t.sql", "CREATE TABLE t (w)"), fault.Conflict, "001_t.sql of database \"main\" was changed after it was applied"},
		"between": {append(files("003_v.sql", "CREATE TABLE v (v)"), first...), fault.Conflict, "comes before number 5"},
		"fails": {
			append(files("006_w.sql", "INSERT INTO t VALUES ('two'); CREATE TABLE w (v); INSERT INTO none VALUES (1)"), first...),
			fault.Invalid, "migration 006_w.sql: SQL logic error: no such table: none",
		},
		"attach":   {append(files("006_w.sql", "ATTACH 'x' AS x"), first...), fault.Invalid, "ATTACH, DETACH and VACUUM are refused"},
		"into":     {append(files("006_w.sql", "VACUUM INTO 'x'"), first...), fault.Invalid, ""},
		"renamed":  {append(files("5_v.sql", "CREATE TABLE v (v)"), first...), fault.Conflict, "migration 5_v.sql of database \"main\" is not what was applied as number 5, which is 005_u.sql"},
		"ledger":   {append(files("006_w.sql", "DELETE FROM wasmoor_migrations"), first...), fault.Invalid, "migration 006_w.sql: table wasmoor_migrations may not be modified"},
		"its end":  {append(files("006_w.sql", "DROP TABLE Wasmoor_Migrations"), first...), fault.Invalid, "table wasmoor_migrations may not be modified"},
		"released": {append(files("006_w.sql", "SAVEPOINT s; INSERT INTO t VALUES ('two')", "007_x.sql", "ROLLBACK TO s"), first...), fault.Invalid, "migration 007_x.sql: SQL logic error: no such savepoint: s"},
		"too much": {append(files("006_w.sql", fmt.Sprintf("INSERT INTO t "+rowsOf+"SELECT zeroblob(4000) FROM n; INSERT INTO none VALUES (1)", 2000)), first...), fault.Invalid, "no such table"},
	} {
		_, err := b.Migrate(t.Context(), b.place, c.list)
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.want) {
			t.Errorf("%s: %v, want %s %q", name, err, c.code, c.want)
		}
		if got := b.text("SELECT count(*) || group_concat(v) FROM t"); got != "1one" {
			t.Errorf("%s: %s", name, got)
		}
		b.exec("UPDATE t SET v = 'one'") // it is not held
	}
}

// TestMigrationsStayTogether: what the reader of files does not see as the end of the
// transaction, SQLite does, in a file that is worked on too.
func TestMigrationsStayTogether(t *testing.T) {
	b := newBench(t)
	if _, err := b.Migrate(t.Context(), b.place, files("001_t.sql", "CREATE TABLE t (v); INSERT INTO t VALUES ('one')")); err != nil {
		t.Fatal(err)
	}
	const large = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT zeroblob(4000) FROM n; "
	for _, before := range []string{"", large} {
		tried := []string{
			"ROLLBACK; BEGIN; CREATE TABLE r (x)", "DELETE FROM wasmoor_migrations", "COMMIT; BEGIN", "END; BEGIN", "UPDATE wasmoor_migrations SET sha256 = ''",
			"CREATE TRIGGER r AFTER INSERT ON wasmoor_migrations BEGIN SELECT 1; END", "CREATE UNIQUE INDEX r ON wasmoor_migrations (compatible)",
			"ALTER TABLE wasmoor_migrations ADD COLUMN r", "ALTER TABLE wasmoor_migrations RENAME TO r",
			"CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM wasmoor_migrations; END; INSERT INTO t VALUES (1)",
		}
		if before != "" {
			tried = tried[:2]
		}
		for _, sql := range tried {
			list := append(files("001_t.sql", "CREATE TABLE t (v); INSERT INTO t VALUES ('one')", "002_u.sql", "CREATE TABLE u (v)"), Migration{Number: 3, Name: "003_r.sql", SQL: before + sql})
			if _, err := b.Migrate(t.Context(), b.place, list); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "migration 003_r.sql: ") {
				t.Errorf("%s: %v", sql, err)
			}
			if got := b.text("SELECT group_concat(name) || (SELECT v FROM t) || (SELECT count(*) FROM wasmoor_migrations) FROM (SELECT name FROM sqlite_schema ORDER BY name)"); got != "t,wasmoor_migrationsone1" {
				t.Fatalf("%s: %s", sql, got)
			}
		}
	}
	list := append(files("001_t.sql", "CREATE TABLE t (v); INSERT INTO t VALUES ('one')", "002_u.sql", "SAVEPOINT s; DELETE FROM t; ROLLBACK TRANSACTION TO s; RELEASE s; SAVEPOINT open"),
		files("003_v.sql", "-- COMMIT;\nCREATE TABLE v (v DEFAULT '; ROLLBACK;'); CREATE TRIGGER v AFTER INSERT ON v BEGIN SELECT CASE WHEN 1 THEN 2 END; END; /* ; BEGIN; */")...)
	if _, err := b.Migrate(t.Context(), b.place, list); err != nil {
		t.Fatal(err)
	}
	if got := b.text("SELECT v || (SELECT count(*) FROM wasmoor_migrations) FROM t"); got != "one3" {
		t.Error(got)
	}
}

// TestLedger: neither a plugin nor an operator writes the table of migrations; what a dump
// has of it goes in where there is none.
func TestLedger(t *testing.T) {
	b := newBench(t)
	list := files("001_t.sql", "CREATE TABLE t (v)")
	if _, err := b.Migrate(t.Context(), b.place, list); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"DELETE FROM wasmoor_migrations", "DROP TABLE wasmoor_migrations", "REPLACE INTO WASMOOR_MIGRATIONS VALUES (1, '', '', 1, '')", "UPDATE main.wasmoor_migrations SET number = 7"} {
		const want = "table wasmoor_migrations may not be modified"
		if err := b.change(t.Context(), b.place, func(c *sqlite.Conn) error { return c.Script(sql) }); fault.CodeOf(err) != fault.Invalid || fault.MessageOf(err) != want {
			t.Errorf("a plugin's %s: %v", sql, err)
		}
		if _, err := b.Query(t.Context(), b.place, Statement{SQL: sql, Write: true, Limit: 1}); fault.CodeOf(err) != fault.Invalid || fault.MessageOf(err) != want {
			t.Errorf("an operator's %s: %v", sql, err)
		}
	}
	other := b.place
	other.Name = "other"
	err := b.change(t.Context(), other, func(c *sqlite.Conn) error { return c.Script("CREATE TABLE wasmoor_migrations (a)") })
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a plugin makes it: %v", err)
	}
	row := fmt.Sprintf("INSERT INTO wasmoor_migrations VALUES (1, '001_t.sql', '%s', 0, '2026-12-01T00:00:00Z')", list[0].digest())
	if _, err := b.Query(t.Context(), other, Statement{Before: []string{"CREATE TABLE " + columns, "CREATE TABLE t (v)"}, SQL: row, Write: true, Limit: 1}); err != nil {
		t.Fatalf("a dump: %v", err)
	}
	if plan, err := b.Migrate(t.Context(), other, list); err != nil || len(plan.Applied) != 1 || len(plan.Pending) != 0 {
		t.Errorf("after a dump: %+v, %v", plan, err)
	}
}

// TestCopiesOfAttempts: an attempt that changes nothing leaves no copy, and pushes none out.
func TestCopiesOfAttempts(t *testing.T) {
	b := newBench(t)
	var at atomic.Int64
	b.cfg.Clock = func() time.Time { return time.Unix(at.Add(1), 0) }
	list := files("001_t.sql", "CREATE TABLE t (v)")
	copies := func() (names []string) {
		all, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "before", "crm", "main", "*"))
		for _, file := range all {
			_, name, _ := strings.Cut(filepath.Base(file), "-")
			names = append(names, name)
		}
		return names
	}
	for i := 2; i < 7; i++ {
		if _, err := b.Migrate(t.Context(), b.place, list); err != nil {
			t.Fatal(err)
		}
		broken := append(files(fmt.Sprintf("%03d_wrong.sql", i), "SELECT * FROM none"), list...)
		before := copies()
		for range 4 {
			if _, err := b.Migrate(t.Context(), b.place, broken); err == nil {
				t.Fatal("it is applied")
			}
			if diff := cmp.Diff(before, copies()); diff != "" {
				t.Fatalf("an attempt that failed (-before +after):\n%s", diff)
			}
		}
		if i == 5 { // one that was killed had its copy made
			if _, err := b.backUp(t.Context(), b.place, 4); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, files(fmt.Sprintf("%03d_t.sql", i), fmt.Sprintf("CREATE TABLE t%d (v)", i))...)
	}
	if diff := cmp.Diff([]string{"0002.sqlite", "0003.sqlite", "0004.sqlite"}, copies()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		files Files
		want  string
	}{
		"name":     {Files{{Name: "users.sql", Value: "SELECT 1"}}, "is no name of a migration"},
		"twice":    {Files{{Name: "001_a.sql", Value: "SELECT 1"}, {Name: "1_b.sql", Value: "SELECT 1"}}, "have the same number"},
		"zero":     {Files{{Name: "000_a.sql", Value: "SELECT 1"}}, "the first number is 1"},
		"empty":    {Files{{Name: "001_a.sql", Value: " \n"}}, "it is empty"},
		"binary":   {Files{{Name: "001_a.sql", Value: "SELECT 1\x00"}}, "no text in UTF-8"},
		"begin":    {Files{{Name: "001_a.sql", Value: "SELECT 1;\n -- first\n begin immediate; SELECT 2"}}, "001_a.sql: statement 2 is BEGIN"},
		"commit":   {Files{{Name: "001_a.sql", Value: "COMMIT"}}, "001_a.sql: statement 1 is COMMIT"},
		"end":      {Files{{Name: "001_a.sql", Value: "/* x */End Transaction;"}}, "001_a.sql: statement 1 is END"},
		"rollback": {Files{{Name: "001_a.sql", Value: "SAVEPOINT s; ROLLBACK TO s; RELEASE s; rollback"}}, "001_a.sql: statement 4 is ROLLBACK"},
		"large":    {Files{{Name: "001_a.sql", Value: strings.Repeat("-", MaxMigrations+1)}}, "at most"},
	} {
		if _, err := Parse(c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestMigrateALot builds an index that a commit does not take, while others read and
// write.
func TestMigrateALot(t *testing.T) {
	b := newBench(t)
	first := files("001_t.sql", "CREATE TABLE t (i INTEGER PRIMARY KEY, v)")
	if _, err := b.Migrate(t.Context(), b.place, first); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		b.exec(fmt.Sprintf("INSERT INTO t (v) "+rowsOf+"SELECT 'a value that takes its room in the index ' || i FROM n", 20_000+i))
	}
	ctx, stop := context.WithCancel(t.Context())
	reader := make(chan error, 1)
	var reads, refused atomic.Int64
	go func() {
		defer close(reader)
		for ctx.Err() == nil {
			err := b.attempt(context.Background(), b.place, false, func(c *sqlite.Conn) error {
				rows, err := c.Query("SELECT count(*) FROM t", nil)
				if err != nil {
					return err
				}
				defer rows.Close()
				_, err = rows.Next()
				return err
			})
			if err != nil {
				reader <- err
				return
			}
			reads.Add(1)
		}
	}()
	writer := make(chan error, 1)
	go func() {
		defer close(writer)
		for ctx.Err() == nil {
			err := b.change(context.Background(), b.place, func(c *sqlite.Conn) error { return c.Script("UPDATE t SET v = random() WHERE i = 1") })
			switch fault.CodeOf(err) {
			case "", fault.Conflict:
			case fault.Unavailable:
				refused.Add(1)
			default:
				writer <- err
				return
			}
		}
	}()
	plan, err := b.Migrate(t.Context(), b.place, append(first, files("002_v.sql", "CREATE INDEX v ON t (v)")...))
	stop()
	if reading, writing := <-reader, <-writer; err != nil || reading != nil || writing != nil || len(plan.Pending) != 1 {
		t.Fatalf("%+v, %v; who reads: %v, who writes: %v", plan, err, reading, writing)
	}
	if reads.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d reads, %d writes refused meanwhile", reads.Load(), refused.Load())
	}
	if got := b.text("SELECT count(*) FROM t") + b.text("SELECT integrity_check FROM pragma_integrity_check"); got != "120015ok" {
		t.Errorf("migrated: %s", got)
	}
	pages := b.text("SELECT page_count FROM pragma_page_count")
	if got := fmt.Sprint(b.keys() - 1); got != pages {
		t.Errorf("%s keys for %s pages", got, pages)
	}
	b.exec("INSERT INTO t (v) VALUES ('after')")
}

// TestRecover has a server die in the middle of what it stages.
func TestRecover(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (v); INSERT INTO t VALUES ('old')")
	whole, keys := b.export(), b.keys()
	entry := sqlite.Entry{Generation: 0, Held: true}
	err := b.write(t.Context(), b.place, func(tx *store.Tx) error {
		if err := entry.Put(tx, b.place.Name); err != nil {
			return err
		}
		return tx.Set(sqlite.Page(b.place.Name, 1, 1), whole[:sqlite.PageSize], 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.change(t.Context(), b.place, func(c *sqlite.Conn) error { return c.Script("UPDATE t SET v = 'new'") })
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a write of one that is held: %v", err)
	}
	if got := b.text("SELECT v FROM t"); got != "old" {
		t.Errorf("it shows %s", got)
	}
	if err := b.Recover(t.Context(), "crm", b.place.Space); err != nil {
		t.Fatal(err)
	}
	b.exec("UPDATE t SET v = 'new'")
	if got := b.keys(); got != keys+1 {
		t.Errorf("%d keys, want %d", got, keys+1)
	}
}

// TestEnded ends the work in its middle.
func TestEnded(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (v)")
	for range 4 {
		b.exec(fmt.Sprintf("INSERT INTO t "+rowsOf+"SELECT zeroblob(3000) FROM n", 800))
	}
	whole := b.export()
	ctx, end := context.WithCancel(t.Context())
	cfg := b.cfg
	cfg.Store = &ending{Store: b.cfg.Store, commits: 3, end: end} // the hold, and twice some pages
	err := New(cfg).Import(ctx, b.place, bytes.NewReader(whole))
	if fault.CodeOf(err) != fault.Deadline {
		t.Errorf("ended: %v", err)
	}
	if got := b.text("SELECT count(*) FROM t"); got != "3200" {
		t.Errorf("%s rows", got)
	}
	b.exec("DELETE FROM t")
}

// ending calls end after some commits.
type ending struct {
	store.Store
	commits int
	end     func()
}

func (e *ending) Commit(ctx context.Context, effects *store.Effects) (store.Revision, error) {
	if e.commits--; e.commits == 0 {
		e.end()
	}
	return e.Store.Commit(context.WithoutCancel(ctx), effects)
}

func TestQuery(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (i INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'one'), (2, x'00ff'), (3, NULL)")
	got, err := b.Query(t.Context(), b.place, Statement{SQL: "SELECT i, v FROM t ORDER BY i", Write: false, Limit: 2})
	if err != nil || fmt.Sprint(got.Columns) != "[i v]" || len(got.Rows) != 2 || !got.More || string(got.Rows[1][1].Bytes) != "\x00\xff" {
		t.Errorf("query: %+v, %v", got, err)
	}
	if _, err = b.Query(t.Context(), b.place, Statement{SQL: "DELETE FROM t", Write: false, Limit: 10}); fault.CodeOf(err) != fault.Denied {
		t.Errorf("a change without write: %v", err)
	}
	if _, err = b.Query(t.Context(), b.place, Statement{SQL: "CREATE TABLE u (v)", Write: false, Limit: 10}); fault.CodeOf(err) != fault.Denied {
		t.Errorf("a table without write: %v", err)
	}
	if got, err = b.Query(t.Context(), b.place, Statement{SQL: "DELETE FROM t WHERE i < 3 RETURNING i", Write: true, Limit: 1}); err != nil || got.Changed != 2 || !got.More {
		t.Errorf("a change: %+v, %v", got, err)
	}
	if got := b.text("SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows", got)
	}
	list, err := b.List(t.Context(), b.place)
	if err != nil || len(list) != 1 || list[0].Name != "main" || list[0].Bytes() != 2*4096 || list[0].Held {
		t.Errorf("list: %+v, %v", list, err)
	}
}

// TestPlanOfAnOddTable has a database with another table of that name.
func TestPlanOfAnOddTable(t *testing.T) {
	for _, make := range []string{
		"CREATE TABLE wasmoor_migrations (number INTEGER PRIMARY KEY, name GENERATED ALWAYS AS (hex(zeroblob(400000))), sha256, compatible, applied)",
		"CREATE VIEW wasmoor_migrations AS SELECT 1 AS number, '' AS name, '' AS sha256, 1 AS compatible, '' AS applied",
	} {
		b := newBench(t)
		if _, err := b.Query(t.Context(), b.place, Statement{SQL: make, Write: true, Limit: 1}); err != nil {
			t.Fatal(err)
		}
		list := files("001_t.sql", "CREATE TABLE t (v)")
		if _, err := b.Plan(t.Context(), b.place, list); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), "is not the host's") {
			t.Errorf("%.40s: %v", make, err)
		}
		drop := "DROP " + strings.Fields(make)[1] + " wasmoor_migrations"
		if _, err := b.Query(t.Context(), b.place, Statement{SQL: drop, Write: true, Limit: 1}); err != nil {
			t.Errorf("%s: %v", drop, err)
		}
	}
}

// TestMigrateABusyDatabase migrates one whose plugin writes all the time.
func TestMigrateABusyDatabase(t *testing.T) {
	b := newBench(t)
	list := files("001_t.sql", "CREATE TABLE t (i INTEGER PRIMARY KEY, v)")
	if _, err := b.Migrate(t.Context(), b.place, list); err != nil {
		t.Fatal(err)
	}
	b.exec(fmt.Sprintf("INSERT INTO t (v) "+rowsOf+"SELECT i FROM n", 2000))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = b.change(context.Background(), b.place, func(c *sqlite.Conn) error {
				return c.Script("UPDATE t SET v = random() WHERE i = abs(random()) % 2000")
			})
		}
	}()
	_, err := b.Migrate(t.Context(), b.place, append(list, files("002_w.sql", "ALTER TABLE t ADD COLUMN w; UPDATE t SET w = v; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; RELEASE s")...))
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if got := b.text("SELECT count(w) FROM t"); got != "2000" {
		t.Errorf("%s rows", got)
	}
}

func TestWideRows(t *testing.T) {
	b := newBench(t)
	wide := "SELECT " + strings.TrimSuffix(strings.Repeat("b,", 100), ",") + " FROM (SELECT zeroblob(100000) AS b)"
	if _, err := b.Query(t.Context(), b.place, Statement{SQL: wide, Limit: 10}); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("10 MB in a row: %v", err)
	}
}

// full is a store whose disk is full when the test says so.
type full struct {
	store.Store
	is func() bool
}

func (f full) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	if f.is() {
		return 0, fault.New(fault.Exhausted, "commit", "the disk is full")
	}
	return f.Store.Commit(ctx, e)
}

// TestAHoldEndsOnceTheDiskHasRoom: nobody has to start the server again.
func TestAHoldEndsOnceTheDiskHasRoom(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (i)")
	b.exec(fmt.Sprintf("INSERT INTO t "+rowsOf+"SELECT i FROM n", 20_000))
	file := b.export()
	var commits, most atomic.Int64
	most.Store(1) // the hold
	b.cfg.Store = full{b.cfg.Store, func() bool { return commits.Add(1) > most.Load() }}
	t.Cleanup(b.Close)
	if err := b.Import(t.Context(), b.place, bytes.NewReader(file)); fault.CodeOf(err) != fault.Exhausted {
		t.Fatalf("an import into a full disk: %v", err)
	}
	insert := func() error {
		return b.change(t.Context(), b.place, func(c *sqlite.Conn) error { return c.Script("INSERT INTO t VALUES (1)") })
	}
	if err := insert(); err == nil {
		t.Fatal("it is not held")
	}
	most.Store(1 << 60)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := insert()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is held for ever: %v", err)
		}
	}
	if got := b.text("SELECT count(*) FROM t"); got != "20001" {
		t.Errorf("it has %s rows", got)
	}
}

// sized notes the largest commit.
type sized struct {
	store.Store
	ops, bytes *atomic.Int64
}

func (s sized) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	var ops, bytes int64
	for _, p := range e.Parts {
		for _, op := range p.Ops {
			ops, bytes = ops+1, bytes+int64(op.Size())
		}
	}
	s.ops.Store(max(s.ops.Load(), ops))
	s.bytes.Store(max(s.bytes.Load(), bytes))
	return s.Store.Commit(ctx, e)
}

// TestAnImportHasAFewPagesInMemory however large the file is: no commit has more, and one
// follows the other.
func TestAnImportHasAFewPagesInMemory(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (i INTEGER PRIMARY KEY, v)")
	for range 12 {
		b.exec("INSERT INTO t (v) " + fmt.Sprintf(rowsOf, 700) + "SELECT randomblob(3000) FROM n")
	}
	file := b.export()
	if len(file) < 5*pagesAtOnce*sqlite.PageSize {
		t.Fatalf("the file has only %d bytes", len(file))
	}
	var ops, bytesOf atomic.Int64
	b.cfg.Store = sized{b.cfg.Store, &ops, &bytesOf}
	for range 2 { // the second time it sweeps as well
		if err := b.Import(t.Context(), b.place, bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	if most := int64(pagesAtOnce * (sqlite.PageSize + 1024)); ops.Load() > deletedAtOnce || bytesOf.Load() > most {
		t.Errorf("a commit has %d changes and %d bytes; at most %d and %d are expected", ops.Load(), bytesOf.Load(), deletedAtOnce, most)
	}
}

// TestTurns: an operator waits for the statements of another, and is told of work that lasts
// instead of waiting for its end.
func TestTurns(t *testing.T) {
	b := newBench(t)
	b.exec("CREATE TABLE t (v)")
	file := b.export()
	write := func() error {
		_, err := b.Query(t.Context(), b.place, Statement{SQL: "INSERT INTO t VALUES (1)", Write: true, Limit: 1})
		return err
	}
	take := func(as turn) func() {
		done, err := b.alone(t.Context(), b.place, as)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	for _, as := range []turn{importing, migrating} {
		done := take(as)
		if err := write(); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("a write: %v", err)
		}
		if err := b.Import(t.Context(), b.place, bytes.NewReader(file)); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("an import: %v", err)
		}
		if _, err := b.Query(t.Context(), b.place, Statement{SQL: "SELECT v FROM t", Limit: 1}); err != nil {
			t.Errorf("a read: %v", err)
		}
		done()
	}
	done := take(stating)
	wrote := make(chan error)
	go func() { wrote <- write() }()
	select {
	case err := <-wrote:
		t.Errorf("it does not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	done()
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
