package e2e

import "testing"

// TestSQLTools runs what is written for database/sql as a plugin: the code that sqlc makes,
// and statements of a query builder, which is in a module of its own.
func TestSQLTools(t *testing.T) {
	t.Parallel()
	s := sqlServer{serve(t, t.TempDir())}
	for name, c := range map[string]struct{ table, want string }{
		"sqlc": {
			"authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bio TEXT, born DATETIME, score REAL, joined DATETIME NOT NULL)",
			`created 1 eve { false} unknown {0 false} 2026-01-02T03:04:05Z
created 2 ann {writes true} 1986-01-02T03:04:05Z {1.5 true} 2026-01-02T04:04:05Z
none: true
one 2 bob {writes true} 1986-01-02T03:04:05Z {1.5 true} 2026-01-02T04:04:05Z
of all 2 bob {writes true} 1986-01-02T03:04:05Z {1.5 true} 2026-01-02T04:04:05Z
of all 1 eve { false} unknown {0 false} 2026-01-02T03:04:05Z
counted 2 1.5
deleted 1
`,
		},
		"sqlbuilder": {
			"authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bio TEXT)",
			`updated 1 <nil>
SELECT authors.id, authors.name, authors.bio FROM authors WHERE (bio IS NULL OR name LIKE ?) ORDER BY name DESC LIMIT ? [a% 2]
2 dan true
3 bob true
`,
		},
	} {
		s.deploySQL(t, name, []string{c.table})
		s.deploy(name, pack(t, goGuest(t, "testdata/"+name), name, "[kv]", "[sql.main]"))
		if a := s.get("/" + name + "/"); a.status != 200 || a.body != c.want {
			t.Errorf("%s: %v, want\n%s", name, a, c.want)
		}
	}
}
