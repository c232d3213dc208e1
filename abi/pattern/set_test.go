package pattern

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

// newSet adds patterns in order, each with itself as its value.
func newSet(tb testing.TB, patterns ...string) *Set[string] {
	tb.Helper()
	s := new(Set[string])
	for _, text := range patterns {
		if err := s.Add(mustParse(tb, text), text); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func params(m Match[string]) string {
	var parts []string
	for _, p := range m.Params {
		parts = append(parts, p.Name+"="+p.Value)
	}
	return strings.Join(parts, " ")
}

func TestMatch(t *testing.T) {
	s := newSet(t,
		"/{$}", "GET /items/{id}", "POST /items/{$}", "GET /items/new", "/files/{path...}",
		"/docs/", "h.example/items/{id}", "GET /a/{x}/c", "GET /a/b/d", "POST /a/b/c",
		"HEAD /h", "GET /h", "/enc/%7Euser/{v}")
	for _, tt := range []struct{ method, host, path, want, params string }{
		{"GET", "", "/", "/{$}", ""},
		{"GET", "", "/items/7", "GET /items/{id}", "id=7"},
		{"HEAD", "", "/items/7", "GET /items/{id}", "id=7"},
		{"GET", "", "/items/new", "GET /items/new", ""},
		{"GET", "", "/items/%6eew", "GET /items/new", ""},
		{"GET", "", "/items/a%20b", "GET /items/{id}", "id=a b"},
		{"GET", "", "/items/a+b", "GET /items/{id}", "id=a+b"},
		{"GET", "", "/items/%2F", "GET /items/{id}", "id=/"},
		{"GET", "", "/items/%zz", "GET /items/{id}", "id=%zz"},
		{"GET", "", "/items/..", "GET /items/{id}", "id=.."},
		{"POST", "", "/items/", "POST /items/{$}", ""},
		{"POST", "", "/items", "", ""},
		{"GET", "", "/items/", "", ""},
		{"GET", "", "/items//", "", ""},
		{"GET", "", "/items/7/", "", ""},
		{"GET", "", "/files/", "/files/{path...}", "path="},
		{"GET", "", "/files/a//b%2Fc/", "/files/{path...}", "path=a//b/c/"},
		{"GET", "", "/files", "", ""},
		{"PUT", "", "/docs/x/y", "/docs/", ""},
		{"GET", "h.example", "/items/7", "h.example/items/{id}", "id=7"},
		{"GET", "h.example", "/items/new", "h.example/items/{id}", "id=new"},
		{"POST", "h.example", "/items/", "POST /items/{$}", ""},
		{"GET", "other.example", "/items/7", "GET /items/{id}", "id=7"},
		{"GET", "", "/a/b/c", "GET /a/{x}/c", "x=b"},
		{"POST", "", "/a/b/c", "POST /a/b/c", ""},
		{"GET", "", "/a//c", "", ""},
		{"HEAD", "", "/h", "HEAD /h", ""},
		{"GET", "", "/h", "GET /h", ""},
		{"GET", "", "/enc/~user/x", "/enc/%7Euser/{v}", "v=x"},
		{"", "", "/docs/", "/docs/", ""},
		{"", "", "/h", "", ""},
		{"OPTIONS", "", "*", "", ""},
		{"GET", "", "", "", ""},
		{"GET", "", "items/7", "", ""},
	} {
		m, ok := s.Match(tt.method, tt.host, tt.path, nil)
		if ok != (tt.want != "") || m.Value != tt.want || params(m) != tt.params {
			t.Errorf("Match(%s %s%s) = %q %q, want %q %q", tt.method, tt.host, tt.path, m.Value, params(m), tt.want, tt.params)
		}
		if ok && m.Pattern.String() != m.Value {
			t.Errorf("Match(%s %s%s): pattern %q with the value of %q", tt.method, tt.host, tt.path, m.Pattern, m.Value)
		}
	}
}

func TestMatchAppends(t *testing.T) {
	s := newSet(t, "/{a}/{b}")
	m, ok := s.Match("GET", "", "/1/2", []abi.Pair{{Name: "kept", Value: "0"}})
	if got, want := params(m), "kept=0 a=1 b=2"; !ok || got != want {
		t.Errorf("params = %q, want %q", got, want)
	}
}

func TestAllowed(t *testing.T) {
	s := newSet(t, "GET /a/{x}", "PUT /a/b", "DELETE h/a/{x}", "POST /a/{rest...}", "/any", "GET /only")
	for _, tt := range []struct{ host, path, want string }{
		{"", "/a/b", "GET HEAD POST PUT"},
		{"h", "/a/b", "DELETE GET HEAD POST PUT"},
		{"", "/a/", "POST"},
		{"", "/only", "GET HEAD"},
		{"", "/any", ""},
		{"", "/none", ""},
		{"", "*", ""},
		{"", "", ""},
	} {
		if got := strings.Join(s.Allowed(tt.host, tt.path), " "); got != tt.want {
			t.Errorf("Allowed(%q, %q) = %q, want %q", tt.host, tt.path, got, tt.want)
		}
	}
}

func TestEmptySet(t *testing.T) {
	var s Set[int]
	if _, ok := s.Match("GET", "h", "/a", nil); ok || s.Allowed("h", "/") != nil || s.Len() != 0 {
		t.Error("the zero Set matches something")
	}
}

func TestConflictNamesBoth(t *testing.T) {
	for _, tt := range []struct{ first, second string }{
		{"GET /shop/{id}", "GET /shop/{name}"},
		{"GET /shop/", "GET /shop/{rest...}"},
		{"GET h.example/{x}/b", "GET H.example/a/{x}"},
		{"/a/b", "GET /{x}/b"},
		{"GET /{x}/b", "/a/b"},
		{"HEAD /", "GET /a"},
		{"/a/{x}/", "/{y}/b/{z...}"},
		{"/a/{x}/", "/{y}/b/{$}"},
		{"/a/{b}/c/", "/{x}/b/{y}/{z}"},
	} {
		s := newSet(t, "PURGE /before", tt.first, "PURGE /behind")
		err := s.Add(mustParse(t, tt.second), "second")
		var c *ConflictError[string]
		if !errors.As(err, &c) {
			t.Errorf("%q beside %q: %v, want a conflict", tt.second, tt.first, err)
			continue
		}
		if c.Pattern.String() != tt.second || c.With.String() != tt.first || c.Value != tt.first {
			t.Errorf("conflict of %q with %q, want %q with %q", c.Pattern, c.With, tt.second, tt.first)
		}
		for _, text := range []string{tt.first, tt.second} {
			if !strings.Contains(c.Reason, strconv.Quote(text)) {
				t.Errorf("reason %q does not name %q", c.Reason, text)
			}
		}
		if s.Len() != 3 {
			t.Errorf("a refused pattern was added")
		}
	}
}

func TestConflictReportsTheFirst(t *testing.T) {
	for range 20 {
		s := newSet(t, "/b/x", "/c/x", "/d/x", "/e/x", "/f/x")
		err := s.Add(mustParse(t, "GET /{n}/x"), "")
		var c *ConflictError[string]
		if !errors.As(err, &c) || c.Value != "/b/x" {
			t.Fatalf("Add = %v, want the conflict with /b/x", err)
		}
	}
}

// TestExamplesHold checks the paths that explain an overlap.
func TestExamplesHold(t *testing.T) {
	texts := []string{
		"/{x}/b", "/a/{x}", "/a/{x}/", "/{y}/b/{z...}", "/{y}/b/{$}", "/{a}/b/c", "/a/{b}/{c}", "/a/{x}/{$}",
		"/{x}/", "/%2F/{y}", "/a/{b}/c/", "/{x}/b/{y}/{z}", "/{a...}", "/{a}/{x}/b", "/a%20b/{x}", "/{x}/a%20b",
	}
	for _, ta := range texts {
		for _, tb := range texts {
			a, b := mustParse(t, ta), mustParse(t, tb)
			if Compare(a, b) != Overlaps {
				continue
			}
			checkExample(t, commonPath(a.segments, b.segments), a, true, b, true)
			checkExample(t, differencePath(a.segments, b.segments), a, true, b, false)
		}
	}
}

func checkExample(t *testing.T, path string, a *Pattern, wantA bool, b *Pattern, wantB bool) {
	t.Helper()
	_, gotA := newSet(t, a.String()).Match("GET", "", path, nil)
	_, gotB := newSet(t, b.String()).Match("GET", "", path, nil)
	if gotA != wantA || gotB != wantB {
		t.Errorf("%q: %q matches %v, %q matches %v", path, a, gotA, b, gotB)
	}
}

// largeSet is a host's table: many mounts with a few routes each.
func largeSet(tb testing.TB, mounts int) *Set[string] {
	tb.Helper()
	s := new(Set[string])
	for i := range mounts {
		for _, route := range []string{"GET /items/{id}", "POST /items", "GET /items/{id}/parts/{part}", "/static/"} {
			p, err := mustParse(tb, route).Under("/plugin" + strconv.Itoa(i))
			if err != nil {
				tb.Fatal(err)
			}
			if err := s.Add(p, p.String()); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return s
}

func TestMatchAllocatesNothing(t *testing.T) {
	s := largeSet(t, 100)
	buf := make([]abi.Pair, 0, 8)
	for _, path := range []string{"/plugin42/items/7/parts/8", "/plugin7/static/a/b/c", "/%70lugin7/static/", "/none"} {
		if n := testing.AllocsPerRun(100, func() { s.Match("GET", "h.example", path, buf) }); n != 0 {
			t.Errorf("Match(%q) allocates %v times", path, n)
		}
	}
}

func TestAllowedOfMatchedMethods(t *testing.T) {
	s := largeSet(t, 3)
	for _, path := range []string{"/plugin1/items/7", "/plugin1/items"} {
		for _, method := range s.Allowed("", path) {
			if _, ok := s.Match(method, "", path, nil); !ok {
				t.Errorf("%s %s is allowed and does not match", method, path)
			}
		}
		if slices.Contains(s.Allowed("", path), "TRACE") {
			t.Errorf("%s allows TRACE", path)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	s := largeSet(b, 1000)
	buf := make([]abi.Pair, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Match("GET", "h.example", "/plugin512/items/7/parts/8", buf); !ok {
			b.Fatal("no match")
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		largeSet(b, 1000)
	}
}
