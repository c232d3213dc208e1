package project

import (
	"os"
	"path/filepath"
)

// CacheDir returns the folder of what commands keep for this user from one run to
// the next. It need not be there. Everything in it can be made again.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "wasmoor"), err
}
