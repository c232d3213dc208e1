package sqlite

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

var (
	corpus     = flag.String("corpus", "testdata", "the folder with the tests of sqllogictest")
	corpusTime = flag.Duration("for", time.Hour, "how long tests of the corpus may begin")
	corpusSeed = flag.Uint64("seed", 0, "seed of their order and of the attempts; 0 = a new one")
)

// TestSQLLogic runs tests in the form of sqllogictest on a database in the store and on
// one in a file. Every statement finds, changes and refuses the same, though the first is
// run by attempts that commit here and there, on connections that take turns, and that
// conflict before and run again.
func TestSQLLogic(t *testing.T) {
	seed := *corpusSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	files := corpusFiles(t, rng)
	t.Logf("seed %d, %d files", seed, len(files))
	s, end := openStore(t), time.Now().Add(*corpusTime)
	var all logicCounts
	next := make(chan string)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for path := range next {
				all.add(runLogic(t, s, path, rand.New(rand.NewPCG(seed, uint64(slices.Index(files, path))))))
			}
		})
	}
	begun := 0
	for ; begun < len(files) && time.Now().Before(end); begun++ {
		next <- files[begun]
	}
	close(next)
	workers.Wait()
	t.Logf("%d files: %d statements, of which %d are to fail, %d fail, %d are refused and %d differ; %d attempts, %d of them run again", begun, all.statements, all.toFail, all.fail, len(all.refused), all.differ, all.attempts, all.again)
	for _, sql := range all.refused {
		t.Logf("refused, and not run in a file: %.200s", sql)
	}
	if all.statements == 0 {
		t.Error("nothing was tested")
	}
}

