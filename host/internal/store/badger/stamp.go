package badger

import (
	"math/bits"

	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// stamp writes the revision that r gets, if it is accepted, into its keys and
// values, and reads what the keys that this makes hold: usually nothing, unless a
// guest has guessed the revision. The caller holds mu.
func (c *committer) stamp(r *request) error {
	if !r.stamped {
		return nil
	}
	revision := c.log.Next()
	txn := c.store.db.NewTransactionAt(uint64(c.published), false)
	defer txn.Discard()
	for i := range r.entry.Writes {
		w, enc := &r.entry.Writes[i], &r.encoded[i]
		layout.StampRecord(enc.record, enc.tail, enc.dataStamp, revision)
		if enc.dataStamp != 0 && w.Next.Counter { // the stamp is all of it
			w.Next.N = int64(bits.ReverseBytes64(uint64(revision)))
		}
		if !w.Stamped {
			continue
		}
		enc.keyStamp.Put(w.Key, revision)
		prior, err := readState(txn, enc.dataKey)
		if err != nil {
			return c.store.checked(err)
		}
		w.Prior = prior
	}
	return nil
}
