package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/wasmoor/wasmoor/host/internal/manifest" // what the tables of capabilities hold is theirs, and they import it
)

func TestParseExtism(t *testing.T) {
	m, err := Parse([]byte(head+`abi = "extism"
[[route]]
pattern = "POST /count"
export = "count_vowels"
content_type = "Application/JSON ;charset=utf-8"
[[route]]
pattern = "/notes/{id}"
handler = "handle"
`), FileName, sections)
	if err != nil {
		t.Fatal(err)
	}
	want := []Route{
		{Pattern: "POST /count", Export: "count_vowels", ContentType: "application/json; charset=utf-8"},
		{Pattern: "/notes/{id}", Handler: "handle"},
	}
	if diff := cmp.Diff(want, m.Routes); diff != "" || m.ABI != ABIExtism {
		t.Errorf("abi %q, routes (-want +got):\n%s", m.ABI, diff)
	}
}
