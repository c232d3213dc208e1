package database

import (
	"reflect"
	"testing"

	"github.com/dgraph-io/ristretto/v2/z"
)

// TestBuffersAreGivenUp finds Badger's pool where this version of it has it, and
// leaves nothing in it.
func TestBuffersAreGivenUp(t *testing.T) {
	db, err := Open(Options(t.TempDir(), nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	buffers := BuffersOf(db)
	field := reflect.ValueOf(db).Elem().FieldByName("allocPool")
	if want := reflect.TypeFor[*z.AllocatorPool](); !field.IsValid() || field.Type() != want {
		t.Fatalf("Badger's buffers are in %v, not in a %v", field, want)
	}
	for range 8 {
		buffers.pool.Return(z.NewAllocator(1<<20, ""))
	}
	buffers.Drop()
	if kept := buffers.pool.Get(0, "").Allocated(); kept > leastBuffer {
		t.Errorf("Badger keeps %d bytes", kept)
	}
}
