package socket_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

func parse(text string) (*manifest.Manifest, error) {
	sections := capability.List{capsocket.Unit(nil), capsocket.Topics()}.Sections()
	return manifest.Parse([]byte("manifest_version = 1\nname = \"a\"\n"+text), "f.toml", sections)
}

func TestManifest(t *testing.T) {
	m, err := parse(`
[[route]]
pattern = "GET /rooms/{id}/{rest...}"
[[route]]
pattern = "POST /events/{rest...}"
[[route]]
pattern = "GET /other"
[[socket]]
pattern = "GET /rooms/{id}/{rest...}"
request = "POST /events/{rest...}"
max = 7
message = "1KiB"
origins = ["https://App.example:8443", "*"]
[[socket]]
pattern = "GET /other"
[[topic]]
name = "room:*"
keep = 5
age = "2d"
[[topic]]
name = "room:1"
`)
	if err != nil {
		t.Fatal(err)
	}
	list := capsocket.Of(m)
	rooms, ok := list.Find("GET /rooms/{id}/{rest...}")
	if !ok || rooms.Max != 7 || rooms.MaxMessage != 1<<10 || !rooms.HasEvents || rooms.Origins[0] != "https://app.example:8443" {
		t.Errorf("rooms: %+v", rooms)
	}
	params := []abi.Pair{{Name: "id", Value: "1"}, {Name: "rest", Value: "a b/c?d"}}
	r, ok := rooms.Events.Fill(params)
	if !ok || r.Method != "POST" || r.Path != "/events/a%20b/c%3Fd" || r.Pattern != "POST /events/{rest...}" || len(r.Params) != 1 || r.Params[0] != params[1] {
		t.Errorf("its request: %+v", r)
	}
	if _, ok := rooms.Events.Fill(params[:1]); ok {
		t.Error("a request is filled without its path value")
	}
	if closed := strings.Join(m.Closed(), ", "); closed != "POST /events/{rest...}" {
		t.Errorf("closed: %s", closed)
	}
	if d, values := list.Opens(0, "GET", "/rooms/1/x", params); d == nil || d.Pattern != rooms.Pattern || len(values) != 2 {
		t.Errorf("a request of the route opens %+v", d)
	}
	if d, _ := list.Opens(1, "POST", "/events/x", params); d != nil {
		t.Errorf("another route opens %+v", d)
	}
	other, _ := list.Find("GET /other")
	if other.HasEvents || other.Max != 1000 || other.MaxMessage != 64<<10 {
		t.Errorf("other: %+v", other)
	}
	kept := capsocket.KeptOf(m)
	if k := kept.Find("room:2"); k == nil || k.Events != 5 || k.Age != 48*time.Hour {
		t.Errorf("room:2 is kept: %+v", k)
	}
	if k := kept.Find("room:1"); k == nil || k.Events != 100 || k.Age != time.Hour {
		t.Errorf("room:1 is kept: %+v", k)
	}
	if k := kept.Find("roo"); k != nil {
		t.Errorf("roo is kept: %+v", k)
	}
}

func TestWithoutRoutes(t *testing.T) {
	m, err := parse("[[socket]]\npattern = \"GET /rooms/{id}\"\nrequest = \"POST /rooms/{id}/events\"\n")
	if err != nil {
		t.Fatal(err)
	}
	list := capsocket.Of(m)
	d, values := list.Opens(-1, "GET", "/rooms/a%20b", nil)
	if d == nil || len(values) != 1 || values[0].Value != "a b" {
		t.Fatalf("opens %+v with %v", d, values)
	}
	if r, ok := d.Events.Fill(values); !ok || r.Path != "/rooms/a%20b/events" || r.Route != -1 || r.Params != nil {
		t.Errorf("its request: %+v", r)
	}
	if d, _ := list.Opens(-1, "GET", "/other", nil); d != nil {
		t.Errorf("another path opens %+v", d)
	}
	if closed := strings.Join(m.Closed(), ", "); closed != "POST /rooms/{id}/events" {
		t.Errorf("closed: %s", closed)
	}
}

