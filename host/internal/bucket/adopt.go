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
	"syscall"
)

// Adopt stores a file under key, as Put does. The file is open and has a name, which it
// loses: where the bucket is a folder of the same file system it is moved, and not
// copied. The caller closes it. When Adopt fails the file may have its name or not.
func Adopt(ctx context.Context, b Bucket, key string, file *os.File) error {
	if f, ok := b.(*folder); ok {
		err := f.adopt(ctx, key, file)
		if !errors.Is(err, syscall.EXDEV) {
			return err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := b.Put(ctx, key, io.NewSectionReader(file, 0, math.MaxInt64), info.Size()); err != nil {
		return err
	}
	return os.Remove(file.Name())
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
	return f.fault(ctx, "put", key, move(root, f.path, key, file))
}

// move syncs file and gives it the name of key. On its way it lies in the folder itself,
// from where no link leads it elsewhere.
func move(root *os.Root, folder, key string, file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	spare := partial + rand.Text()
	if err := os.Rename(file.Name(), filepath.Join(folder, spare)); err != nil {
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
	return syncDir(root, path.Dir(key))
}
