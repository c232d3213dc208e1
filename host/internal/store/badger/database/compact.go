package database

import "errors"

// Compact takes out of a store that nobody has open what was overwritten or deleted,
// which Badger leaves on disk until a compaction comes by.
func Compact(dir string) error {
	o := Options(dir, nil)
	o.CompactL0OnClose = true // Flatten leaves a lone table of the first level as it is
	db, err := Open(o)
	if err != nil {
		return CannotOpen(dir, err)
	}
	db.SetDiscardTs(db.MaxVersion()) // nobody reads an older version
	return errors.Join(db.Flatten(1), db.Close())
}
