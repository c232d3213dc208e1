package router

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// entry makes an Entry whose value is the plugin's name.
func entry(name, mount string, routes ...string) Entry {
	return Entry{Plugin: name, Mount: plugin.Mount(mount), Routes: routes}
}

func build(t *testing.T, entries ...Entry) *Table {
	t.Helper()
	table, err := New(entries)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return table
}

func TestLookup(t *testing.T) {
	table := build(t,
		entry("links", "/", "GET /{code}", "POST /api/links", "GET /{$}"),
		entry("shop", "/shop", "GET /items/{id}", "GET /items/new", "POST /items", "/any/{rest...}", "GET /{$}"),
		entry("admin", "/shop/admin"),
		entry("blog", "example.org/blog"),
		entry("front", "example.org/", "GET /"),
		entry("one", "/both", "GET /one"),
		entry("two", "/both", "GET /two", "POST /one"),
	)
	type want struct {
		result  Result
		value   string
		route   int
		pattern string
		params  []abi.Pair
		mount   string
		path    string
		allow   []string
	}
	for _, c := range []struct {
		name, method, host, path string
		want                     want
	}{
		{"root route", "GET", "h", "/abc", want{Found, "links", 0, "GET /{code}", []abi.Pair{{Name: "code", Value: "abc"}}, "", "/abc", nil}},
		{"root itself", "GET", "h", "/", want{Found, "links", 2, "GET /{$}", nil, "", "/", nil}},
		{"literal", "GET", "h", "/shop/items/new", want{Found, "shop", 1, "GET /items/new", nil, "/shop", "/items/new", nil}},
		{"wildcard", "GET", "h", "/shop/items/7", want{Found, "shop", 0, "GET /items/{id}", []abi.Pair{{Name: "id", Value: "7"}}, "/shop", "/items/7", nil}},
		{"value with escape", "GET", "h", "/shop/items/a%20b%2Fc", want{Found, "shop", 0, "GET /items/{id}", []abi.Pair{{Name: "id", Value: "a b/c"}}, "/shop", "/items/a%20b%2Fc", nil}},
		{"head is get", "HEAD", "h", "/shop/items/7", want{Found, "shop", 0, "GET /items/{id}", []abi.Pair{{Name: "id", Value: "7"}}, "/shop", "/items/7", nil}},
		{"rest", "PUT", "h", "/shop/any/a/b", want{Found, "shop", 3, "/any/{rest...}", []abi.Pair{{Name: "rest", Value: "a/b"}}, "/shop", "/any/a/b", nil}},
		{"mount itself", "GET", "h", "/shop", want{Found, "shop", 4, "GET /{$}", nil, "/shop", "/", nil}},
		{"mount with slash", "GET", "h", "/shop/", want{Found, "shop", 4, "GET /{$}", nil, "/shop", "/", nil}},
		{"slash at the end is another path", "GET", "h", "/shop/items/7/", want{result: NotFound, mount: "/shop", path: "/items/7/"}},
		{"case matters", "GET", "h", "/shop/Items/7", want{result: NotFound, mount: "/shop", path: "/Items/7"}},
		{"prefix is whole segments", "GET", "h", "/shopping", want{Found, "links", 0, "GET /{code}", []abi.Pair{{Name: "code", Value: "shopping"}}, "", "/shopping", nil}},
		{"prefix in escapes", "GET", "h", "/%73hop/items/new", want{Found, "shop", 1, "GET /items/new", nil, "/shop", "/items/new", nil}},
		{"method not allowed", "DELETE", "h", "/shop/items/7", want{result: MethodNotAllowed, mount: "/shop", path: "/items/7", allow: []string{"GET", "HEAD"}}},
		{"method of a sibling plugin", "GET", "h", "/both/one", want{Found, "one", 0, "GET /one", nil, "/both", "/one", nil}},
		{"method of the other sibling", "POST", "h", "/both/one", want{Found, "two", 1, "POST /one", nil, "/both", "/one", nil}},
		{"allow over siblings", "PUT", "h", "/both/one", want{result: MethodNotAllowed, mount: "/both", path: "/one", allow: []string{"GET", "HEAD", "POST"}}},
		{"no fallback to the mount above", "GET", "h", "/both", want{result: NotFound, mount: "/both", path: "/"}},
		{"whole mount itself", "PATCH", "h", "/shop/admin", want{Found, "admin", WholeMount, "", nil, "/shop/admin", "/", nil}},
		{"whole mount below", "PATCH", "h", "/shop/admin/a//b/", want{Found, "admin", WholeMount, "", nil, "/shop/admin", "/a//b/", nil}},
		{"host before none", "GET", "example.org", "/shop/items/7", want{Found, "front", 0, "GET /", nil, "", "/shop/items/7", nil}},
		{"host's deeper mount", "PUT", "example.org", "/blog/x", want{Found, "blog", WholeMount, "", nil, "/blog", "/x", nil}},
		{"host with port and capitals", "PUT", "EXAMPLE.org:8443", "/blog/x", want{Found, "blog", WholeMount, "", nil, "/blog", "/x", nil}},
		{"host with a final dot", "PUT", "example.org.", "/blog/x", want{Found, "blog", WholeMount, "", nil, "/blog", "/x", nil}},
		{"address as host", "GET", "[::1]:80", "/shop/items/new", want{Found, "shop", 1, "GET /items/new", nil, "/shop", "/items/new", nil}},
		{"no host", "GET", "", "/shop/items/new", want{Found, "shop", 1, "GET /items/new", nil, "/shop", "/items/new", nil}},
		{"not found", "GET", "h", "/x/y", want{result: NotFound, mount: "", path: "/x/y"}},
		{"empty path", "GET", "h", "", want{result: NotFound}},
		{"star", "OPTIONS", "h", "*", want{result: NotFound}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, result := table.Lookup(c.method, c.host, c.path, nil)
			got := want{result, m.Plugin, m.Route, m.Pattern, m.Params, m.Mount, m.Path, m.Allow}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("Lookup(%s %s%s) (-want +got):\n%s", c.method, c.host, c.path, diff)
			}
		})
	}
}

