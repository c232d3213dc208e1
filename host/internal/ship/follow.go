package ship

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Target is up to where one goes back; the zero one is all there is.
type Target struct {
	Time     time.Time
	Revision store.Revision
}

// over reports whether a group is behind the target.
func (t Target) over(g stream.Group) bool {
	return !t.Time.IsZero() && g.Time.After(t.Time) || t.Revision != 0 && g.Revision > t.Revision
}

func (t Target) covers(b Base) bool {
	return (t.Time.IsZero() || !b.Time.After(t.Time)) && (t.Revision == 0 || b.Revision <= t.Revision)
}

func (t Target) String() string {
	switch {
	case t.Revision != 0:
		return fmt.Sprintf("revision %d", t.Revision)
	case !t.Time.IsZero():
		return t.Time.UTC().Format(time.RFC3339)
	}
	return "the latest"
}

// Applier is a store that takes groups.
type Applier interface {
	Apply(ctx context.Context, g stream.Group) error
	Sync() error
}

// CopyConfig says what is copied, and where to.
type CopyConfig struct {
	Bucket  bucket.Bucket
	Dir     string      // the data folder
	Modules string      // the folder of modules
	Blobs   *blob.Store // gets the bytes of blobs; nil: they are not brought
	Layout  int         // the newest format of entries that the store knows
	Crypt   Crypt
	Log     *slog.Logger
}

// CopyState is how far a copy is. It is in the data folder as long as that is a copy,
// and no server serves such a folder.
type CopyState struct {
	Place      string         `json:"place"`
	Generation Generation     `json:"generation,omitempty"` // "" = before the base was there
	Next       uint64         `json:"next"`                 // the segment to come
	Hash       string         `json:"hash"`                 // of the one before
	Revision   store.Revision `json:"revision"`
	Time       time.Time      `json:"time"` // of the last commit
}

// Copy puts what was shipped into a data folder.
type Copy struct {
	CopyConfig
	State CopyState
	place place
	known map[string]bool // modules that are here
}

// copyFile in the data folder says that it is a copy.
const copyFile = "standby.json"

// ReadCopy returns the state of the copy in a data folder, nil where it is none.
func ReadCopy(dir string) (*CopyState, error) {
	data, err := os.ReadFile(filepath.Join(dir, copyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	var s CopyState
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "follow", fmt.Sprintf("%s is damaged; empty the folder and begin again", filepath.Join(dir, copyFile)), err)
	}
	return &s, nil
}

// OpenCopy goes on with the copy in a data folder, or begins one in an empty folder.
// Errors: Conflict (the folder holds something else).
func OpenCopy(cfg CopyConfig) (*Copy, error) {
	c := &Copy{CopyConfig: cfg, place: place{cfg.Bucket}}
	state, err := ReadCopy(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if state != nil {
		if state.Place != c.place.String() {
			return nil, fault.New(fault.Conflict, "follow", fmt.Sprintf("%s follows %s; name that place, or an empty folder", cfg.Dir, state.Place))
		}
		c.State = *state
		return c, nil
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Unavailable, "follow", "cannot read "+cfg.Dir, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { // a file system's own, and what a crash left of ours
		return e.Name() == "lost+found" || strings.HasPrefix(e.Name(), copyFile)
	})
	if len(entries) > 0 {
		return nil, fault.New(fault.Conflict, "follow", fmt.Sprintf("%s is not empty (%s); name an empty folder: nothing is ever written over", cfg.Dir, entries[0].Name()))
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, "follow", "cannot make "+cfg.Dir, err)
	}
	c.State.Place = c.place.String()
	return c, c.save()
}

func (c *Copy) save() error {
	data, err := json.MarshalIndent(c.State, "", "  ")
	if err == nil {
		err = durable.Replace(filepath.Join(c.Dir, copyFile), append(data, '\n'))
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "follow", "cannot write "+filepath.Join(c.Dir, copyFile), err)
	}
	return nil
}

