package manifest_test

import (
	"strings"
	"testing"

	. "github.com/wasmoor/wasmoor/host/internal/manifest"
)

// TestStored: a version that serves goes on to serve under a host that refuses its
// form in new ones.
func TestStored(t *testing.T) {
	text := head + `
[[route]]
pattern = "GET /:id"
[[route]]
pattern = "get /b"
[[route]]
pattern = "/c/*"
[[route]]
pattern = "/d"
[[warmup]]
request = "get /d"
`
	if _, err := Parse([]byte(text), FileName, nil); err == nil || strings.Count(err.Error(), "; write") != 4 {
		t.Errorf("a new version: %v, want what to write for each route", err)
	}
	m, err := ParseStored([]byte(text), FileName, nil)
	if err != nil || len(m.Routes) != 4 || m.Routes[0].Pattern != "GET /:id" {
		t.Errorf("a stored version: %v, %v", m, err)
	}
	if _, err := ParseStored([]byte(strings.Replace(text, "/:id", "//", 1)), FileName, nil); err == nil {
		t.Error("a stored version with an empty segment was taken, which no host ever took")
	}
}
