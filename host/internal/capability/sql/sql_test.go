package sql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capability/sql"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

func parse(text string) (*manifest.Manifest, error) {
	u := sql.Unit()
	section := manifest.Section{Name: u.Name, Keys: u.Keys, Named: u.Named, Read: u.Read}
	return manifest.Parse([]byte("manifest_version = 1\nname = \"p\"\n"+text), "f.toml", []manifest.Section{section})
}

func TestManifest(t *testing.T) {
	m, err := parse("[sql.main]\nmigrations = \"db/up\"\n[sql.archive-2]\n")
	if err != nil {
		t.Fatal(err)
	}
	if s := sql.Of(m); len(s) != 2 || !s.Has("main") || s[1].Migrations != "db/up" || !s.Has("archive-2") || s.Has("other") {
		t.Errorf("databases: %+v", s)
	}
	if m, err = parse(""); err != nil || sql.Of(m) != nil {
		t.Errorf("none: %+v, %v", sql.Of(m), err)
	}
}

func TestManifestRefuses(t *testing.T) {
	many := ""
	for i := range 33 {
		many += fmt.Sprintf("[sql.d%d]\n", i)
	}
	for text, want := range map[string]string{
		"[sql.Main]\n": "a database's name has 1 to 63 characters",
		"[sql." + strings.Repeat("a", 64) + "]\n":    "a database's name has 1 to 63 characters",
		"[sql.main]\nurl = \"postgres://db/main\"\n": "unknown key",
		"[sql.main]\nmigrations = \"../up\"\n":       "is no folder within the project",
		"[sql.main]\nmigrations = \"/tmp\"\n":        "is no folder within the project",
		many:                                         "above the maximum of 32",
	} {
		if _, err := parse(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}
