package database

import (
	"os"
	"path/filepath"
	"testing"
)

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
