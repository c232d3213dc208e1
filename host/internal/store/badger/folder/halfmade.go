package folder

import (
	"os"
	"path/filepath"
)

// removeHalfMadeLogs removes logs of 0 bytes. Badger creates a log and gives it
// its size in two steps, and does not open a directory where a crash came
// between them; such a log has never held anything. The caller holds the lock.
func removeHalfMadeLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Size() == 0 {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