// corpusFiles returns the tests in a random order in which the folders take turns.
func corpusFiles(t *testing.T, rng *rand.Rand) (files []string) {
	folders := map[string][]string{}
	err := filepath.WalkDir(*corpus, func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".test" || ext == ".slt" {
			folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	type placed struct {
		path  string
		place float64
	}
	var order []placed
	for _, list := range folders {
		slices.Sort(list)
		rng := rand.New(rand.NewPCG(rng.Uint64(), 0))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for i, path := range list {
			order = append(order, placed{path, float64(i)})
		}
	}
	slices.SortFunc(order, func(a, b placed) int {
		if a.place != b.place {
			return int(a.place - b.place)
		}
		return strings.Compare(a.path, b.path)
	})
	for _, p := range order {
		files = append(files, p.path)
	}
	return files
}

// logicCounts is what was done.
type logicCounts struct {
	mu                                                sync.Mutex
	statements, toFail, fail, differ, attempts, again int
	refused                                           []string // what plugins may not do
}

func (c *logicCounts) add(of *logicCounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements += of.statements
	c.toFail += of.toFail
	c.fail += of.fail
	c.differ += of.differ
	c.attempts += of.attempts
	c.again += of.again
	c.refused = append(c.refused, of.refused...)
}

// logicStatement is one of a test.
type logicStatement struct {
	line  int
	sql   string
	fails bool // it is said to
}

// readLogic reads a test: what is for SQLite, up to what it is said to find.
func readLogic(text string) (list []logicStatement) {
	line := 1
	for record := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		at, skip := line, false
		line += strings.Count(record, "\n") + 2
		lines := strings.Split(record, "\n")
		for i, l := range lines {
			word, rest, _ := strings.Cut(l, " ")
			engine, _, _ := strings.Cut(rest, " ")
			switch word {
			case "onlyif":
				skip = skip || engine != "sqlite"
			case "skipif":
				skip = skip || engine == "sqlite"
			case "halt":
				if !skip {
					return list
				}
			case "statement", "query":
				sql, _, _ := strings.Cut(strings.Join(lines[i+1:], "\n"), "\n----")
				if !skip {
					list = append(list, logicStatement{at + i, strings.TrimSpace(sql), strings.HasPrefix(l, "statement error")})
				}
			default:
				continue
			}
			if word == "statement" || word == "query" {
				break
			}
		}
	}
	return list
}

// logic is a test that runs.
type logic struct {
	logicCounts
	s     *badger.Store
	name  string // of its database
	rng   *rand.Rand
	own   *sqlite3.Conn
	conns [2]*Conn
	c     *Conn // that of the attempt; nil = none runs
	tx    store.Tx
	did   []logicStatement // by the attempt
	found []string
}

func runLogic(t *testing.T, s *badger.Store, path string, rng *rand.Rand) *logicCounts {
	l := &logic{s: s, rng: rng, name: strings.NewReplacer("/", "-", "\\", "-").Replace(path[max(0, len(path)-MaxName):])}
	text, err := os.ReadFile(path)
	if err == nil {
		l.own, err = sqlite3.Open(filepath.Join(t.TempDir(), "file.db"))
	}
	if err != nil {
		t.Error(path, err)
		return &l.logicCounts
	}
	defer func() {
		_ = l.own.Close()
		for _, c := range l.conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	if err := l.own.Exec("PRAGMA journal_mode = memory; PRAGMA synchronous = off"); err != nil {
		t.Error(err)
	}
	list := append(readLogic(string(text)), logicStatement{sql: "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"}, logicStatement{sql: "PRAGMA integrity_check"})
	for i, statement := range list {
		if err := l.step(statement, i == len(list)-1); err != nil {
			l.differ++
			t.Errorf("%s:%d: %.500s\n%.500v", path, statement.line, statement.sql, err)
		}
	}
	return &l.logicCounts
}

// step runs a statement, and ends the attempt now and then.
func (l *logic) step(statement logicStatement, last bool) error {
	l.statements++
	if statement.fails {
		l.toFail++
	}
	got, err := l.ours(statement)
	if strings.HasPrefix(got, tooLarge) && l.own.GetAutocommit() { // for the attempt
		l.did, l.found = l.did[:len(l.did)-1], l.found[:len(l.found)-1]
		if err = l.commit(); err == nil {
			got, err = l.ours(statement)
		}
	}
	if strings.HasPrefix(got, tooLarge) || strings.Contains(got, " refused: ") || strings.HasSuffix(got, "more than one statement") {
		l.refused = append(l.refused, statement.sql)
		return nil
	}
	want := foundIn(l.own, statement.sql)
	if strings.HasPrefix(want, "error ") {
		l.fail++
	}
	switch {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("is %.200q, and in a file %.200q", got, want)
	}
	if l.own.GetAutocommit() && (last || l.rng.IntN(16) == 0) {
		return l.commit()
	}
	return nil
}

// tooLarge is what find returns of a statement that changes more than an attempt may.
const tooLarge = string(fault.TooLarge)

// ours runs a statement in the attempt.
func (l *logic) ours(statement logicStatement) (string, error) {
	if l.c == nil {
		if err := l.begin(); err != nil {
			return "", err
		}
	}
	found := l.find(statement.sql)
	l.did, l.found = append(l.did, statement), append(l.found, found)
	return found, nil
}

// begin begins an attempt on either connection.
func (l *logic) begin() (err error) {
	l.attempts++
	i := l.rng.IntN(len(l.conns))
	if l.conns[i] == nil {
		if l.conns[i], err = Open(l.name, 0); err != nil {
			return err
		}
	}
	l.c = l.conns[i]
	l.tx.Reset(l.s, 1, store.Quota{}, time.Now())
	l.c.Begin(context.Background(), l.tx.Part(store.Space(1).In(store.AreaSQL), store.Quota{}), invoke.Machine, false)
	return nil
}

// end ends the use of the connection.
func (l *logic) end() {
	if !l.c.End() {
		l.c.Close()
		l.conns[slices.Index(l.conns[:], l.c)] = nil
	}
	l.c = nil
}

// commit ends the attempt, half of the time after it has conflicted and run again.
func (l *logic) commit() error {
	did, found := l.did, l.found
	l.did, l.found = nil, nil
	if l.rng.IntN(2) == 0 {
		l.again++
		l.end()
		l.tx.Close()
		if err := l.begin(); err != nil {
			return err
		}
		for i, statement := range did {
			if got := l.find(statement.sql); got != found[i] {
				return fmt.Errorf("run again, line %d is %.200q, and was %.200q", statement.line, got, found[i])
			}
		}
	}
	l.end()
	defer l.tx.Close()
	if l.tx.ReadOnly() {
		return nil
	}
	_, err := l.s.Commit(context.Background(), l.tx.Effects())
	return err
}

// find returns what a statement of the attempt finds or changes, or why it fails.
func (l *logic) find(sql string) string {
	var b strings.Builder
	before := l.c.Changes()
	rows, err := l.c.Query(sql, nil)
	if err == nil {
		err = each(&b, rows)
		if failed := rows.Close(); err == nil {
			err = failed
		}
	}
	if fault.CodeOf(err) == fault.Invalid {
		return "error " + fault.MessageOf(err)
	} else if err != nil {
		return fmt.Sprintf("%v: %v", fault.CodeOf(err), err)
	}
	fmt.Fprint(&b, l.c.Changes()-before)
	return b.String()
}

func each(b *strings.Builder, rows *Rows) error {
	for {
		if more, err := rows.Next(); err != nil || !more {
			return err
		}
		for i := range rows.stmt.ColumnCount() {
			v, err := rows.Value(i)
			if err != nil {
				return err
			}
			spell(b, v)
		}
	}
}

func spell(b *strings.Builder, v Value) {
	fmt.Fprintf(b, "%d %d %v %q\n", v.Kind, v.Int, v.Float, v.Bytes)
}

// foundIn is find in a file.
func foundIn(own *sqlite3.Conn, sql string) string {
	var b strings.Builder
	before := own.TotalChanges()
	s, _, err := own.Prepare(sql)
	if err == nil {
		for s.Step() {
			for i := range s.ColumnCount() {
				spell(&b, column(s, i))
			}
		}
		err = s.Err()
		_ = s.Close()
	}
	if err != nil {
		return "error " + strings.TrimPrefix(err.Error(), "sqlite3: ")
	}
	fmt.Fprint(&b, own.TotalChanges()-before)
	return b.String()
}
