package badger

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/reading"
	"github.com/wasmoor/wasmoor/host/internal/store/certify"
)

// janitor is the background work, in one goroutine: it sweeps expired values
// and dropped spaces through the committer in bounded steps, watches the disk,
// makes the reserve file again, and has Badger give up memory.
type janitor struct {
	store  *Store
	cancel context.CancelFunc
	done   chan struct{}
	kick   chan struct{}
	folder *folder.Watched
	full   atomic.Bool // a quota has refused a commit since the last look

	mu      sync.Mutex
	unswept []store.Space
}

const (
	// sweepStep is how many keys one request of a sweep deletes.
	sweepStep = 1000
	// watchEvery is the pause between two looks at the disk.
	watchEvery = time.Second
)

func (j *janitor) start(s *Store, every time.Duration, unswept []store.Space) {
	ctx, cancel := context.WithCancel(context.Background())
	j.store, j.cancel, j.unswept = s, cancel, unswept
	j.folder = folder.Watch(s.dir)
	j.done, j.kick = make(chan struct{}), make(chan struct{}, 1)
	j.wake()
	go j.run(ctx, every)
}

func (j *janitor) stop() {
	j.cancel()
	<-j.done
}

func (j *janitor) wake() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// sweepSpace has a dropped space layout.Swept soon.
func (j *janitor) sweepSpace(space store.Space) {
	j.mu.Lock()
	j.unswept = append(j.unswept, space)
	j.mu.Unlock()
	j.wake()
}

func (j *janitor) run(ctx context.Context, every time.Duration) {
	defer close(j.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C:
			j.store.guard.Relieve()
			j.store.buffers.Drop()
			j.watch()
			if !j.full.Swap(false) {
				continue
			}
			j.report("sweep expired values", j.expired(ctx))
		case <-tick.C:
			j.store.guard.Restore()
			j.report("sweep expired values", j.expired(ctx))
		case <-j.kick:
		}
		j.report("sweep a deleted key space", j.spaces(ctx))
	}
}

func (j *janitor) report(what string, err error) {
	if err = j.store.checked(err); err != nil {
		j.store.log.Warn(what+": will try again", "error", err)
	}
}

// expired deletes what is expired by now.
func (j *janitor) expired(ctx context.Context) error {
	now := j.store.clock().UnixMilli()
	for ctx.Err() == nil {
		found, err := j.findExpired(now)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		for space, writes := range found {
			if err := j.submit(certify.SweepExpired, space, writes); err != nil {
				return err
			}
		}
	}
	return nil
}

// findExpired returns up to sweepStep index entries of keys expired at now.
// What they point to is read by the committer: it may have changed.
func (j *janitor) findExpired(now int64) (map[store.Space][]certify.Write, error) {
	found := make(map[store.Space][]certify.Write)
	n := 0
	err := j.read(func(txn *badger.Txn) error {
		var bad error
		err := reading.Between(txn, []byte{layout.KindExpiry}, layout.ExpiryKey(now+1, 0, nil)[:9]).Run(false, func(item *badger.Item) bool {
			expires, space, ok := layout.ParseExpiryKey(item.Key())
			if !ok {
				bad = layout.ErrRecord
				return false
			}
			var key []byte
			if key, bad = item.ValueCopy(nil); bad != nil {
				return false
			}
			found[space.Account()] = append(found[space.Account()], certify.Write{
				Kind: store.OpDelete, Space: space, Key: key, Expires: expires,
			})
			n++
			return n < sweepStep
		})
		return cmp.Or(err, bad)
	})
	return found, err
}

// spaces deletes the keys of dropped spaces.
func (j *janitor) spaces(ctx context.Context) error {
	for ctx.Err() == nil {
		j.mu.Lock()
		if len(j.unswept) == 0 {
			j.mu.Unlock()
			return nil
		}
		space := j.unswept[0]
		j.mu.Unlock()
		if err := j.sweep(ctx, space); err != nil {
			return err
		}
		if ctx.Err() == nil {
			j.mu.Lock()
			j.unswept = j.unswept[1:]
			j.mu.Unlock()
		}
	}
	return nil
}

// sweep deletes the keys of one dropped space and notes that it is empty.
func (j *janitor) sweep(ctx context.Context, space store.Space) error {
	for ctx.Err() == nil {
		keys, err := j.findKeys(space)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return j.submit(certify.CloseDropped, space, nil)
		}
		if err := j.submit(certify.SweepDropped, space, keys); err != nil {
			return err
		}
	}
	return nil
}

// findKeys returns up to sweepStep keys of one area of a space, the first that
// has any.
func (j *janitor) findKeys(space store.Space) (keys []certify.Write, err error) {
	err = j.read(func(txn *badger.Txn) (err error) {
		for _, a := range store.Areas() {
			area := space.In(a)
			err = reading.Between(txn, layout.Key(layout.KindData, area, nil), layout.End(layout.KindData, area)).Run(false, func(item *badger.Item) bool {
				keys = append(keys, certify.Write{Kind: store.OpDelete, Space: area, Key: item.KeyCopy(nil)[layout.PrefixSize:]})
				return len(keys) < sweepStep
			})
			if err != nil || len(keys) > 0 {
				break
			}
		}
		return err
	})
	return keys, err
}

// read calls f with a transaction on a registered snapshot.
func (j *janitor) read(f func(*badger.Txn) error) error {
	ep := j.store.epochs.Enter()
	defer j.store.epochs.Leave(ep)
	txn := j.store.db.NewTransactionAt(uint64(ep.Revision), false)
	defer txn.Discard()
	return f(txn)
}

// submit has the committer delete what writes name.
func (j *janitor) submit(kind certify.Kind, space store.Space, writes []certify.Write) error {
	r := j.store.newRequest(kind, space)
	defer j.store.freeRequest(r)
	r.shrinks = true
	r.entry.Seen = j.store.epochs.Newest()
	txn := j.store.db.NewTransactionAt(uint64(r.entry.Seen), false)
	defer txn.Discard()
	for _, w := range writes {
		if err := r.add(txn, w, encoded{}, nil); err != nil {
			return err
		}
	}
	return j.store.submit(r)
}
