package pattern

import (
	"errors"
	"strings"
	"testing"
)

func mustParse(tb testing.TB, s string) *Pattern {
	tb.Helper()
	p, err := Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestParseParts(t *testing.T) {
	for _, tt := range []struct{ in, method, host, path, names string }{
		{"/", "", "", "/", ""},
		{"GET /", "GET", "", "/", ""},
		{"GET \t /a/{id}", "GET", "", "/a/{id}", "id"},
		{"Example.COM/a/{$}", "", "example.com", "/a/{$}", ""},
		{"PURGE h/{a}/x/{rest...}", "PURGE", "h", "/{a}/x/{rest...}", "a,rest"},
		{"/{größe}/{_x1}", "", "", "/{größe}/{_x1}", "größe,_x1"},
	} {
		p := mustParse(t, tt.in)
		if p.String() != tt.in || p.Method() != tt.method || p.Host() != tt.host || p.Path() != tt.path || strings.Join(p.names, ",") != tt.names {
			t.Errorf("Parse(%q) = method %q host %q path %q names %q", tt.in, p.Method(), p.Host(), p.Path(), p.names)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		in   string
		at   int
		rule string
	}{
		{"", 0, "not empty"},
		{"GET", 0, "starts with '/'"},
		{"GET items", 4, "starts with '/'"},
		{"G(T /", 0, "capital letters"},
		{"GET a{b}/", 5, "no wildcard"},
		{"{id}/a", 0, "no wildcard"},
		{"GET /a//b", 7, "not empty, '.' or '..'"},
		{" /a", 0, "starts with a method or with '/'"},
		{"/a b", 0, "capital letters"},
		{"GET /a b", 6, "%20"},
		{"GET h /a", 5, "%20"},
		{"//", 1, "not empty"},
		{"/a/./b", 3, "'.'"},
		{"/a/..", 3, "'..'"},
		{"/a/x{id}", 4, "whole segment"},
		{"/a/{id}x", 8, "ends with '}'"},
		{"/a/{id", 6, "ends with '}'"},
		{"/{$}/a", 1, "end of a pattern"},
		{"/{$}/", 1, "end of a pattern"},
		{"/{a...}/b", 1, "end of a pattern"},
		{"/{}", 2, "name"},
		{"/{...}", 2, "name"},
		{"/{1a}", 2, "name"},
		{"/{a-b}", 2, "name"},
		{"/{a}/{b}/{a}", 10, "used once"},
		{"/a\nb", 2, "control"},
		{"/a\x7f", 2, "control"},
		{"/" + strings.Repeat("a", MaxLength), MaxLength, "at most"},
	} {
		_, err := Parse(tt.in)
		var se *SyntaxError
		if !errors.As(err, &se) || se.Offset != tt.at || !strings.Contains(se.Rule, tt.rule) {
			t.Errorf("Parse(%.40q) = %v, want offset %d and %q", tt.in, err, tt.at, tt.rule)
		}
	}
}

// TestParseSaysWhatToWrite: whoever knows another router reads the form that this
// one has, for the whole pattern.
func TestParseSaysWhatToWrite(t *testing.T) {
	for _, tt := range []struct{ in, write string }{
		// Express, Fiber, Gin, Echo, chi, gorilla, axum, Rails, Flask, ASP.NET, Next
		{"GET /a/:id", "GET /a/{id}"},
		{"/a/:id/b/:other", "/a/{id}/b/{other}"},
		{"GET /a/:id?", "GET /a/{id}"},
		{"GET /a/:id<int>", "GET /a/{id}"},
		{"GET /a/:id([0-9]+)", "GET /a/{id}"},
		{"GET /a/:path*", "GET /a/{path...}"},
		{"GET /a/:path(.*)", "GET /a/{path...}"},
		{"GET /a/:user-id", "GET /a/{user_id}"},
		{"GET /a/*", "GET /a/{path...}"},
		{"GET /a/*path", "GET /a/{path...}"},
		{"GET /*", "GET /{path...}"},
		{"GET /a/*1", "GET /a/{path...}"},
		{"GET /a/**", "GET /a/{path...}"},
		{"GET /a/*/b", "GET /a/{any}/b"},
		{"GET /a/(.*)", "GET /a/{path...}"},
		{"GET /a/{id:[0-9]+}", "GET /a/{id}"},
		{"GET /a/{id:[^/]+}/b", "GET /a/{id}/b"},
		{"GET /a/{id:[0-9]{3}}/b", "GET /a/{id}/b"},
		{"GET /a/{path:.*}", "GET /a/{path...}"},
		{"GET /a/{path:path}", "GET /a/{path...}"},
		{"GET /a/{*path}", "GET /a/{path...}"},
		{"GET /a/{**path}", "GET /a/{path...}"},
		{"GET /a/{id?}", "GET /a/{id}"},
		{"GET /a/{id:int}", "GET /a/{id}"},
		{"GET /a/{item-id}", "GET /a/{item_id}"},
		{"GET /a/{id}.json", "GET /a/{id}"},
		{"GET /a/<id>", "GET /a/{id}"},
		{"GET /a/<int:id>", "GET /a/{id}"},
		{"GET /a/<path:rest>", "GET /a/{rest...}"},
		{"GET /a/[id]", "GET /a/{id}"},
		{"GET /a/[...slug]", "GET /a/{slug...}"},
		// methods
		{"get /b", "GET /b"},
		{"Post /b/:id", "POST /b/{id}"},
		{"ANY /x", "/x"},
		{"* /x", "/x"},
		{"all /x", "/x"},
		{"GET|POST /x", ""},
		{"GET,POST /x", ""},
		{" GET /x", "GET /x"},
		// not a path
		{"GET b", "GET /b"},
		{"b", "/b"},
		{"GET https://example.org/b/:id?x=1", "GET /b/{id}"},
		{"https://example.org", "/"},
		{"/a?full=yes", "/a"},
		{"/a#top", "/a"},
		{"GET", "GET /"},
		{"", "/"},
		{"GET /a/", "GET /a/"}, // no mistake
		// nobody can tell
		{"/static*", ""},
		{"/:a/:a", ""},
		{"/a/:", "/a/{any}"},
		{"/{", "/{any}"},
		{"/x}", "/x}"},
	} {
		_, err := Parse(tt.in)
		se, _ := errors.AsType[*SyntaxError](err)
		switch {
		case err == nil && tt.in != tt.write:
			t.Errorf("Parse(%q) takes it", tt.in)
		case err != nil && se.Write != tt.write:
			t.Errorf("Parse(%q) = %v, want to read %q", tt.in, err, tt.write)
		}
	}
	for _, text := range []string{"GET /a/%3Aid", "/%2A", "/a/b:archive", "/%5Bid]", "GET  /b", "M-SEARCH /a"} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%v, want it to be taken", err)
		}
	}
}