func TestLookupWithoutRootMount(t *testing.T) {
	table := build(t, entry("shop", "/shop"))
	if m, result := table.Lookup("GET", "h", "/other", nil); result != NotFound {
		t.Errorf("Lookup = %+v, %v; want NotFound", m, result)
	}
	var zero Table
	if m, result := zero.Lookup("GET", "h", "/", nil); result != NotFound {
		t.Errorf("zero table: Lookup = %+v, %v; want NotFound", m, result)
	}
}

func TestLookupAppendsParams(t *testing.T) {
	table := build(t, entry("a", "/a", "GET /{x}/{y}"), entry("w", "/w"))
	buffer := append(make([]abi.Pair, 0, 4), abi.Pair{Name: "before", Value: "0"})
	m, _ := table.Lookup("GET", "", "/a/1/2", buffer)
	want := []abi.Pair{{Name: "before", Value: "0"}, {Name: "x", Value: "1"}, {Name: "y", Value: "2"}}
	if diff := cmp.Diff(want, m.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	m, _ = table.Lookup("GET", "", "/w/1/2", buffer)
	if diff := cmp.Diff(want[:1], m.Params); diff != "" {
		t.Errorf("params of a whole mount (-want +got):\n%s", diff)
	}
}

func TestAllowed(t *testing.T) {
	table := build(t,
		entry("shop", "/shop", "GET /x", "PUT /{any}", "/free/x"),
		entry("whole", "/whole"),
	)
	for _, c := range []struct {
		path string
		want []string
	}{
		{"/shop/x", []string{"GET", "HEAD", "PUT"}},
		{"/shop/y", []string{"PUT"}},
		{"/shop/y/z", nil},
		{"/whole/x", nil},
		{"/nowhere", nil},
	} {
		m, _ := table.Lookup("BREW", "h", c.path, nil)
		if diff := cmp.Diff(c.want, m.Allow); diff != "" {
			t.Errorf("allowed at %s (-want +got):\n%s", c.path, diff)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []Entry
		code    fault.Code
		names   []string // each stands in the message
	}{
		{
			"same pattern in one plugin",
			[]Entry{entry("a", "/a", "GET /{x}", "GET /{y}")},
			fault.Conflict,
			[]string{`"GET /{x}"`, `"GET /{y}"`, `plugin "a"`},
		},
		{
			"overlap in one plugin",
			[]Entry{entry("a", "/a", "GET /{x}/b", "GET /b/{y}")},
			fault.Conflict,
			[]string{`"GET /{x}/b"`, `"GET /b/{y}"`, `"/b/b"`},
		},
		{
			"same pattern of two plugins at one mount",
			[]Entry{entry("b", "/m", "GET /items/{id}"), entry("a", "/m/", "GET /items/{key}")},
			fault.Conflict,
			[]string{`plugin "a"`, `plugin "b"`, `"GET /items/{id}"`, `"GET /items/{key}"`, "/m"},
		},
		{
			"two whole mounts",
			[]Entry{entry("a", "/m"), entry("b", "/m")},
			fault.Conflict,
			[]string{`plugin "a"`, `plugin "b"`, "/m"},
		},
		{
			"routes at a whole mount",
			[]Entry{entry("b", "/m", "GET /x"), entry("a", "/m")},
			fault.Conflict,
			[]string{`plugin "a" has no routes`, `plugin "b"`, `"GET /x"`},
		},
		{
			"whole mount at routes",
			[]Entry{entry("a", "/m", "GET /x"), entry("b", "/m")},
			fault.Conflict,
			[]string{`plugin "b" has no routes`, `plugin "a"`, `"GET /x"`},
		},
		{
			"same host and prefix",
			[]Entry{entry("a", "h.example/m"), entry("b", "h.example/m")},
			fault.Conflict,
			[]string{`plugin "a"`, `plugin "b"`, "h.example/m"},
		},
		{
			"route at a deeper mount",
			[]Entry{entry("outer", "/", "GET /shop"), entry("inner", "/shop", "GET /x")},
			fault.Conflict,
			[]string{`"GET /shop"`, `plugin "outer"`, `plugin "inner"`, `"GET /x"`},
		},
		{
			"route below a deeper mount",
			[]Entry{entry("outer", "/a", "POST /b/c/{x}"), entry("inner", "/a/b")},
			fault.Conflict,
			[]string{`"POST /b/c/{x}"`, `plugin "outer"`, `plugin "inner"`, "/a/b"},
		},
		{
			"route with escapes below a deeper mount",
			[]Entry{entry("outer", "/", "GET /sh%6Fp/"), entry("inner", "/shop")},
			fault.Conflict,
			[]string{`plugin "outer"`, `plugin "inner"`},
		},
		{
			"route below a deeper mount, two levels up",
			[]Entry{entry("outer", "h.example/", "/a/b/c"), entry("inner", "h.example/a/b")},
			fault.Conflict,
			[]string{`plugin "outer"`, `plugin "inner"`},
		},
		{
			"bad pattern",
			[]Entry{entry("a", "/a", "GET /{x")},
			fault.Invalid,
			[]string{`"GET /{x"`, `plugin "a"`},
		},
		{
			"pattern with a host",
			[]Entry{entry("a", "/a", "GET h.example/x")},
			fault.Invalid,
			[]string{`"GET h.example/x"`, `plugin "a"`},
		},
		{
			"bad mount",
			[]Entry{entry("a", "/a/../b")},
			fault.Invalid,
			[]string{`"/a/../b"`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, order := range [][]Entry{c.entries, reversed(c.entries)} {
				table, err := New(order)
				if fault.CodeOf(err) != c.code || table != nil {
					t.Fatalf("New = %v, %v; want code %q", table, err, c.code)
				}
				for _, name := range c.names {
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%q does not name %s", err, name)
					}
				}
			}
		})
	}
}

func reversed[T any](list []T) []T {
	out := make([]T, 0, len(list))
	for i := range list {
		out = append(out, list[len(list)-1-i])
	}
	return out
}

func TestBuildAccepts(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []Entry
	}{
		{"nothing", nil},
		{"general pattern above a mount", []Entry{entry("a", "/", "GET /{code}", "GET /{a}/{b...}"), entry("b", "/shop")}},
		{"whole mount in a whole mount", []Entry{entry("a", "/shop"), entry("b", "/shop/admin")}},
		{"same prefix, one with a host", []Entry{entry("a", "/shop"), entry("b", "h.example/shop")}},
		{"route below a mount of one host", []Entry{entry("a", "/", "GET /shop/x"), entry("b", "h.example/shop")}},
		{"siblings with disjoint routes", []Entry{entry("a", "/", "GET /a"), entry("b", "/", "GET /b", "POST /a")}},
		{"a name that starts alike", []Entry{entry("a", "/", "GET /shopping"), entry("b", "/shop")}},
	} {
		t.Run(c.name, func(t *testing.T) { build(t, c.entries...) })
	}
}

