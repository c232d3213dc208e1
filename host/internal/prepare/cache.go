package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// cache is a directory of sealed artefacts, KEY/, and of builds under way,
// build-*/. Nothing in it is synced: what a crash of the machine left half
// written has no valid seal, and is built again. Processes may share it: one that
// serves and one that precompiles, or all that try plugins of a user.
type cache struct {
	dir     string
	secret  []byte
	maxSize int64 // bytes of one
	log     *slog.Logger

	mu   sync.Mutex
	busy map[string]chan struct{} // keys in use; closed when they are not any more
}

const workPrefix = "build-"

var keyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func openCache(cfg Config) (*cache, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, broken("make the directory of artefacts", err)
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil {
		return nil, broken("close the directory of artefacts to others", err)
	}
	if err := privateDir(cfg.Dir); err != nil {
		return nil, broken(fmt.Sprintf("use the directory of artefacts %s", cfg.Dir), err)
	}
	secret, err := loadSecret(cfg.Secret, cfg.Log)
	if err != nil {
		return nil, err
	}
	return &cache{
		dir: cfg.Dir, secret: secret, maxSize: cfg.Limits.Size, log: cfg.Log,
		busy: map[string]chan struct{}{},
	}, nil
}

// Shareable makes dir, if need be, for Config.Dir and Config.Secret, and returns an
// error unless processes of this user may share it: nobody else reaches it, and the
// system tells which builds are under way.
func Shareable(dir string) error {
	if !claims {
		return broken("share artefacts", errors.ErrUnsupported)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return broken("make the directory of artefacts", err)
	}
	return privateDir(dir)
}

func (c *cache) path(key string) string { return filepath.Join(c.dir, key) }

// lock waits until nobody else in this process uses a key.
func (c *cache) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		unlock, busy := c.tryLock(key)
		if busy == nil {
			return unlock, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, gaveUp(ctx, "the same module is still being prepared; try again when it has ended")
		}
	}
}

// tryLock locks a key, or returns what is closed when it is free again.
func (c *cache) tryLock(key string) (unlock func(), busy <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy, ok := c.busy[key]; ok {
		return nil, busy
	}
	free := make(chan struct{})
	c.busy[key] = free
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.busy, key)
		close(free)
	}, nil
}

