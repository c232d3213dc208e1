package e2e

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

var updatesOfHotRows = flag.Int("updates", 20_000, "that BenchmarkHotRows makes")

const (
	hotBatch   = 100 // updates in a request, of 100 rows on six pages
	hotFills   = 80  // of 5,000 rows each
	hotClients = 64
)

// BenchmarkHotRows updates the same rows over and over, and shows what the data folder
// takes of the disk afterwards and at most, and how much was written for a commit: of the
// server, and of SQLite on a file (WAL, synchronous=FULL) that does the same. The table has
// 400,000 rows.
func BenchmarkHotRows(b *testing.B) {
	dir := b.TempDir()
	s := serve(b, dir, "--log-level", "warn")
	s.deploy("items", pack(b, goGuest(b, "testdata/sqlbench"), "items", "[sql.main]", "[limits]", `deadline = "60s"`))
	for range hotFills {
		if a := s.do("POST", "/items/more", ""); a.status != 200 {
			b.Fatalf("more: %v", a)
		}
	}
	file := b.TempDir()
	db := hotFile(b, file)
	commits := *updatesOfHotRows / hotBatch
	for b.Loop() {
		ours := watchDisk(b, dir, s.cmd.Process.Pid)
		var made atomic.Int64
		parallel(hotClients, func(int) {
			for made.Add(1) <= int64(commits) {
				for {
					a := s.do("POST", fmt.Sprint("/items/hot/", hotBatch), "")
					if a.status == 200 {
						break
					} else if a.status != 503 {
						b.Errorf("hot: %v", a)
						return
					}
				}
			}
		})
		ours.end(b)
		own := watchDisk(b, file, os.Getpid())
		for range commits {
			hotCommit(b, db)
		}
		own.end(b)
		var text bytes.Buffer
		w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "%d commits\tbefore, MiB\tafter\tat most\twritten for a commit, KiB\tcommits/s\t\n", commits)
		for _, d := range []*diskUse{own, ours} {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t\n", d.name, mib(d.before), mib(d.after), mib(d.most), float64(d.wrote)/1024/float64(commits), float64(commits)/d.took.Seconds())
		}
		fmt.Fprintf(w, "ratio\t%.2f\t%.2f\t%.2f\t%.2f\t\t\n", float64(ours.before)/float64(own.before), float64(ours.after)/float64(own.after),
			float64(ours.most)/float64(own.most), float64(ours.wrote)/float64(own.wrote))
		_ = w.Flush()
		b.Log("\n" + text.String())
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it means nothing
}

// hotFile makes the table in a file.
func hotFile(b *testing.B, dir string) *sqlite3.Conn {
	b.Helper()
	db, err := sqlite3.Open(filepath.Join(dir, "items.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	const fill = "INSERT INTO big (n, body) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 5000) SELECT i, hex(randomblob(100)) FROM s"
	for _, sql := range append([]string{
		"PRAGMA journal_mode = wal; PRAGMA synchronous = full", "CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body TEXT NOT NULL)",
	}, strings.Split(strings.Repeat(fill+";", hotFills), ";")...) {
		if err := db.Exec(sql); err != nil {
			b.Fatal(err)
		}
	}
	return db
}

func hotCommit(b *testing.B, db *sqlite3.Conn) {
	stmt, _, err := db.Prepare("UPDATE big SET n = n + 1 WHERE id = abs(random()) % 100 + 1")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	if err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		b.Fatal(err)
	}
	for range hotBatch {
		if err := stmt.Exec(); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Exec("COMMIT"); err != nil {
		b.Fatal(err)
	}
}

// diskUse is what a folder takes while a process writes to it.
type diskUse struct {
	name                       string
	dir                        string
	pid                        int
	before, after, most, wrote int64
	begun                      time.Time
	took                       time.Duration
	stop                       chan struct{}
	watching                   sync.WaitGroup
}

func watchDisk(b *testing.B, dir string, pid int) *diskUse {
	b.Helper()
	d := &diskUse{name: "wasmoor", dir: dir, pid: pid, before: allocated(dir), wrote: -written(b, pid), begun: time.Now(), stop: make(chan struct{})}
	if pid == os.Getpid() {
		d.name = "SQLite on a file"
	}
	d.watching.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			d.most = max(d.most, allocated(dir))
			select {
			case <-tick.C:
			case <-d.stop:
				return
			}
		}
	})
	return d
}

func (d *diskUse) end(b *testing.B) {
	b.Helper()
	d.took = time.Since(d.begun)
	d.wrote += written(b, d.pid)
	close(d.stop)
	d.watching.Wait()
	d.after = allocated(d.dir)
	d.most = max(d.most, d.after)
}

// allocated returns how many bytes of the disk the files of a folder have.
func allocated(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil { // else it has just gone
			sum += st.Blocks * 512
		}
		return nil
	})
	return sum
}

// written returns how many bytes a process has sent to the disk.
func written(b *testing.B, pid int) int64 {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "write_bytes: "); ok {
			n, _ := strconv.ParseInt(text, 10, 64)
			return n
		}
	}
	b.Fatal("the system does not count what a process writes")
	return 0
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
