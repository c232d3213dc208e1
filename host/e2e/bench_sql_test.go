package e2e

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	sqlitedriver "github.com/ncruces/go-sqlite3/driver"
)

// bareSQL, set in the environment to a folder, makes the test binary a server of SQLite on
// a file behind Fiber, with the statements of the plugin sqlbench.
const bareSQL = "WASMOOR_BENCH_BARE_SQL"

// pocketBase, set in the environment, is the program of .ci/pocketbase.
const pocketBase = "WASMOOR_POCKETBASE"

// workerd, set in the environment, is the program that runs .ci/pocketbase/workerd.
const workerd = "WASMOOR_WORKERD"

// BenchmarkSQL measures the databases of a plugin, over HTTP and with benchConns
// connections, next to SQLite on a file (WAL, synchronous=FULL) behind Fiber, and, if their
// programs are named, to PocketBase's records and to the SQL of a Durable Object of workerd:
// a row, a range of 20 by an index, an insert, an update of one hot row, and a mix of them.
// Each program is as it comes: PocketBase does not sync each commit to disk.
func BenchmarkSQL(b *testing.B) {
	s := serve(b, b.TempDir(), "--log-level", "warn")
	s.deploy("items", pack(b, goGuest(b, "testdata/sqlbench"), "items", "[sql.main]"))
	if a := s.do("POST", "/items/fill", ""); a.status != 200 {
		b.Fatalf("fill: %d %s", a.status, a.body)
	}
	file := startBareSQL(b)
	names := []string{"a row", "a range of 20", "insert", "update of one row"}
	paths := []string{"/row", "/range", "/insert", "/hot"}
	var groups [][]*candidate
	for i, name := range names {
		body := ""
		if i > 1 {
			body = "{}"
		}
		groups = append(groups, []*candidate{
			{name: name + ": SQLite on a file", url: file + paths[i], body: body},
			{name: name + ": wasmoor", url: s.public + "/items" + paths[i], body: body},
		})
	}
	if program := os.Getenv(pocketBase); program != "" {
		url, id := startPocketBase(b, program)
		records := url + "/api/collections/items/records"
		for i, c := range []*candidate{
			{url: records + "/" + id},
			{url: records + "?filter=(n%3E5000)&sort=n&perPage=20&skipTotal=1"},
			{url: records, body: `{"n":5000,"name":"a new item"}`},
			{url: records + "/" + id, body: `{"n+":1}`, method: "PATCH"},
		} {
			c.name = names[i] + ": PocketBase"
			groups[i] = append(groups[i], c)
		}
	}
	if program := os.Getenv(workerd); program != "" {
		url := startWorkerd(b, program)
		for i, c := range groups {
			groups[i] = append(c, &candidate{name: names[i] + ": workerd", url: url + paths[i], body: c[0].body})
		}
	}
	groups = append(groups, mixture(groups))
	for b.Loop() {
		for range benchRounds {
			for _, group := range groups {
				for _, c := range group {
					c.rounds = append(c.rounds, c.load(b))
				}
			}
		}
	}
	for _, group := range groups {
		b.Log("\n" + compared(group, "of SQLite"))
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// mixture returns candidates of which 80 % of the requests are rows, 10 % ranges, 5 % inserts
// and 5 % updates.
func mixture(groups [][]*candidate) (all []*candidate) {
	for i, c := range groups[0] {
		_, of, _ := strings.Cut(c.name, ": ")
		all = append(all, &candidate{name: "mixed: " + of, url: c.url, mixed: func() *candidate {
			switch n := rand.IntN(20); {
			case n < 16:
				return groups[0][i]
			case n < 18:
				return groups[1][i]
			case n < 19:
				return groups[2][i]
			}
			return groups[3][i]
		}})
	}
	return all
}

// startWorkerd returns where it is.
func startWorkerd(b *testing.B, program string) (url string) {
	b.Helper()
	line := firstLine(b, exec.Command(program, "serve", "../../.ci/pocketbase/workerd/config.capnp", "--control-fd=1", "--directory-path", "disk="+b.TempDir()))
	var listens struct{ Port int }
	if err := json.Unmarshal([]byte(line), &listens); err != nil {
		b.Fatalf("workerd says %q", line)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", listens.Port)
}

// serveBareSQL serves the database of a folder.
func serveBareSQL(dir string) int {
	db, err := sqlitedriver.Open("file:" + filepath.Join(dir, "items.db") + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err == nil {
		err = fillBareSQL(db)
	}
	ln, failed := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || failed != nil {
		fmt.Fprintln(os.Stderr, err, failed)
		return 1
	}
	fmt.Println(ln.Addr())
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/row", bareRows(db, "SELECT id, n, name FROM items WHERE id = abs(random()) % 10000 + 1"))
	app.Get("/range", bareRows(db, "SELECT id, n, name FROM items WHERE n > (SELECT abs(random()) % 9900) ORDER BY n LIMIT 20"))
	app.Post("/insert", bareExec(db, "INSERT INTO items (n, name) VALUES (abs(random()) % 10000, 'a new item')"))
	app.Post("/hot", bareExec(db, "UPDATE items SET n = n + 1 WHERE id = 1"))
	fmt.Fprintln(os.Stderr, app.Listener(ln))
	return 1
}

func fillBareSQL(db *sql.DB) error {
	_, err := db.Exec(`CREATE TABLE items (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, name TEXT NOT NULL);
		CREATE INDEX ns ON items (n);
		INSERT INTO items (n, name) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10000) SELECT i, 'item number ' || i FROM s`)
	return err
}

func bareRows(db *sql.DB, statement string) fiber.Handler {
	prepared, err := db.Prepare(statement)
	return func(c *fiber.Ctx) error {
		if err != nil {
			return err
		}
		rows, err := prepared.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		type item struct {
			ID   int64  `json:"id"`
			N    int64  `json:"n"`
			Name string `json:"name"`
		}
		var list []item
		for rows.Next() {
			var i item
			if err := rows.Scan(&i.ID, &i.N, &i.Name); err != nil {
				return err
			}
			list = append(list, i)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return c.JSON(list)
	}
}

func bareExec(db *sql.DB, statement string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		done, err := db.Exec(statement)
		if err != nil {
			return err
		}
		id, err := done.LastInsertId()
		if err != nil {
			return err
		}
		return c.JSON(fiber.Map{"id": id})
	}
}

func startBareSQL(b *testing.B) (url string) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), bareSQL+"="+b.TempDir())
	return "http://" + strings.Fields(firstLine(b, cmd))[0]
}

// startPocketBase returns where it is, and the id of an item.
func startPocketBase(b *testing.B, program string) (url, id string) {
	b.Helper()
	line := strings.Fields(firstLine(b, exec.Command(program, b.TempDir())))
	if len(line) != 2 {
		b.Fatalf("PocketBase says %q", line)
	}
	return line[0], line[1]
}

// firstLine starts a server, which ends with the test, and returns the first line that it
// prints.
func firstLine(b *testing.B, cmd *exec.Cmd) string {
	b.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := endsWithTest(cmd).Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to lose
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return line
}
