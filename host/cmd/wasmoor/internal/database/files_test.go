package database

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestAlone: a file of SQLite is refused of which a part is in another one, and no other.
func TestAlone(t *testing.T) {
	file := func(logged string) string { return fileMagic + "\x10\x00" + logged + strings.Repeat("\x00", 4076) }
	for name, c := range map[string]struct{ main, log, journal, want string }{
		"no log":                 {main: file("\x02\x02")},
		"an empty log":           {main: file("\x02\x02"), log: "empty"},
		"a log":                  {main: file("\x02\x02"), log: "frames", want: "-wal has rows"},
		"a log of no use":        {main: file("\x01\x01"), log: "frames"},
		"no file of SQLite":      {main: "text", log: "frames"},
		"a journal":              {main: file("\x01\x01"), journal: journalMagic + "pages", want: "-journal has what a transaction"},
		"a journal that is over": {main: file("\x01\x01"), journal: strings.Repeat("\x00", 512) + "pages"},
	} {
		path := filepath.Join(t.TempDir(), "app.db")
		for end, text := range map[string]string{"": c.main, "-wal": strings.TrimPrefix(c.log, "empty"), "-journal": c.journal} {
			if text == "" && (end != "-wal" || c.log == "") {
				continue
			}
			if err := os.WriteFile(path+end, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		link := path + ".link"
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{path, link} {
			err := alone(given)
			if c.want == "" && err != nil || c.want != "" && (fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), c.want)) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
	}
}
