package badger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/damage"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
)

// checkFormat writes the format record of a new store, or checks that of an old
// one and upgrades it, and reads the store's id.
func (s *Store) checkFormat() error {
	if s.db.MaxVersion() == 0 {
		s.id = folder.NewID()
		return s.writeFormat()
	}
	have := uint32(0)
	err := s.get(layout.FormatKey, func(b []byte) (err error) {
		have, err = knownFormat(b)
		return err
	})
	if err != nil {
		return err
	}
	err = s.get(layout.IDKey, func(id []byte) error {
		s.id = bytes.Clone(id)
		return nil
	})
	switch {
	case have == layout.Format:
		return err
	case errors.Is(err, badger.ErrKeyNotFound): // the oldest stores have none
		s.id = folder.NewID()
	case err != nil:
		return err
	}
	return s.upgrade(have)
}

// knownFormat reads a format record and refuses one of a newer program.
func knownFormat(b []byte) (uint32, error) {
	have, ok := layout.DecodeFormat(b)
	switch {
	case !ok || have == 0:
		return 0, fault.New(fault.Invalid, "open store", "the format record is malformed; the data directory is damaged")
	case have > layout.Format:
		return 0, fault.New(fault.Invalid, "open store", fmt.Sprintf("the data directory has format %d, this program knows formats up to %d; use a newer version of the program", have, layout.Format))
	}
	return have, nil
}

// writeFormat writes the format record and the id in one commit.
func (s *Store) writeFormat() error {
	revision := s.db.MaxVersion()
	txn := s.db.NewTransactionAt(revision, true)
	defer txn.Discard()
	before := binary.LittleEndian.AppendUint64(nil, revision)
	err := cmp.Or(txn.Set(layout.FormatKey, layout.EncodeFormat(layout.Format)), txn.Set(layout.IDKey, s.id), txn.Set(layout.RevisionKey, before), txn.CommitAt(revision+1, nil))
	if err != nil {
		return fault.Wrap(fault.Unavailable, "open store", "cannot write to the data directory", err)
	}
	return nil
}

// upgrade brings an older store to layout.Format. Format 2 gave the highest byte
// of a space to its area. Keys keep their bytes: format 1 knew two areas, which
// still have their numbers, and no space had that many digits. So there is nothing
// to rewrite, and the one commit that notes the format is there or is not,
// whenever the process dies.
func (s *Store) upgrade(from uint32) error {
	if err := s.checkAreas(); err != nil {
		return err
	}
	if err := s.writeFormat(); err != nil {
		return err
	}
	s.log.Info("upgraded the store: older versions of the program refuse it from now on", "dir", s.dir, "from_format", from, "to_format", layout.Format)
	return nil
}

// checkAreas refuses keys outside the areas of format 1.
func (s *Store) checkAreas() error {
	txn := s.latest()
	defer txn.Discard()
	zero := store.Space(0)
	for _, kind := range []byte{layout.KindUsage, layout.KindDropped, layout.KindData, layout.KindTail} {
		for _, outside := range []reading.Scan{
			reading.Between(txn, layout.Key(kind, store.MaxSpace+1, nil), layout.Key(kind, zero.In(store.AreaRecords), nil)),
			reading.Between(txn, layout.Key(kind, zero.In(store.AreaRecords+1), nil), layout.End(kind, ^zero)),
		} {
			found := false
			err := outside.Run(false, func(*badger.Item) bool {
				found = true
				return false
			})
			if err != nil {
				return reading.Error(err)
			}
			if found {
				return fault.New(fault.Invalid, "open store", "the data directory holds keys outside the areas of its format; it is damaged: restore a backup")
			}
		}
	}
	return nil
}

// get reads a record of the store's own.
func (s *Store) get(key []byte, read func([]byte) error) error {
	begun := damage.BeginRead()
	txn := s.latest()
	defer txn.Discard()
	item, err := txn.Get(key)
	if err = begun.Failed(err); err != nil {
		return fault.Wrap(fault.Invalid, "open store", "the data directory is damaged, or holds a Badger database that is not a store of this program", err)
	}
	return item.Value(read)
}
