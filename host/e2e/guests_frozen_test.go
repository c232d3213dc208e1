package e2e

import (
	"strings"
	"testing"
)

// TestFrozen has a guest in Go make identifiers with a generator that was seeded
// from the clock while it initialised.
func TestFrozen(t *testing.T) {
	t.Parallel()
	module := pack(t, goGuest(t, "testdata/frozen/go"), "frozen-go")
	s := serve(t, t.TempDir(), "--log-level", "error")
	s.differs(t, writeFile(t, "frozen-go.wasm", module), "frozen-go", requests()/2,
		"the wall clock, which github.com/oklog/ulid/v2.")
}

// differs deploys what gives the same to every request that starts from one
// memory. Whoever deploys it is told, and no two requests get the same.
func (s *server) differs(t *testing.T, path, name string, n int, notice string) {
	t.Helper()
	stdout, stderr, code := s.cli("deploy", path)
	if code != 0 || !strings.Contains(stderr, "notice each request gets a new instance") || !strings.Contains(stderr, notice) {
		t.Fatalf("deploy ended with %d and told %q and %q, want a notice of %q", code, stdout, stderr, notice)
	}
	seen := map[string]bool{}
	for i := range n {
		a := s.get("/" + name + "/")
		if a.status != 200 || len(a.body) < 8 || seen[a.body] {
			t.Fatalf("request %d of %d repeats, or is wrong: %s", i, n, a)
		}
		seen[a.body] = true
	}
}
