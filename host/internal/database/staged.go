package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Import makes a file of SQLite, which r gives, the database, in place of what it held. It
// is checked first. Errors by fault code: Invalid (it is empty, no file of SQLite, damaged,
// or needs what this SQLite does not have), Unavailable (a migration or an import runs),
// Exhausted (the disk, or the plugin's quota), Deadline, and those of the store: nothing is
// changed.
func (s *Service) Import(ctx context.Context, p Place, r io.Reader) error {
	done, err := s.alone(ctx, p, importing)
	if err != nil {
		return err
	}
	defer done()
	dir, err := s.temp()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	given, file := filepath.Join(dir, "given"), filepath.Join(dir, "whole")
	if err := keep(given, r); err != nil {
		return err
	}
	if err := normal(ctx, given, file); err != nil {
		return err
	}
	_ = os.Remove(given)
	return s.hold(ctx, p, func(e sqlite.Entry) error { return s.stage(ctx, p, e, file) })
}

// keep writes what r gives into a file.
func keep(file string, r io.Reader) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return noFile(err)
	}
	from := &source{Reader: r}
	size, err := io.Copy(f, from)
	err = errors.Join(err, f.Close())
	switch {
	case from.err != nil:
		return fault.Wrap(fault.Unavailable, "sql", "the file was cut off on its way; nothing was done", from.err)
	case err != nil:
		return noFile(err)
	case size == 0: // SQLite takes it for a database without tables
		return fault.New(fault.Invalid, "sql", "the file is empty, and nothing was changed; what should have written it may have failed")
	}
	return nil
}

// source remembers its error, to tell it from one of the file.
type source struct {
	io.Reader
	err error
}

func (r *source) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// hold refuses writes of a database while f runs, which makes another generation current.
// If f fails, what was there goes on.
func (s *Service) hold(ctx context.Context, p Place, f func(sqlite.Entry) error) error {
	var before sqlite.Entry
	err := s.write(ctx, p, func(tx *store.Tx) (err error) {
		if before, err = sqlite.Find(tx, p.Name); err != nil {
			return err
		}
		return sqlite.Entry{Generation: before.Generation, Held: true}.Put(tx, p.Name)
	})
	if err != nil {
		return err
	}
	if err = f(before); err == nil {
		return s.sweep(ctx, p)
	}
	// The context may be what ended f.
	if failed := s.release(context.WithoutCancel(ctx), p); failed != nil {
		s.cfg.Log.Error("a database still takes no writes after work on it has failed; it is tried again", "plugin", p.Plugin, "database", p.Name, "error", failed)
		s.retries.Go(func() { s.releaseLater(p) })
	}
	return err
}

// The pauses between two tries to end a hold that a full disk refuses.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// releaseLater ends a hold as soon as the store takes that.
func (s *Service) releaseLater(p Place) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		select {
		case <-s.life.Done():
			return // the next start does it
		case <-time.After(pause):
		}
		done, err := s.alone(s.life, p, migrating)
		if err != nil {
			return
		}
		err = s.release(s.life, p)
		done()
		switch fault.CodeOf(err) {
		case fault.NotFound, fault.Invalid: // the plugin, or its data, is another one by now
			return
		case "":
			s.cfg.Log.Info("the database takes writes again", "plugin", p.Plugin, "database", p.Name)
			return
		}
	}
}

// release ends a hold: the generation that was current still is.
func (s *Service) release(ctx context.Context, p Place) error {
	err := s.write(ctx, p, func(tx *store.Tx) error {
		e, err := sqlite.Find(tx, p.Name)
		if err != nil || !e.Held {
			return err
		}
		return sqlite.Entry{Generation: e.Generation}.Put(tx, p.Name)
	})
	return errors.Join(err, s.sweep(ctx, p))
}

// pagesAtOnce is how many pages a commit stages. It has room for others' commits next to
// it.
const pagesAtOnce = 256

