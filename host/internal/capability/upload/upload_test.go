package upload_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

const head = "manifest_version = 1\nname = \"a\"\n"

func parse(text string) (*manifest.Manifest, error) {
	return manifest.Parse([]byte(head+text), "f.toml", capabilities.Sections())
}

func TestRead(t *testing.T) {
	const tables = "[[upload]]\npattern = \"POST /files\"\nrequest = \"POST /done\"\nmax = \"5GiB\"\nexpires = \"2d\"\n" +
		"[[upload]]\npattern = \"POST /rooms/{id}/files\"\nrequest = \"POST /done\"\n"
	for name, text := range map[string]string{
		"the whole mount": tables,
		"routes":          tables + "[[route]]\npattern = \"POST /files\"\n[[route]]\npattern = \"POST /rooms/{id}/files\"\n[[route]]\npattern = \"POST /done\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			s := upload.Of(m)
			one, ok := s.Find("POST /files")
			if !ok || one.Max != 5<<30 || one.Expires != 48*time.Hour || one.Done.Method+" "+one.Done.Path != "POST /done" {
				t.Errorf("got %+v", one)
			}
			if two, _ := s.Find("POST /rooms/{id}/files"); two.Max != upload.DefaultMax || two.Expires != upload.DefaultExpires {
				t.Errorf("got %+v", two)
			}
			if closed := strings.Join(m.Closed(), ","); !strings.Contains(closed, "POST /done") || strings.Contains(closed, "POST /files") {
				t.Errorf("closed: %s", closed)
			}
			env := &invoke.Env{}
			env.States.Add(upload.Name, s)
			for request, want := range map[string]string{"POST /files": "POST /files", "POST /rooms/7/files": "POST /rooms/{id}/files", "POST /done": "", "GET /files": ""} {
				method, path, _ := strings.Cut(request, " ")
				to, _, _ := m.Match(method, path)
				d := upload.Begins(env, to.Route, method, path)
				got := ""
				if d != nil {
					got = d.Pattern
				}
				if got != want {
					t.Errorf("%s begins %q, want %q", request, got, want)
				}
			}
			if upload.Begins(&invoke.Env{}, -1, "POST", "/files") != nil {
				t.Error("without [[upload]] something begins")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	const pattern, request = "pattern = \"POST /files\"\n", "request = \"POST /done\"\n"
	for text, want := range map[string]string{
		"[[upload]]\n": "upload[0].pattern: it is missing",
		"[[upload]]\npattern = \"GET /files\"\n" + request:                                             "an upload is asked for with POST",
		"[[upload]]\n" + pattern:                                                                       "upload[0].request: it is missing",
		"[[upload]]\n" + pattern + request + "max = \"65GiB\"\n":                                       "above the maximum of 64GiB",
		"[[upload]]\n" + pattern + request + "expires = \"8d\"\n":                                      "upload[0].expires",
		"[[upload]]\n" + pattern + request + "size = 1\n":                                              "unknown key",
		"[[upload]]\n" + pattern + request + "[[upload]]\n" + pattern + request:                        "another upload has that pattern",
		"[[route]]\npattern = \"POST /files\"\n[[upload]]\n" + pattern + "request = \"POST /files\"\n": "it is the request that asks for an upload",
		strings.Repeat("[[upload]]\n", 33):                                                             "33 uploads are above the maximum of 32",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
