package sqlite

import (
	"testing"
	"time"
)

func TestFullText(t *testing.T) {
	s, c := openStore(t), openConn(t)
	r := begin(t, s, c)
	r.exec("CREATE VIRTUAL TABLE notes USING fts5(title, body); INSERT INTO notes VALUES ('one', 'the quick brown fox'), ('two', 'a lazy dog')")
	r.exec("CREATE VIRTUAL TABLE places USING rtree(id, minx, maxx); INSERT INTO places VALUES (1, 0, 10), (2, 20, 30)")
	r.commit()
	c2 := openConn(t)
	r = begin(t, s, c2)
	if got := r.rows("SELECT title FROM notes WHERE notes MATCH 'fox'"); got != "one" {
		t.Errorf("full text: %s", got)
	}
	if got := r.rows("SELECT id FROM places WHERE minx >= 15"); got != "2" {
		t.Errorf("ranges: %s", got)
	}
	r.refuses("CREATE VIRTUAL TABLE f USING dbstat", "not authorized")
	r.commit()
}

// TestEveryNow asks for the time in every way that SQLite has.
func TestEveryNow(t *testing.T) {
	s, c := openStore(t), openConn(t)
	r := begin(t, s, c)
	at := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	c.world = frozen{at}
	for sql, want := range map[string]string{
		"unixepoch()": "981173106", "unixepoch('subsec')": "981173106.789", "datetime(CAST('NOW' AS BLOB))": "2001-02-03 04:05:06",
		"datetime('now' || char(0) || 'x')": "2001-02-03 04:05:06", "strftime('%Y')": "2001", "time('subsecond')": "04:05:06.789",
		"date('now', '+1 day')": "2001-02-04", "current_timestamp": "2001-02-03 04:05:06", "timediff('now', '2001-02-03')": "+0000-00-00 04:05:06.789",
	} {
		if got := r.rows("SELECT " + sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	r.commit()
}

type frozen struct{ at time.Time }

func (f frozen) Now() time.Time    { return f.at }
func (f frozen) Random(buf []byte) { clear(buf) }

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		c, err := Open("main", 0)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