// stage puts the pages of a file under a generation after before, and makes it current.
func (s *Service) stage(ctx context.Context, p Place, before sqlite.Entry, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return noFile(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return noFile(err)
	}
	if err := s.fits(p, info.Size()); err != nil {
		return err
	}
	next := before.Generation + 1
	buf, number := make([]byte, pagesAtOnce*sqlite.PageSize), uint32(1)
	for {
		n, err := io.ReadFull(f, buf)
		if n == 0 {
			break
		}
		if n%sqlite.PageSize != 0 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return noFile(errors.Join(err, errors.New("the file ends within a page")))
		}
		if err := s.put(ctx, p, next, number, buf[:n]); err != nil {
			return err
		}
		number += uint32(n / sqlite.PageSize)
	}
	return s.write(ctx, p, func(tx *store.Tx) error {
		if now, err := sqlite.Find(tx, p.Name); err != nil || now.Generation != before.Generation {
			return errors.Join(err, fault.New(fault.Conflict, "sql", "the database was replaced meanwhile"))
		}
		return sqlite.Entry{Generation: next}.Put(tx, p.Name)
	})
}

// fits refuses what is more than the plugin may keep.
func (s *Service) fits(p Place, size int64) error {
	if keys := size / sqlite.PageSize; p.Quota.Bytes > 0 && size > p.Quota.Bytes || p.Quota.Keys > 0 && keys > p.Quota.Keys {
		return fault.New(fault.Exhausted, "sql", fmt.Sprintf("the database would have %s in %d pages, and plugin %q may keep %s in %d keys: grant it more with [kv] bytes and keys in its manifest",
			limit.FormatSize(size), keys, p.Plugin, limit.FormatSize(p.Quota.Bytes), p.Quota.Keys))
	}
	return nil
}

// put commits pages of a generation from a number on.
func (s *Service) put(ctx context.Context, p Place, generation, number uint32, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Deadline, "sql", "the work on the database was ended; nothing is changed", err)
	}
	return s.write(ctx, p, func(tx *store.Tx) error {
		for i := 0; i < len(data); i += sqlite.PageSize {
			page := data[i : i+sqlite.PageSize]
			n := number + uint32(i/sqlite.PageSize)
			if n == 1 {
				page = sqlite.FirstPage(page)
			}
			if err := tx.Set(sqlite.Page(p.Name, generation, n), page, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep deletes the pages of a database that are not of its current generation.
func (s *Service) sweep(ctx context.Context, p Place) error {
	for {
		keys, err := s.outdated(p)
		if err != nil || len(keys) == 0 {
			return err
		}
		err = s.write(ctx, p, func(tx *store.Tx) error {
			e, err := sqlite.Find(tx, p.Name)
			for _, key := range keys {
				if generation, _ := sqlite.PageOf(key); err == nil && generation != e.Generation {
					err = tx.Delete(key)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}

// deletedAtOnce is how many pages a commit of a sweep deletes.
const deletedAtOnce = 2000

// outdated returns keys of pages that no attempt reads.
func (s *Service) outdated(p Place) (keys [][]byte, err error) {
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	defer snap.Release()
	e, err := sqlite.FindAt(snap, p.area(), p.Name)
	if err != nil {
		return nil, err
	}
	take := func(from, to []byte) error {
		return snap.Scan(p.area(), from, to, false, func(key []byte, _ store.Value) bool {
			keys = append(keys, append([]byte(nil), key...))
			return len(keys) < deletedAtOnce
		})
	}
	first, _ := sqlite.Pages(p.Name, 0)
	current, after := sqlite.Pages(p.Name, e.Generation)
	_, last := sqlite.Pages(p.Name, maxGeneration)
	if err = take(first, current); err == nil && len(keys) < deletedAtOnce {
		err = take(after, last)
	}
	return keys, err
}

const maxGeneration = 1<<32 - 1

// Recover puts every database of a space right that a server was working on when it was
// killed: what was there goes on. What fails is tried again.
func (s *Service) Recover(ctx context.Context, plugin string, space store.Space) error {
	names, err := s.Names(space)
	for _, name := range names {
		p := Place{Plugin: plugin, Space: space, Name: name}
		if failed := s.release(ctx, p); failed != nil {
			err = errors.Join(err, failed)
			s.retries.Go(func() { s.releaseLater(p) })
		}
	}
	return err
}

// Names returns the databases of a space that were ever written, in order.
func (s *Service) Names(space store.Space) (names []string, err error) {
	snap, err := s.cfg.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	defer snap.Release()
	area := space.In(store.AreaSQL)
	var from []byte
	for {
		found := ""
		err = snap.Scan(area, from, nil, false, func(key []byte, _ store.Value) bool {
			found, _ = sqlite.NameOf(key)
			return false
		})
		if err != nil || found == "" {
			return names, err
		}
		names = append(names, found)
		_, from = sqlite.Pages(found, maxGeneration)
	}
}
