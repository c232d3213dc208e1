package dump

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// make makes a file of statements.
func makeFile(t *testing.T, sql string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "it's a file.sqlite")
	db, err := sqlite3.Open("file:" + filepath.ToSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := fts5.Register(db); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(sql); err != nil {
		t.Fatalf("%v\n%.2000s", err, sql)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func dumped(t *testing.T, file string) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(t.Context(), file, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestWrite: a file that is made of a dump has the same dump, and the values are those of
// the first one.
func TestWrite(t *testing.T) {
	file := makeFile(t, `
		PRAGMA foreign_keys=OFF;
		CREATE TABLE "o'dd ""table" ("a b" INTEGER PRIMARY KEY AUTOINCREMENT, v, w AS (v || 'x'));
		INSERT INTO "o'dd ""table" ("a b", v) VALUES (9223372036854775807, 'it''s
two lines'), (2, x'00ff'), (3, 1e300), (4, NULL), (5, 0.1), (6, 'a' || char(0) || 'b'), (7, 9e999), (8, 3.0);
		CREATE TABLE child (of_id REFERENCES parent (id));
		INSERT INTO child VALUES (1);
		CREATE TABLE parent (id PRIMARY KEY) WITHOUT ROWID;
		INSERT INTO parent VALUES (1);
		CREATE INDEX i ON parent (id);
		CREATE VIEW seen AS SELECT id FROM parent;
		CREATE TRIGGER t AFTER INSERT ON child BEGIN DELETE FROM parent WHERE id = new.of_id; END;
		CREATE VIRTUAL TABLE words USING fts5 (text);
		INSERT INTO words VALUES ('hello world');
		ANALYZE;`)
	first := dumped(t, file)
	for _, want := range []string{
		"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "CAST(x'610062' AS TEXT)", "X'00FF'", "9.0e+999", "3.0",
		`INSERT INTO "o'dd ""table"("a b","v") VALUES(9223372036854775807,'it''s` + "\ntwo lines');", "\nCOMMIT;\n",
		"ANALYZE sqlite_schema;\nINSERT INTO \"sqlite_stat1\" VALUES(", "INSERT INTO \"sqlite_stat1\" VALUES('parent','i','1 1');\n",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("there is no %q in\n%s", want, first)
		}
	}
	again := makeFile(t, first)
	if second := dumped(t, again); second != first {
		t.Errorf("the dump of what a dump makes:\n%s\nwant\n%s", second, first)
	}
	db, err := sqlite3.Open("file:" + filepath.ToSlash(again))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := fts5.Register(db); err != nil {
		t.Fatal(err)
	}
	stmt, _, err := db.Prepare(`SELECT count(*), (SELECT count(*) FROM words WHERE words MATCH 'world'), (SELECT integrity_check FROM pragma_integrity_check) FROM "o'dd ""table"`)
	if err != nil || !stmt.Step() || stmt.ColumnInt(0) != 8 || stmt.ColumnInt(1) != 1 || stmt.ColumnText(2) != "ok" {
		t.Errorf("%d rows, %d words, %s, %v", stmt.ColumnInt(0), stmt.ColumnInt(1), stmt.ColumnText(2), err)
	}
	_ = stmt.Close()
}

func TestWriteRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(file, bytes.Repeat([]byte("no file of SQLite"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + ".none"} {
		if err := Write(t.Context(), name, &bytes.Buffer{}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
