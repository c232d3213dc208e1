package bucket

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// folder keeps each object in a file below path. Nothing below it that is a link
// leads out of it.
type folder struct{ path string }

// partial begins the name of a file that is still written. A key has no such name.
const partial = ".partial-"

func (f *folder) String() string { return f.path }

// root opens the folder, which it makes when create says so.
func (f *folder) root(create bool) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(f.path, 0o700); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(f.path)
}

func (f *folder) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	root, err := f.root(true)
	if err != nil {
		return f.fault(ctx, "put", key, err)
	}
	defer func() { _ = root.Close() }()
	spare, source, err := write(ctx, root, key, r, size)
	if source != nil {
		return source
	}
	if err == nil {
		err = root.Rename(spare, key)
	}
	if err == nil {
		return f.fault(ctx, "put", key, syncDir(root, path.Dir(key)))
	}
	if spare != "" {
		_ = root.Remove(spare) // Sweep finds it
	}
	return f.fault(ctx, "put", key, err)
}

// write returns the name of a new, synced file next to key's. Source is an error of r.
func write(ctx context.Context, root *os.Root, key string, r io.Reader, size int64) (spare string, source, err error) {
	file, err := create(root, path.Dir(key))
	if err != nil {
		return "", nil, err
	}
	name := path.Join(path.Dir(key), path.Base(file.Name()))
	from := &reading{ctx: ctx, r: r}
	n, err := io.Copy(file, from)
	if err == nil && size >= 0 && n != size {
		from.err = short(key, n, size)
	}
	if from.err == nil && err == nil {
		err = file.Sync()
	}
	err = cmp.Or(err, file.Close())
	if from.err != nil {
		_ = root.Remove(name)
		return "", from.err, nil
	}
	return name, nil, err
}

// create makes a new file in dir, and dir. Another's Delete may take an empty dir
// away meanwhile.
func create(root *os.Root, dir string) (file *os.File, err error) {
	for range 3 {
		file, err = root.OpenFile(path.Join(dir, partial+rand.Text()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		if err = makeDirs(root, dir); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// makeDirs makes dir and all above it, and has them last.
func makeDirs(root *os.Root, dir string) error {
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for dir != "." {
		dir = path.Dir(dir)
		if err := syncDir(root, dir); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *folder) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ValidKey(key); err != nil {
		return nil, err
	}
	root, err := f.root(false)
	if err != nil {
		return nil, f.fault(ctx, "get", key, err)
	}
	defer func() { _ = root.Close() }()
	file, err := openRegular(root, key)
	if err != nil {
		return nil, f.fault(ctx, "get", key, err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close()
		return nil, f.fault(ctx, "get", key, err)
	}
	var r io.Reader = &reading{ctx: ctx, r: file}
	if length >= 0 {
		r = io.LimitReader(r, length)
	}
	return &part{r, file}, nil
}

// part reads a part of a file.
type part struct {
	io.Reader
	file *os.File
}

// Close implements io.Closer.
func (p *part) Close() error { return p.file.Close() }

// File returns the file at the part's begin, for the system to send, which knows no end of
// the part. Nobody reads the part itself then.
func (p *part) File() *os.File { return p.file }

// openRegular refuses what is no file: a pipe has no end.
func openRegular(root *os.Root, key string) (*os.File, error) {
	info, err := root.Stat(key)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file: %w", key, fs.ErrNotExist)
	}
	return root.Open(key)
}

func (f *folder) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		stopped := errors.New("stopped")
		err := f.walk(ctx, prefix, func(root *os.Root, key string, e fs.DirEntry) error {
			if !strings.HasPrefix(key, prefix) || key <= after || ValidKey(key) != nil || !e.Type().IsRegular() {
				return nil
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // deleted meanwhile
			}
			if err == nil && !yield(Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return stopped
			}
			return err
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(Object{}, f.fault(ctx, "list", prefix, err))
		}
	}
}

func (f *folder) Sweep(ctx context.Context, prefix string, before time.Time) (n int, err error) {
	err = f.walk(ctx, prefix, func(root *os.Root, key string, e fs.DirEntry) error {
		if !strings.HasPrefix(path.Base(key), partial) || !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = root.Remove(key); err == nil {
				n++
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return n, f.fault(ctx, "sweep", prefix, err)
	}
	return n, nil
}

// walk calls visit for all that is no folder, in the order of the keys' bytes, where
// it may lie below prefix.
func (f *folder) walk(ctx context.Context, prefix string, visit func(*os.Root, string, fs.DirEntry) error) error {
	root, err := f.root(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return walk(ctx, root, ".", prefix, visit)
}

func walk(ctx context.Context, root *os.Root, dir, prefix string, visit func(*os.Root, string, fs.DirEntry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(ordered(a), ordered(b)) })
	for _, e := range entries {
		key := path.Join(dir, e.Name())
		switch below := key + "/"; {
		case !e.IsDir():
			err = visit(root, key, e)
		case strings.HasPrefix(below, prefix) || strings.HasPrefix(prefix, below):
			err = walk(ctx, root, key, prefix, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ordered is where an entry stands among the keys: a folder's have a slash next.
func ordered(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func (f *folder) Delete(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	root, err := f.root(false)
	if err == nil {
		defer func() { _ = root.Close() }()
		err = root.Remove(key)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return f.fault(ctx, "delete", key, err)
	}
	for dir := path.Dir(key); dir != "." && root.Remove(dir) == nil; { // one that is empty
		dir = path.Dir(dir)
	}
	return nil
}

// fault says what could not be done to what; nil for nil.
func (f *folder) fault(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	code := fault.Unavailable
	switch {
	case ctx.Err() != nil:
		code, err = fault.Deadline, context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		code = fault.NotFound
	case errors.Is(err, fs.ErrPermission):
		code = fault.Denied
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = fault.Exhausted
	}
	return fault.Wrap(code, op, path.Join(f.path, key), err)
}

// reading passes on what r gives until ctx ends, and keeps r's error apart from
// those of the place that it is written to.
type reading struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

func short(key string, n, size int64) error {
	return fault.New(fault.Invalid, "put", fmt.Sprintf("%s: its source gave %d bytes of %d", key, n, size))
}
