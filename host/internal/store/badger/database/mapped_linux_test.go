package database

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// TestMappedIsAdvised looks at what the system knows of the mappings of a database's
// logs, the second of which is made while it is written to.
func TestMappedIsAdvised(t *testing.T) {
	dir := t.TempDir()
	o := Options(dir, nil)
	o.MemTableSize = 1 << 20
	o.ValueThreshold = 64 << 10
	db, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	mapped := MappedOf(db)
	mapped.Advise()
	advised := map[string]bool{}
	for i := range 300 {
		txn := db.NewTransactionAt(uint64(i+1), true)
		if err := txn.SetEntry(badger.NewEntry(fmt.Appendf(nil, "%d", i), make([]byte, 8<<10)).WithDiscard()); err != nil {
			t.Fatal(err)
		}
		if err := txn.CommitAt(uint64(i+1), nil); err != nil {
			t.Fatal(err)
		}
		mapped.Advise()
		for name, random := range logs(t, dir) {
			if advised[name] = random; !random {
				t.Fatalf("%s is not advised after commit %d", name, i)
			}
		}
	}
	if len(advised) < 2 {
		t.Errorf("there was one log only: %v", advised)
	}
}

// logs returns which logs of memtables are mapped, and whether the system takes them to
// be read at random.
func logs(t *testing.T, dir string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	name := ""
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case !strings.HasSuffix(fields[0], ":"):
			name = ""
			if path := fields[len(fields)-1]; filepath.Dir(path) == dir && filepath.Ext(path) == ".mem" {
				name = filepath.Base(path)
			}
		case name != "" && fields[0] == "VmFlags:":
			found[name] = found[name] || strings.Contains(line, " rr ")
		}
	}
	return found
}
