package folder

import (
	"context"
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4/y"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Report holds the findings of Verify.
type Report struct {
	// Files are those that were read, with what they hold.
	Files []inspect.File
	// Damage says what is wrong with which file; empty when all is well.
	Damage []*inspect.Damage
}

// Verify reads all of the store in cfg.Dir that nobody has open, to the last
// byte, and changes nothing. Progress, unless nil, is called with the bytes of
// tables that were read, and those there are. Errors by fault code: NotFound
// (there is no such directory), Unavailable (another process uses it, or it
// cannot be read). Damage is no error.
func Verify(ctx context.Context, cfg Config, progress func(done, total int64)) (r Report, err error) {
	if _, err := os.Stat(cfg.Dir); err != nil {
		return r, fault.Wrap(fault.NotFound, "verify", fmt.Sprintf("there is no store in %q", cfg.Dir), err)
	}
	free := false
	err = ifUnlocked(cfg.Dir, func() (err error) {
		free = true
		r, err = verify(ctx, cfg, progress)
		return err
	})
	switch {
	case err != nil:
		return r, fault.Wrap(fault.Unavailable, "verify", fmt.Sprintf("cannot read the store in %q", cfg.Dir), err)
	case !free:
		return r, fault.New(fault.Unavailable, "verify", fmt.Sprintf("another process is using %q; stop it first: a running server verifies by itself (scrub_period)", cfg.Dir))
	}
	return r, nil
}

func verify(ctx context.Context, cfg Config, progress func(done, total int64)) (r Report, err error) {
	found, err := Look(ctx, cfg.Dir)
	if err != nil {
		return r, err
	}
	r = Report{Files: found.Files, Damage: found.Damage}
	if err := checkMarked(cfg); err != nil {
		r.Damage = append(r.Damage, &inspect.Damage{File: cfg.Marker, What: fault.MessageOf(err)})
	}
	var done, total int64
	for _, t := range found.Tables {
		total += t.Bytes
	}
	pace := func(ctx context.Context, size int) error {
		done += int64(size)
		if progress != nil {
			progress(done, total)
		}
		return ctx.Err()
	}
	for _, t := range found.Tables {
		malformed := 0
		const deleted = 1 << 0 // Badger's bitDelete (value.go)
		err := t.Read(ctx, cfg.Dir, pace, func(key []byte, v y.ValueStruct) {
			if !layout.WellFormed(y.ParseKey(key), v.Value, v.Meta&deleted != 0) {
				malformed++
			}
		})
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case err != nil:
			r.Damage = append(r.Damage, inspect.AsDamage(t.Name, err))
		case malformed > 0:
			r.Damage = append(r.Damage, &inspect.Damage{File: t.Name, What: fmt.Sprintf("%d of its entries are not of this store's format", malformed)})
		}
	}
	return r, nil
}
