package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

const (
	benchRows    = 10_000
	benchWriters = 64
	benchRounds  = 3
	benchRound   = 2 * time.Second
)

const (
	schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL); CREATE UNIQUE INDEX mails ON t (mail)"
	insert = "INSERT INTO t (mail, name, n) VALUES (?, ?, ?)"
	update = "UPDATE t SET n = n + 1 WHERE id = ?"
	lookup = "SELECT name, n FROM t WHERE mail = ?"
)

func mail(n int) string { return fmt.Sprintf("someone-%08d@example.com", n) }

var filler = strings.Repeat("wasm", 20)

// bed is a store with databases, each with connections of its own.
type bed struct {
	store     *badger.Store
	free      []chan *Conn // per database
	turns     []chan struct{}
	conflicts atomic.Int64
}

func newBed(b testing.TB, databases, rows int) *bed {
	b.Helper()
	s, err := badger.Open(badger.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	bed := &bed{store: s}
	b.Cleanup(func() { bed.close(b) })
	for d := range databases {
		bed.free = append(bed.free, make(chan *Conn, benchWriters))
		bed.turns = append(bed.turns, make(chan struct{}, 1))
		err := bed.do(d, s.Snapshot, func(c *Conn) error {
			if err := c.db.Exec(schema); err != nil {
				return err
			}
			if err := c.db.Exec("BEGIN"); err != nil {
				return err
			}
			for n := range rows {
				if err := insertRow(c, n); err != nil {
					return err
				}
			}
			return c.db.Exec("COMMIT")
		}, nil)
		if err != nil {
			b.Fatal(err)
		}
	}
	return bed
}

func (bed *bed) close(b testing.TB) {
	for _, free := range bed.free {
		close(free)
		for c := range free {
			c.Close()
		}
	}
	bed.free = nil
	if err := bed.store.Close(); err != nil {
		b.Error(err)
	}
}

type source func() (store.Snapshot, error)

func (f source) Snapshot() (store.Snapshot, error) { return f() }

// do runs f in a transaction, on a connection of a database, and commits it; sealed is
// called once that is decided.
func (bed *bed) do(d int, from source, f func(c *Conn) error, sealed func()) error {
	var c *Conn
	select {
	case c = <-bed.free[d]:
	default:
		var err error
		if c, err = Open("main"+strconv.Itoa(d), 0); err != nil {
			return err
		}
	}
	defer func() { bed.free[d] <- c }()
	tx := transactions.Get().(*store.Tx)
	defer transactions.Put(tx)
	tx.Reset(from, 1, store.Quota{}, time.Now())
	defer tx.Close()
	c.Begin(context.Background(), tx.Part(store.Space(1).In(store.AreaSQL), store.Quota{}), invoke.Machine, false)
	err := f(c)
	c.End()
	if err != nil {
		return err
	}
	_, settling, err := bed.store.Seal(context.Background(), tx.Effects())
	if sealed != nil {
		sealed()
	}
	if err != nil {
		return err
	}
	return settling.Wait()
}

var transactions = sync.Pool{New: func() any { return new(store.Tx) }}

// write runs f as requests do that write one database: on top of what the one before
// has sealed.
func (bed *bed) write(d int, f func(c *Conn) error) error {
	bed.turns[d] <- struct{}{}
	return bed.do(d, bed.store.Latest, f, func() { <-bed.turns[d] })
}

func insertRow(c *Conn, n int) error {
	_, err := c.Exec(insert, []Value{text(mail(n)), text(filler), {Kind: Int, Int: int64(n)}})
	return err
}

func updateRow(c *Conn, id int) error {
	_, err := c.Exec(update, []Value{{Kind: Int, Int: int64(id)}})
	return err
}

func lookUp(c *Conn, n int) error {
	rows, err := c.Query(lookup, []Value{text(mail(n))})
	if err != nil {
		return err
	}
	defer rows.Close()
	if more, err := rows.Next(); !more {
		return fmt.Errorf("no row: %w", err)
	}
	name, err := rows.Value(0)
	if err != nil || len(name.Bytes) != len(filler) {
		return fmt.Errorf("another row: %w", err)
	}
	return nil
}

func text(s string) Value { return Value{Kind: Text, Bytes: []byte(s)} }

// onFile is a database in a file, with one connection.
type onFile struct {
	db                     *sql.DB
	insert, update, lookup *sql.Stmt
}

func newFile(b testing.TB) *onFile {
	b.Helper()
	db, err := driver.Open("file:" + filepath.Join(b.TempDir(), "db") + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	f := &onFile{db: db}
	exec := func(sql string, args ...any) {
		if _, err := db.Exec(sql, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec(schema)
	exec("BEGIN")
	for n := range benchRows {
		exec(insert, mail(n), filler, n)
	}
	exec("COMMIT")
	for _, p := range []struct {
		s   **sql.Stmt
		sql string
	}{{&f.insert, insert}, {&f.update, update}, {&f.lookup, lookup}} {
		if *p.s, err = db.Prepare(p.sql); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return f
}

// written returns how many bytes this process has sent to disks.
func written(b testing.TB) int64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip("this system does not count what is written")
	}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	rest, _, _ = strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// processor returns how much processor time this process has taken.
func processor(b testing.TB) time.Duration {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip("this system does not count what processes take")
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var ticks int64 // of 10 ms, in user mode and in the kernel
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(10*ticks) * time.Millisecond
}

// BenchmarkCommits has 64 clients commit one row each, durably: into one database, into
// one each, and into a file.
func BenchmarkCommits(b *testing.B) {
	one, many, file := newBed(b, 1, benchRows), newBed(b, benchWriters, benchRows/benchWriters), newFile(b)
	var next atomic.Int64
	next.Store(benchRows)
	row := func() int { return 1 + rand.IntN(benchRows) }
	fresh := func() int { return int(next.Add(1)) }
	optimistic := func(d int, f func(c *Conn) error) error {
		for {
			err := many.do(d, many.store.Snapshot, f, nil)
			if fault.CodeOf(err) != fault.Conflict {
				return err
			}
			many.conflicts.Add(1)
		}
	}
	kinds := []struct {
		name string
		step func(w int) error
	}{
		{"update, one database", func(int) error { return one.write(0, func(c *Conn) error { return updateRow(c, row()) }) }},
		{"update, 64 databases", func(w int) error {
			return optimistic(w, func(c *Conn) error { return updateRow(c, 1+rand.IntN(benchRows/benchWriters)) })
		}},
		{"update, file", func(int) error { _, err := file.update.Exec(row()); return err }},
		{"insert, one database", func(int) error { return one.write(0, func(c *Conn) error { return insertRow(c, fresh()) }) }},
		{"insert, 64 databases", func(w int) error { return optimistic(w, func(c *Conn) error { return insertRow(c, fresh()) }) }},
		{"insert, file", func(int) error { n := fresh(); _, err := file.insert.Exec(mail(n), filler, n); return err }},
		{"kv_set", func(w int) error { return one.setKey(w, fresh()) }},
	}
	rates, bytes, busy := make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([][]float64, len(kinds))
	for b.Loop() {
		for range benchRounds {
			for i, kind := range kinds {
				before, began := written(b), processor(b)
				rate, n := measure(b, kind.step)
				rates[i] = append(rates[i], rate)
				busy[i] = append(busy[i], (processor(b)-began).Seconds()*1e6/n)
				bytes[i] = append(bytes[i], float64(written(b)-before)/n)
			}
		}
	}
	table(b, "64 clients\tcommits/s\tprocessor each\tbytes written each\t\n", func(w *tabwriter.Writer) {
		for i, kind := range kinds {
			fmt.Fprintf(w, "%s\t%.0f\t%.0f µs\t%.0f\t\n", kind.name, median(rates[i]), median(busy[i]), median(bytes[i]))
		}
	})
	b.Log("conflicts of 64 databases:", many.conflicts.Load())
	b.ReportMetric(median(rates[0]), "commits/s")
	b.ReportMetric(0, "ns/op")
}

func measure(b *testing.B, step func(writer int) error) (rate, n float64) {
	b.Helper()
	var steps atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range benchWriters {
		wg.Go(func() {
			for time.Since(start) < benchRound {
				if err := step(w); err != nil {
					b.Error(err)
					return
				}
				steps.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(steps.Load()) / time.Since(start).Seconds(), float64(steps.Load())
}

func (bed *bed) setKey(w, n int) error {
	tx := transactions.Get().(*store.Tx)
	defer transactions.Put(tx)
	tx.Reset(bed.store, 1, store.Quota{}, time.Now())
	defer tx.Close()
	if err := tx.Set(benchKey(w, n), make([]byte, 100), 0); err != nil {
		return err
	}
	_, err := bed.store.Commit(context.Background(), tx.Effects())
	return err
}

func (bed *bed) getKey(n int) error {
	tx := transactions.Get().(*store.Tx)
	defer transactions.Put(tx)
	tx.Reset(bed.store, 1, store.Quota{}, time.Now())
	defer tx.Close()
	_, ok, err := tx.Get(benchKey(0, n))
	if !ok {
		return fmt.Errorf("no key: %w", err)
	}
	return err
}

func benchKey(w, n int) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(w)}, uint64(n))
}

func table(b *testing.B, head string, rows func(w *tabwriter.Writer)) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, head)
	rows(w)
	_ = w.Flush() // to memory
	b.Log("\n" + text.String())
}

func median[T float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// BenchmarkReads has one client look rows up by an index, each in a transaction of its
// own.
func BenchmarkReads(b *testing.B) {
	bed, file := newBed(b, 1, benchRows), newFile(b)
	for n := range benchRows {
		if n%500 == 0 {
			if err := bed.fill(n, 500); err != nil {
				b.Fatal(err)
			}
		}
	}
	kinds := []struct {
		name string
		step func() error
	}{
		{"indexed row", func() error {
			return bed.do(0, bed.store.Snapshot, func(c *Conn) error { return lookUp(c, rand.IntN(benchRows)) }, nil)
		}},
		{"kv_get", func() error { return bed.getKey(rand.IntN(benchRows)) }},
		{"file", func() error {
			var name string
			var n int
			return file.lookup.QueryRow(mail(rand.IntN(benchRows))).Scan(&name, &n)
		}},
	}
	took := make([][]time.Duration, len(kinds))
	for b.Loop() {
		for range 5_000 {
			for i, kind := range kinds {
				start := time.Now()
				if err := kind.step(); err != nil {
					b.Fatal(err)
				}
				took[i] = append(took[i], time.Since(start))
			}
		}
	}
	table(b, "one client\tp50\tp99\t\n", func(w *tabwriter.Writer) {
		for i, kind := range kinds {
			slices.Sort(took[i])
			fmt.Fprintf(w, "%s\t%v\t%v\t\n", kind.name, took[i][len(took[i])/2], took[i][len(took[i])*99/100])
		}
	})
	b.ReportMetric(0, "ns/op")
}

func (bed *bed) fill(from, n int) error {
	tx := new(store.Tx)
	tx.Reset(bed.store, 1, store.Quota{}, time.Now())
	defer tx.Close()
	for i := range n {
		if err := tx.Set(benchKey(0, from+i), make([]byte, 100), 0); err != nil {
			return err
		}
	}
	_, err := bed.store.Commit(context.Background(), tx.Effects())
	return err
}

// BenchmarkWritten has one client update rows, and counts what that writes until all is
// closed.
func BenchmarkWritten(b *testing.B) {
	const updates = 15_000
	var ours, files float64
	for b.Loop() {
		bed, file := newBed(b, 1, benchRows), newFile(b)
		before := written(b)
		for range updates {
			if err := bed.write(0, func(c *Conn) error { return updateRow(c, 1+rand.IntN(benchRows)) }); err != nil {
				b.Fatal(err)
			}
		}
		bed.close(b)
		ours += float64(written(b) - before)
		before = written(b)
		for range updates {
			if _, err := file.update.Exec(1 + rand.IntN(benchRows)); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(file.insert.Close(), file.update.Close(), file.lookup.Close(), file.db.Close()); err != nil {
			b.Fatal(err)
		}
		files += float64(written(b) - before)
	}
	b.ReportMetric(ours/updates/float64(b.N), "B/update")
	b.ReportMetric(files/updates/float64(b.N), "B/update-in-file")
	b.ReportMetric(ours/files, "times-the-file")
	b.ReportMetric(0, "ns/op")
}