// check reports whether there is an artefact under key that is what was sealed, and
// has its seal name the module digest, which wants it. What is there and is not is
// removed. The caller holds the key.
func (c *cache) check(key string, digest plugin.Digest) (bool, error) {
	if _, err := os.Lstat(c.path(key)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	s, err := checkSeal(c.path(key), key, c.secret)
	if err != nil {
		return false, c.refuse(key, err)
	}
	now := time.Now()
	_ = os.Chtimes(filepath.Join(c.path(key), sealName), now, now) // only for trim
	if s.add(digest) {
		if err := c.reseal(key, s); err != nil {
			c.log.Warn("an artefact is not kept for all modules that share it", "artefact", key, "error", err)
		}
	}
	return true, nil
}

// reseal replaces the seal of an artefact, in one step: other processes may read it.
func (c *cache) reseal(key string, s seal) (err error) {
	w, err := c.begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := s.write(w.tmp, c.secret); err != nil {
		return err
	}
	return os.Rename(filepath.Join(w.tmp, sealName), filepath.Join(c.path(key), sealName))
}

// refuse removes an artefact that is not to be used. The caller holds the key.
func (c *cache) refuse(key string, why error) error {
	c.log.Warn("an artefact is damaged or stale; it is removed and built again", "artefact", key, "error", why)
	return c.remove(key)
}

func (c *cache) remove(key string) error {
	if err := os.RemoveAll(c.path(key)); err != nil {
		return broken("remove an artefact", err)
	}
	return nil
}

// work is a build under way: a directory that is empty but for those of the
// artefact and of temporary files.
type work struct {
	dir, artefact, tmp string
	release            func() error
}

// begin makes the directory of a build. Close it. Between making and claiming it,
// a process that opens the cache may take it for a leftover; then another is made.
func (c *cache) begin() (*work, error) {
	for {
		w, err := c.claimWork()
		if err == nil {
			return w, nil
		}
		if _, gone := os.Lstat(c.dir); gone != nil || !errors.Is(err, fs.ErrNotExist) {
			return nil, broken("make the directory of a build", err)
		}
	}
}

// claimWork is one attempt of begin. The error is fs.ErrNotExist when the directory
// was swept away.
func (c *cache) claimWork() (*work, error) {
	dir, err := os.MkdirTemp(c.dir, workPrefix)
	if err != nil {
		return nil, err
	}
	release, free, err := claim(dir)
	if err != nil {
		return nil, err
	}
	if !free {
		return nil, fs.ErrNotExist // whoever has it removes it
	}
	w := &work{dir: dir, artefact: filepath.Join(dir, "artefact"), tmp: filepath.Join(dir, "tmp"), release: release}
	if err := errors.Join(os.Mkdir(w.artefact, 0o700), os.Mkdir(w.tmp, 0o700)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *work) close() error {
	err := os.RemoveAll(w.dir)
	if w.release != nil {
		err = errors.Join(err, w.release())
	}
	if err != nil {
		return broken("remove the directory of a build", err)
	}
	return nil
}

// put seals what a build left and keeps it under key. The caller holds the key. The
// error is errTooLarge where it has more than maxSize bytes.
func (c *cache) put(w *work, key string, digest plugin.Digest) error {
	err := makeSeal(w.artefact, key, digest, c.maxSize, c.secret)
	switch {
	case errors.Is(err, errTooLarge):
		return err
	case err != nil:
		return fault.Wrap(fault.Internal, "prepare", "the build did not leave what it should", err)
	}
	if err := os.Rename(w.artefact, c.path(key)); err == nil {
		return nil
	}
	// Another process was first. What it left may be in use there, and stays if it is sound.
	if ok, err := c.check(key, digest); ok || err != nil {
		return err
	}
	if err := os.Rename(w.artefact, c.path(key)); err != nil {
		return broken("keep an artefact", err)
	}
	return nil
}

// sweepLeftovers removes the directories of builds whose process is gone.
func (c *cache) sweepLeftovers() error {
	return c.each(func(d fs.DirEntry) error {
		if !strings.HasPrefix(d.Name(), workPrefix) || !d.IsDir() {
			return nil
		}
		w := &work{dir: filepath.Join(c.dir, d.Name())}
		release, free, err := claim(w.dir)
		if err != nil || !free {
			return ignoreMissing(err)
		}
		w.release = release
		return w.close()
	})
}

// sweep removes the artefacts of modules that keep does not name, and those
// without a seal of ours. What is in use stays for the next sweep.
func (c *cache) sweep(keep func(plugin.Digest) bool) error {
	return c.each(func(d fs.DirEntry) error {
		key := d.Name()
		if !keyForm.MatchString(key) {
			return nil
		}
		unlock, busy := c.tryLock(key)
		if busy != nil {
			return nil
		}
		defer unlock()
		if s, err := readSeal(c.path(key), c.secret); err == nil && slices.ContainsFunc(s.modules(), keep) {
			return nil
		}
		return c.remove(key)
	})
}

// stored is an artefact that trim may remove.
type stored struct {
	key  string
	size int64
	used time.Time
}

// trim removes artefacts, those used longest ago first, until the rest is within
// the bound. The one under key, which the caller holds, stays.
func (c *cache) trim(key string, most int64) {
	if most == 0 {
		return
	}
	all, total, err := c.stored()
	for _, a := range all {
		if err != nil || total <= most {
			break
		}
		if a.key == key {
			continue
		}
		if unlock, busy := c.tryLock(a.key); busy == nil {
			err = c.remove(a.key)
			total -= a.size
			unlock()
		}
	}
	if err != nil {
		c.log.Warn("the artefacts may take more disk than they should", "error", err)
	}
}

// stored lists the artefacts, those used longest ago first.
func (c *cache) stored() (all []stored, total int64, err error) {
	err = c.each(func(d fs.DirEntry) error {
		if !keyForm.MatchString(d.Name()) {
			return nil
		}
		a := stored{key: d.Name()}
		err := walk(c.path(a.key), func(name string, d fs.DirEntry) error {
			info, err := d.Info()
			if err != nil || d.IsDir() {
				return err
			}
			a.size += info.Size()
			if name == sealName {
				a.used = info.ModTime()
			}
			return nil
		})
		if err != nil {
			a.used = time.Time{} // it is no artefact, or goes away: the first to be removed
		}
		total += a.size
		all = append(all, a)
		return nil
	})
	slices.SortFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	return all, total, err
}

func (c *cache) each(do func(fs.DirEntry) error) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return broken("list the artefacts", err)
	}
	var errs []error
	for _, d := range entries {
		errs = append(errs, do(d))
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
