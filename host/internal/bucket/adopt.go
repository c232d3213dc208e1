package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
)

// Adopt stores a file under key, as Put does. The file is open and has a name, which it
// keeps: where the bucket is a folder of the same file system it gets another, and is not
// copied. So nobody writes to it again. The caller closes it.
func Adopt(ctx context.Context, b Bucket, key string, file *os.File) error {
	if f, ok := b.(*folder); ok {
		err := f.adopt(ctx, key, file)
		if _, unlinked := errors.AsType[*os.LinkError](err); !unlinked {
			return err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return b.Put(ctx, key, io.NewSectionReader(file, 0, math.MaxInt64), info.Size())
}

// Last has an object last that is there: whoever put it may not have come to the end.
func Last(ctx context.Context, b Bucket, key string) error {
	f, ok := b.(*folder)
	if !ok {
		return nil // it appeared when it was durable
	}
	root, err := f.root(false)
	if err != nil {
		return f.fault(ctx, "put", key, err)
	}
	defer func() { _ = root.Close() }()
	for dir := path.Dir(key); err == nil; dir = path.Dir(dir) {
		if err = syncDir(root, dir); dir == "." {
			break
		}
	}
	return f.fault(ctx, "put", key, err)
}

func (f *folder) adopt(ctx context.Context, key string, file *os.File) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	root, err := f.root(true)
	if err != nil {
		return f.fault(ctx, "put", key, err)
	}
	defer func() { _ = root.Close() }()
	return f.fault(ctx, "put", key, link(root, f.path, key, file))
}

// link syncs file and gives it the name of key too. On its way it lies in the folder itself,
// from where no link leads it elsewhere.
func link(root *os.Root, folder, key string, file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	spare := partial + rand.Text()
	if err := os.Link(file.Name(), filepath.Join(folder, spare)); err != nil {
		return err
	}
	err := root.Rename(spare, key)
	for range 3 { // another's Delete may take an empty folder away meanwhile
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = makeDirs(root, path.Dir(key)); err == nil {
			err = root.Rename(spare, key)
		}
	}
	if err != nil {
		_ = root.Remove(spare) // Sweep finds it
		return err
	}
	_ = root.Remove(spare) // it stays where key was the same file before
	return syncDir(root, path.Dir(key))
}