func TestUnder(t *testing.T) {
	for _, tt := range []struct{ route, mount, want string }{
		{"GET /items/{id}", "/shop", "GET /shop/items/{id}"},
		{"GET /items/{id}", "h.example/shop", "GET h.example/shop/items/{id}"},
		{"/", "/shop", "/shop/"},
		{"/{$}", "/shop/", "/shop/{$}"},
		{"POST /a", "", "POST /a"},
		{"POST /a", "/", "POST /a"},
		{"/a", "h.example/", "h.example/a"},
	} {
		p, err := mustParse(t, tt.route).Under(tt.mount)
		if err != nil || p.String() != tt.want {
			t.Errorf("%q under %q = %v, %v, want %q", tt.route, tt.mount, p, err, tt.want)
		}
	}
	for _, tt := range []struct{ route, mount string }{
		{"h/a", "/shop"}, {"/a", "GET /shop"}, {"/{id}", "/{id}"}, {"/a", "shop"},
	} {
		p, err := mustParse(t, tt.route).Under(tt.mount)
		switch {
		case tt.mount == "shop": // a host, and nothing else
			if err != nil || p.Host() != "shop" {
				t.Errorf("%q under %q = %v, %v, want host shop", tt.route, tt.mount, p, err)
			}
		case err == nil:
			t.Errorf("%q under %q = %v, want an error", tt.route, tt.mount, p)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want Relation
	}{
		{"/a", "/a", Equal},
		{"/a/{x}", "/a/{y}", Equal},
		{"/a/", "/a/{rest...}", Equal},
		{"/%61", "/a", Equal},
		{"GET /", "HEAD /", MoreGeneral},
		{"/", "POST /", MoreGeneral},
		{"/a/{x}", "/a/b", MoreGeneral},
		{"/", "/{$}", MoreGeneral},
		{"/a/", "/a/{x}/c", MoreGeneral},
		{"POST /a", "/{x}", MoreSpecific},
		{"GET /a", "POST /a", Disjoint},
		{"/a", "/a/", Disjoint},
		{"/a/{x}", "/a/{$}", Disjoint},
		{"/a/%2F", "/a/{$}", Disjoint},
		{"/a/{x}", "/a/{x}/b", Disjoint},
		{"/{x}/b", "/a/{x}", Overlaps},
		{"/a", "GET /{x}", Overlaps},
		{"GET /a", "HEAD /", Overlaps},
		{"/a/{x}/", "/{y}/b", Disjoint},
		{"/a/{x}/", "/{y}/b/c", Overlaps},
	} {
		a, b := mustParse(t, tt.a), mustParse(t, tt.b)
		if got := Compare(a, b); got != tt.want {
			t.Errorf("Compare(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
		if got := Compare(b, a); got != inverse(tt.want) {
			t.Errorf("Compare(%q, %q) = %v, want %v", tt.b, tt.a, got, inverse(tt.want))
		}
	}
}

func inverse(r Relation) Relation {
	switch r {
	case MoreGeneral:
		return MoreSpecific
	case MoreSpecific:
		return MoreGeneral
	}
	return r
}