func TestManifestRefuses(t *testing.T) {
	const socket, route = "[[socket]]\npattern = \"GET /a\"\n", "[[route]]\npattern = \"GET /a\"\n"
	for text, want := range map[string]string{
		"[[socket]]\nrequest = \"POST /a\"\n":           "pattern: it is missing",
		"[[socket]]\npattern = \"POST /a\"\n":           "opened with GET",
		"[[socket]]\npattern = \"/a\"\n":                "opened with GET",
		"[[socket]]\npattern = \"GET example.com/a\"\n": "names a host",
		"[[socket]]\npattern = \"GET /{\"\n":            "socket[0].pattern",
		route + "[[socket]]\npattern = \"GET /b\"\n":    "no route of the manifest has the pattern",
		socket + socket:                                                  "another socket has that pattern",
		socket + "request = \"GET /a\"\n":                                "not a request of its own",
		socket + "request = \"HEAD /a\"\n":                               "not a request of its own",
		socket + "request = \"/a/b\"\n":                                  "not a request of its own",
		socket + "request = \"POST /{id}\"\n":                            "has no {id}",
		route + socket + "request = \"POST /b\"\n":                       "no route of the manifest has the pattern",
		socket + "max = 0\n":                                             "at least 1",
		socket + "max = 100001\n":                                        "above the maximum",
		socket + "message = \"1MiB\"\n":                                  "above the maximum",
		socket + "origins = [\"example.com\"]\n":                         "is no origin",
		socket + "origins = [\"https://example.com/\"]\n":                "is no origin",
		socket + "topics = []\n":                                         "unknown key",
		"[[topic]]\nkeep = 1\n":                                          "name: it is missing",
		"[[topic]]\nname = \"\"\n":                                       "a topic's name has",
		"[[topic]]\nname = \"a*b\"\n":                                    "a topic's name has",
		"[[topic]]\nname = \"a\"\n[[topic]]\nname = \"a\"\n":             "another topic has that name",
		"[[topic]]\nname = \"a\"\nkeep = 10001\n":                        "above the maximum",
		"[[topic]]\nname = \"a\"\nage = \"8d\"\n":                        "is not from 1d to 7d",
		strings.Repeat("[[topic]]\nname = \"x\"\n", 33):                  "above the maximum of 32",
		"[socket]\npattern = \"GET /a\"\n":                               "write [[socket]]",
		socket + "request = \"POST /b\"\nmessage = 0\n":                  "above zero",
		"[[socket]]\npattern = \"GET /a\"\nrequest = \"POST x.com/b\"\n": "names a host",
		"[[socket]]\npattern = 1\n":                                      "it must be a string",
		"[[socket]]\npattern = \"GET /a\"\nrequest = 1\n":                "it must be a string",
		"[[topic]]\nname = 1\n":                                          "it must be a string",
		"[[socket]]\npattern = \"GET /a\"\norigins = \"https://a.b\"\n":  "it must be a list",
		"[[socket]]\npattern = \"GET /a\"\n[[socket]]\nmax = 1\n":        "socket[1].pattern: it is missing",
		"[[topic]]\nname = \"" + strings.Repeat("a", 256) + "\"\n":       "a topic's name has",
		"[[socket]]\npattern = \"GET /a\"\nrequest = \"POST /a/{$}{\"\n": "socket[0].request",
		"[[socket]]\npattern = \"GET /a\"\nmax = \"many\"\n":             "it must be a whole number",
		"[[socket]]\npattern = \"GET /a\"\nmessage = \"big\"\n":          "socket[0].message",
		"[[socket]]\npattern = \"GET /a\"\norigins = [1]\n":              "it must be a string",
	} {
		if _, err := parse(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAllows(t *testing.T) {
	d := capsocket.Declared{Origins: []string{"https://app.example"}}
	for origin, want := range map[string]bool{
		"": true, "http://site": true, "HTTP://Site": true, "https://app.example": true, "https://APP.example": true,
		"null": false, "http://site:80": false, "https://site": false, "https://evil.app.example": false, "*": false,
	} {
		if got := d.Allows(origin, "http://site"); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
}
