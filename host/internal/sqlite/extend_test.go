package sqlite

import "testing"

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

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		c, err := Open("main", 0)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
