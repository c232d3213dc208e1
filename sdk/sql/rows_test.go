package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// finder is a host whose queries find rows of one text, as many and as long as the
// statement says.
type finder struct {
	hostcall.Host
	queries []*found
	calls   int // of sql_rows
}

type found struct{ at, rows, size int }

func (f *finder) SQLQuery(_, statement string, _ []byte) int64 {
	q := &found{}
	if _, err := fmt.Sscanf(statement, "%d of %d", &q.rows, &q.size); err != nil {
		return int64(abi.Invalid)
	}
	f.queries = append(f.queries, q)
	return int64(len(f.queries) - 1)
}

func (f *finder) SQLRows(handle, _ uint32, buf []byte) int64 {
	f.calls++
	q, n, page := f.queries[handle], 0, make([]byte, abi.SQLPageHeaderSize)
	for q.at < q.rows {
		row := abi.AppendSQLText(nil, text(int(handle), q.at, q.size))
		if len(page)+len(row) > len(buf) {
			if n == 0 {
				return int64(len(page) + len(row))
			}
			break
		}
		page = append(page, row...)
		n++
		q.at++
	}
	abi.AppendSQLPageHeader(page[:0], uint32(n), q.at < q.rows, 1)
	return int64(copy(buf, page))
}

func (f *finder) SQLClose(uint32) int64 { return int64(abi.OK) }

func text(query, row, size int) string {
	s := fmt.Sprintf("query %d, row %d ", query, row)
	return s + strings.Repeat("x", max(size-len(s), 0))
}

// TestTextsStay keeps the texts of queries that run by turns: none is another's later on.
func TestTextsStay(t *testing.T) {
	host := &finder{}
	hostcall.Run(host, func() {
		var open []*Rows
		var sizes []int
		for _, statement := range []string{"1 of 30", "20 of 40", "0 of 0", "3 of 5000", "400 of 100", "1 of 100000", "2 of 900"} {
			for range 3 {
				rows, err := Database("main").Query(statement)
				if err != nil {
					t.Fatal(err)
				}
				open, sizes = append(open, rows), append(sizes, host.queries[len(open)].size)
			}
		}
		kept := make([][]string, len(open))
		for left := len(open); left > 0; {
			for i, rows := range open {
				if rows == nil {
					continue
				}
				if !rows.Next() {
					if err := rows.Err(); err != nil {
						t.Errorf("query %d: %v", i, err)
					}
					open[i], left = nil, left-1
					continue
				}
				var s string
				if err := rows.Scan(&s); err != nil {
					t.Fatal(err)
				}
				kept[i] = append(kept[i], s)
			}
		}
		for i, texts := range kept {
			if len(texts) != host.queries[i].rows {
				t.Errorf("query %d has %d rows, want %d", i, len(texts), host.queries[i].rows)
			}
			for n, s := range texts {
				if s != text(i, n, sizes[i]) {
					t.Fatalf("query %d, row %d is %.40q", i, n, s)
				}
			}
		}
	})
}

// TestManyRowsTakeFewCalls reads 320 KB of rows.
func TestManyRowsTakeFewCalls(t *testing.T) {
	host := &finder{}
	hostcall.Run(host, func() {
		rows, err := Database("main").Query("8000 of 35")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
		}
		if err := rows.Err(); err != nil || n != 8000 {
			t.Errorf("got %d rows, %v", n, err)
		}
	})
	if most := 15; host.calls > most {
		t.Errorf("%d calls, want at most %d", host.calls, most)
	}
}

// TestLargeRowsTakeOneCall: once a row had no room, there is room for others like it.
func TestLargeRowsTakeOneCall(t *testing.T) {
	host := &finder{}
	hostcall.Run(host, func() {
		rows, err := Database("main").Query("100 of 40000")
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; rows.Next(); n++ {
			if v := rows.Row()[0]; v.Text != text(0, n, 40000) {
				t.Fatalf("row %d is %.40q", n, v.Text)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	})
	if most := 102; host.calls > most {
		t.Errorf("%d calls for 100 rows, want at most %d", host.calls, most)
	}
}

// TestRowsEndWithClose: a query that was closed has no more rows, though some of them have
// come.
func TestRowsEndWithClose(t *testing.T) {
	hostcall.Run(&finder{}, func() {
		rows, err := Database("main").Query("20 of 40")
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal("no row")
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if rows.Next() || rows.Err() != nil {
			t.Errorf("a row after the end, %v", rows.Err())
		}
	})
}
