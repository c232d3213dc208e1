package badger

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/dgraph-io/ristretto/v2/z"
)

// TestBuffersAreGivenUp finds Badger's pool where this version of it has it, and
// leaves nothing in it.
func TestBuffersAreGivenUp(t *testing.T) {
	s := open(t, Config{MinFree: -1})
	field := reflect.ValueOf(s.db).Elem().FieldByName("allocPool")
	if want := reflect.TypeFor[*z.AllocatorPool](); !field.IsValid() || field.Type() != want {
		t.Fatalf("Badger's buffers are in %v, not in a %v", field, want)
	}
	for range 8 {
		s.buffers.pool.Return(z.NewAllocator(1<<20, ""))
	}
	s.buffers.drop()
	if kept := s.buffers.pool.Get(0, "").Allocated(); kept > leastBuffer {
		t.Errorf("Badger keeps %d bytes", kept)
	}
}

// TestTableSize: a large store has larger tables, and not many more of them.
func TestTableSize(t *testing.T) {
	dir := t.TempDir()
	if got := tableSize(dir); got != minTable {
		t.Errorf("a new store makes tables of %d bytes", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "000001.sst"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 20 << 30
	if err := os.Truncate(filepath.Join(dir, "000001.sst"), size); err != nil {
		t.Skip(err) // no sparse files
	}
	if got := tableSize(dir); got != 8<<20 || size/got > tableFiles {
		t.Errorf("a store of %d bytes makes tables of %d", size, got)
	}
}