// TestPrecedenceIsNetHTTP compares one plugin's routes with http.ServeMux.
func TestPrecedenceIsNetHTTP(t *testing.T) {
	routes := []string{
		"GET /a/{x}", "GET /a/b", "/a/b/any", "POST /a/{x}", "GET /{$}", "/c/", "GET /c/d", "HEAD /a/b", "/b/{x}/z", "GET /b/y/z",
	}
	table := build(t, entry("p", "/", routes...))
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r, func(http.ResponseWriter, *http.Request) {})
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
		for _, path := range []string{"/", "/a/b", "/a/c", "/a/b/", "/a/b/any", "/b/c/z", "/b/y/z", "/c/", "/c/d", "/c/d/e", "/q"} {
			r, err := http.NewRequest(method, "http://h.example"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, want := mux.Handler(r)
			if got, _ := table.Lookup(method, "h.example", path, nil); got.Pattern != want {
				t.Errorf("%s %s: %q, net/http says %q", method, path, got.Pattern, want)
			}
		}
	}
}

// many returns 1,000 routes on 50 mounts.
func many() []Entry {
	var entries []Entry
	for i := range 50 {
		e := Entry{Plugin: fmt.Sprintf("plugin-%d", i), Mount: plugin.Mount(fmt.Sprintf("/plugin-%d", i))}
		for j := range 10 {
			e.Routes = append(e.Routes, fmt.Sprintf("GET /things-%d/{id}", j), fmt.Sprintf("GET /things-%d/new", j))
		}
		entries = append(entries, e)
	}
	return entries
}

