package sql

import (
	"context"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// attempting returns an attempt with a database, of which the running handlers have room for
// most bytes.
func attempting(t *testing.T, most int64) *attempt {
	t.Helper()
	s, err := badger.Open(badger.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	tx := new(store.Tx)
	tx.Reset(s, 1, store.Quota{}, time.Now())
	t.Cleanup(func() {
		tx.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	inv := &invoke.Invocation{
		Env: &invoke.Env{Space: 1, Memory: limit.NewBudget(most)}, Request: &invoke.Request{}, Tx: tx,
	}
	return &attempt{inv: inv, of: &databases{declared: Settings{{Name: "main"}}, pool: &pool{}}}
}

const sort = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10) SELECT count(*) FROM (SELECT zeroblob(1000000 + i) AS b FROM n ORDER BY b)"

// TestMemoryCounts: what a connection grows by counts among what handlers have.
func TestMemoryCounts(t *testing.T) {
	for _, c := range []struct {
		most int64
		want fault.Code
	}{{64 << 20, ""}, {6 << 20, fault.Unavailable}} {
		a := attempting(t, c.most)
		_, err := a.run(context.Background(), statement{database: "main", text: sort})
		if fault.CodeOf(err) != c.want {
			t.Errorf("a sort of 10 MB with room for %d bytes: %v", c.most, err)
		}
		a.Close()
	}
}

// TestGrownAreClosed: a connection that has grown waits for nobody, and one that has not
// is counted while it waits.
func TestGrownAreClosed(t *testing.T) {
	for text, waits := range map[string]bool{"SELECT 1": true, sort: false} {
		a := attempting(t, 64<<20)
		if _, err := a.run(context.Background(), statement{database: "main", text: text}); err != nil {
			t.Fatal(err)
		}
		used := a.open[0].conn
		a.Close()
		if got := a.of.pool.idle.Load(); waits && got != int64(used.Memory()) || !waits && got != 0 {
			t.Errorf("after %.10s %d bytes wait", text, got)
		}
		again, err := a.of.pool.take(database{1, "main", 0})
		if err != nil {
			t.Fatal(err)
		}
		if (again == used) != waits || a.of.pool.idle.Load() != 0 {
			t.Errorf("after %.10s: used again %v; %d bytes wait", text, again == used, a.of.pool.idle.Load())
		}
		again.Close()
	}
}

// TestKeptRowsAreGivenBack: the rows of a statement that changes something are kept while its
// query is open, and the next query has the same room.
func TestKeptRowsAreGivenBack(t *testing.T) {
	a := attempting(t, 96<<20)
	for _, text := range []string{"CREATE TABLE t (n INT, v)", "INSERT INTO t VALUES (0, zeroblob(500000))"} {
		if _, err := a.run(t.Context(), statement{database: "main", text: text}); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 1<<20)
	update := statement{database: "main", text: "UPDATE t SET n = n + 1 RETURNING n, v"}
	for i := range 300 { // 150 MB of rows
		c, err := a.begin(t.Context(), update)
		if err != nil {
			t.Fatalf("query %d: %v", i, err)
		}
		if _, err := c.page(buf, 0); err != nil {
			t.Fatal(err)
		}
		if err := a.end(c); err != nil || len(a.cursors) != 0 {
			t.Fatalf("%d queries are open, %v", len(a.cursors), err)
		}
	}
	c, err := a.begin(t.Context(), update)
	if err != nil {
		t.Fatal(err)
	}
	a.drop(c.in)
	if a.kept != 0 || len(a.cursors) != 0 {
		t.Errorf("without its connection a query has %d bytes of rows", a.kept)
	}
	for i := 0; ; i++ { // open ones count together
		if _, err := a.begin(t.Context(), update); fault.CodeOf(err) == fault.Unavailable {
			break
		} else if err != nil || i == 250 {
			t.Fatalf("query %d: %v", i, err)
		}
	}
	a.Close()
}
