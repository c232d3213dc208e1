package badger

import (
	"cmp"
	"context"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// request is one piece of work for the committer. Everything that can be done
// without it (encoding, reading what is to be overwritten) is done before.
type request struct {
	entry   certify.Entry
	encoded []encoded // of each write of the entry
	stamped bool      // its revision goes into keys or values
	shrinks bool      // only deletes: let through when the disk is nearly full
	entries int64     // upper bounds of what it adds to a Badger batch
	bytes   int64

	err      error           // why it was refused
	settling *store.Settling // its group, or what the refusal may rest on
	done     chan struct{}   // receives once it is decided, where that had to wait
}

// encoded is how a write goes to disk.
type encoded struct {
	dataKey      []byte
	record, tail []byte // of a set

	keyStamp, dataStamp store.Stamp
}

// Upper bounds of what a write takes in a Badger batch: the record, its tail,
// one entry of the expiry index removed and one put. An entry counts 12 bytes
// in addition to key and value (txn.go, checkSize), and 8 more once it has its revision.
const (
	entryOverhead   = 20
	entriesPerWrite = 4
	bytesPerWrite   = layout.PrefixSize + layout.TailSize + 2*layout.ExpirySize + entriesPerWrite*entryOverhead
	bytesPerSpace   = layout.PrefixSize + 16 + entryOverhead // its usage record
	bytesPerGroup   = layout.PrefixSize + 16 + entryOverhead // the revision before
)

// Owner implements fair.Request.
func (r *request) Owner() store.Space { return r.entry.Space.Owner() }

// Weight implements fair.Request.
func (r *request) Weight() int64 { return r.bytes }

// newRequest returns an empty request; freeRequest takes it back.
func (s *Store) newRequest(kind certify.Kind, space store.Space) *request {
	r, _ := s.requests.Get().(*request)
	if r == nil {
		r = &request{done: make(chan struct{}, 1)}
	}
	entry := certify.Entry{Kind: kind, Space: space, Writes: r.entry.Writes[:0]}
	*r = request{entry: entry, encoded: r.encoded[:0], entries: 2, bytes: bytesPerSpace + bytesPerGroup, done: r.done}
	return r
}

// freeRequest keeps r's memory for the next one, without what it points to.
func (s *Store) freeRequest(r *request) {
	const keep = 64 // a large commit's memory is not worth keeping
	if cap(r.encoded) > keep {
		r.entry.Writes, r.encoded = nil, nil
	}
	clear(r.entry.Writes[:cap(r.entry.Writes)])
	clear(r.encoded[:cap(r.encoded)])
	r.entry.Effects, r.err, r.settling = nil, nil, nil
	s.requests.Put(r)
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	revision, settling, err := s.Seal(ctx, e)
	if err != nil {
		return 0, cmp.Or(settling.WaitRead(), err)
	}
	return revision, settling.Wait()
}

// Seal implements store.Store.
func (s *Store) Seal(ctx context.Context, e *store.Effects) (store.Revision, *store.Settling, error) {
	if e.ReadOnly() {
		return e.Read, nil, nil
	}
	if err := e.Check(); err != nil {
		return 0, nil, err
	}
	if ctx.Err() != nil {
		return 0, nil, fault.Wrap(fault.Deadline, "commit", "out of time before the commit; nothing was done", ctx.Err())
	}
	r := s.newRequest(certify.Commit, e.Parts[0].Space.Owner())
	defer s.freeRequest(r)
	r.entry.Effects = e
	if err := s.prepare(r); err != nil {
		return 0, nil, err
	}
	s.committer.submit(r)
	return r.entry.Revision, r.settling, r.err
}

// submit has r decided, and waits until that is durable.
func (s *Store) submit(r *request) error {
	s.committer.submit(r)
	if r.err != nil {
		return cmp.Or(r.settling.WaitRead(), r.err)
	}
	return r.settling.Wait()
}

var errClosed = fault.New(fault.Unavailable, "commit", "the store is closed; nothing was done")

// prepare encodes the writes of r and reads what they overwrite.
func (s *Store) prepare(r *request) error {
	if !s.enter() {
		return errClosed
	}
	defer s.leave()
	r.entry.Seen = s.epochs.Newest()
	txn := s.db.NewTransactionAt(uint64(r.entry.Seen), false)
	defer txn.Discard()
	r.shrinks = true
	for i := range r.entry.Effects.Parts {
		p := &r.entry.Effects.Parts[i]
		r.entries++
		r.bytes += bytesPerSpace
		if err := r.prepare(txn, p.Space, p.Ops); err != nil {
			return s.checked(err)
		}
		if err := r.prepare(txn, p.Space, p.Stamped); err != nil {
			return s.checked(err)
		}
		if err := r.prepare(txn, p.Space.In(store.AreaRecords), p.Records); err != nil {
			return s.checked(err)
		}
	}
	return nil
}

// prepare appends the writes of ops to space.
func (r *request) prepare(txn *badger.Txn, space store.Space, ops []store.Op) error {
	for i := range ops {
		op := &ops[i]
		w := certify.Write{Kind: op.Kind, Space: space, Key: op.Key, Stamped: op.KeyStamp != 0}
		enc := encoded{keyStamp: op.KeyStamp, dataStamp: op.ValueStamp}
		switch op.Kind {
		case store.OpSet:
			w.Next = store.StateOf(op.Value)
			enc.record, enc.tail = layout.EncodeRecord(op.Value)
			r.shrinks = false
		case store.OpAdd:
			w.Delta = op.Delta
			r.shrinks = false
		}
		if err := r.add(txn, w, enc, op.Found); err != nil {
			return err
		}
	}
	return nil
}

// add appends a write with what is there, and counts what it takes. What the
// transaction has found is there still, or the commit conflicts.
func (r *request) add(txn *badger.Txn, w certify.Write, enc encoded, found *store.State) (err error) {
	enc.dataKey = layout.Key(layout.KindData, w.Space, w.Key)
	switch {
	case w.Stamped:
		w.Key = enc.dataKey[layout.PrefixSize:] // one memory, to be stamped once
	case found != nil:
		w.Prior = *found
	default:
		if w.Prior, err = readState(txn, enc.dataKey); err != nil {
			return err
		}
	}
	r.stamped = r.stamped || w.Stamped || enc.dataStamp != 0
	r.entry.Writes = append(r.entry.Writes, w)
	r.encoded = append(r.encoded, enc)
	r.entries += entriesPerWrite
	r.bytes += int64(bytesPerWrite + len(w.Key) + len(enc.record) + len(enc.tail))
	if w.Kind == store.OpAdd {
		r.bytes += 1 + 8 + 8 // the sum with its expiry, which does not move
	}
	if w.Next.Expires != 0 {
		r.bytes += int64(len(w.Key))
	}
	return nil
}

// readState reads the state of a data key. No open snapshot guards the read:
// should compaction discard the version it looks for, then the key was written
// since, and the committer knows.
func readState(txn *badger.Txn, dataKey []byte) (store.State, error) {
	v, ok, err := reading.Value(txn, dataKey)
	if err != nil || !ok {
		return store.State{}, err
	}
	return store.StateOf(v), nil
}