var lookups = []struct{ name, method, host, path string }{
	{"literal", "GET", "example.org:8080", "/plugin-31/things-7/new"},
	{"param", "GET", "example.org:8080", "/plugin-31/things-7/4711"},
	{"miss", "GET", "example.org:8080", "/nowhere/things-7/4711"},
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table, err := New(many())
	if err != nil {
		t.Fatal(err)
	}
	params := make([]abi.Pair, 0, 4)
	for _, c := range lookups {
		if n := testing.AllocsPerRun(100, func() { table.Lookup(c.method, c.host, c.path, params) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.name, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table, err := New(many())
	if err != nil {
		b.Fatal(err)
	}
	params := make([]abi.Pair, 0, 4)
	for _, c := range lookups {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Lookup(c.method, c.host, c.path, params)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	entries := many()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(entries); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLookupTellsWhoIsMounted(t *testing.T) {
	table := build(t, entry("one", "/both", "GET /one"), entry("two", "/both", "GET /two"), entry("root", "/", "GET /x"))
	for path, want := range map[string][]string{"/both/one": {"one", "two"}, "/both/none": {"one", "two"}, "/none": {"root"}} {
		for _, method := range []string{"POST", "GET"} {
			m, _ := table.Lookup(method, "h", path, nil)
			if diff := cmp.Diff(want, m.Mounted); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
			}
		}
	}
}