// Reset forgets how far the copy is: the store's folder is about to be emptied.
func (c *Copy) Reset() error {
	c.State = CopyState{Place: c.State.Place}
	return c.save()
}

// Finish makes the copy a data folder like any.
func (c *Copy) Finish() error {
	_ = os.RemoveAll(c.scratch()) // it would only take room
	if err := os.Remove(filepath.Join(c.Dir, copyFile)); err != nil {
		return fault.Wrap(fault.Unavailable, "follow", "cannot remove the mark of a copy", err)
	}
	return durable.SyncDir(c.Dir)
}

func (c *Copy) scratch() string { return filepath.Join(c.Dir, "fetched") }

// Find returns the base from which one reaches the target: the newest one before it.
// Errors: NotFound.
func (c *Copy) Find(ctx context.Context, t Target) (found Base, err error) {
	all, err := c.place.generations(ctx, "")
	if err != nil {
		return found, err
	}
	var earliest Base
	for _, g := range all {
		bases, err := c.place.bases(ctx, g)
		if err != nil {
			return found, err
		}
		for _, b := range bases {
			if earliest.Generation == "" {
				earliest = b
			}
			if t.covers(b) {
				found = b
			}
		}
	}
	switch {
	case found.Generation != "":
		return found, nil
	case earliest.Generation != "":
		return found, fault.New(fault.NotFound, "restore", fmt.Sprintf("nothing in %s goes back to %s: the earliest is revision %d of %s", c.place, t, earliest.Revision, earliest.Time.Format(time.RFC3339)))
	}
	return found, fault.New(fault.NotFound, "restore", fmt.Sprintf("%s holds no base: no server has shipped a whole store there", c.place))
}

// Newest returns the newest claim of the place, and what its server said last.
func (c *Copy) Newest(ctx context.Context) (Claim, Alive, error) {
	newest, err := c.place.newest(ctx)
	if err != nil || newest == nil {
		return Claim{}, Alive{}, err
	}
	alive, err := c.place.alive(ctx, newest.Generation)
	return *newest, alive, err
}

// Claim begins a generation: whoever ships there ends.
func (c *Copy) Claim(ctx context.Context, server string, storeID string, now time.Time) (Claim, error) {
	next, err := c.place.next(ctx)
	if err != nil {
		return Claim{}, err
	}
	claim := Claim{Generation: next, Store: storeID, Server: server, Time: now.UTC()}
	if err := c.place.write(ctx, next.claimKey(), claim); err != nil {
		return Claim{}, err
	}
	st := State{Place: c.place.String(), Generation: claim.Generation, Through: c.State.Time}
	return claim, st.write(c.Dir)
}

// Base applies a base to an empty store.
func (c *Copy) Base(ctx context.Context, b Base, to Applier) error {
	key := b.Generation.baseKey(b)
	f, h, _, err := c.fetch(ctx, key)
	if err != nil {
		return err
	}
	defer f.discard()
	if !h.Base || h.Generation != b.Generation || h.Seq != b.Seq {
		return c.bad(key, "it is another object: its header names %s, segment %d", h.Generation, h.Seq)
	}
	next := CopyState{Place: c.State.Place, Generation: b.Generation, Next: b.Seq, Hash: h.Previous, Revision: b.Revision, Time: b.Time}
	_, err = c.apply(ctx, f, to, func(g stream.Group) (bool, error) {
		if g.Before != 0 || g.Revision != b.Revision {
			return false, c.bad(key, "it holds revision %d after %d", g.Revision, g.Before)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return c.reached(next, to)
}

func (c *Copy) reached(next CopyState, to Applier) error {
	if err := to.Sync(); err != nil {
		return err
	}
	c.State = next
	return c.save()
}

// bad is the error of an object that is not what it should be.
func (c *Copy) bad(key, format string, args ...any) error {
	return fault.New(fault.Invalid, "read what was shipped", fmt.Sprintf("%s in %s: %s", key, c.place, fmt.Sprintf(format, args...)))
}
