package formats

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var known = Set{Program: "v1", Store: 2, Registry: 1, Artefact: 2, ABI: 1}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	if got, err := Read(dir); err != nil || got != before {
		t.Errorf("a folder that does not say: %+v, %v", got, err)
	}
	for _, s := range []Set{known, {Program: "v2", Store: 3, Registry: 2, Artefact: 3, ABI: 2}, known, known} {
		if err := s.Write(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(dir); err != nil || got != s {
			t.Errorf("read %+v, %v; want %+v", got, err, s)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

func TestWhatIsNewerIsRefusedByName(t *testing.T) {
	for _, tt := range []struct {
		name   string
		folder func(*Set)
		want   string // "" = it is taken
	}{
		{"the same", func(*Set) {}, ""},
		{"older", func(s *Set) { *s = before }, ""},
		{"store", func(s *Set) { s.Store++ }, "its store (format 3; this one knows 2);"},
		{"registry", func(s *Set) { s.Registry++ }, "its registry (format 2; this one knows 1);"},
		{"ABI", func(s *Set) { s.ABI++ }, "its ABI (format 2; this one knows 1);"},
		{"two", func(s *Set) { s.Store++; s.ABI++ }, "its store (format 3; this one knows 2), its ABI (format 2; this one knows 1);"},
		{"artefacts are built again", func(s *Set) { s.Artefact++ }, ""},
	} {
		folder := known
		folder.Program = "v9\x1b[31m" // a terminal must not obey a file
		tt.folder(&folder)
		err := folder.Check(known)
		switch {
		case err == nil && tt.want == "":
		case err == nil || tt.want == "":
			t.Errorf("%s: %v", tt.name, err)
		case fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), tt.want) || !strings.Contains(fault.MessageOf(err), `"v9\x1b[31m"`):
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func TestADamagedFile(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "{}", `{"store":"2"}`, `{"store":0}`, `{"store":2,"registry":-1}`, `{"store":2,"artefact":-1}`, `{"store":2,"abi":-1}`, `{"store":1` + strings.Repeat(" ", maxFile) + `}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(dir)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v, want invalid and the file", text, err)
		}
		if err := known.Write(dir); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestWhatIsNoFile(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"a folder":         func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":           func(path string) error { return os.Symlink(os.DevNull, path) },
		"a link to itself": func(path string) error { return os.Symlink(file, path) },
		"a dangling link":  func(path string) error { return os.Symlink("nowhere", path) },
	} {
		path := filepath.Join(t.TempDir(), file)
		if err := place(path); err != nil {
			t.Fatal(err)
		}
		_, err := Read(filepath.Dir(path))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), path+" is not a file") {
			t.Errorf("%s: %v, want invalid and the file", name, err)
		}
	}
}
