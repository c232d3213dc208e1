package ship

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Step applies the next segment, as far as the target allows. More reports whether
// it was there and is not behind the target.
func (c *Copy) Step(ctx context.Context, t Target, to Applier) (more bool, err error) {
	key := c.State.Generation.segKey(c.State.Next)
	f, h, sum, err := c.fetch(ctx, key)
	if fault.CodeOf(err) == fault.NotFound {
		return false, c.noneBehind(ctx, key)
	}
	if err != nil {
		return false, err
	}
	defer f.discard()
	switch {
	case h.Base || h.Generation != c.State.Generation || h.Seq != c.State.Next:
		return false, c.bad(key, "it is another object: its header names %s, segment %d", h.Generation, h.Seq)
	case h.Previous != c.State.Hash:
		return false, c.bad(key, "it does not follow the segment before: that one was %.12s, and it follows %.12s", c.State.Hash, h.Previous)
	}
	next := c.State
	whole, err := c.apply(ctx, f, to, func(g stream.Group) (bool, error) {
		if t.over(g) {
			return false, nil
		}
		if g.Before != next.Revision {
			return false, c.bad(key, "revision %d follows %d, and %d was the last", g.Revision, g.Before, next.Revision)
		}
		next.Revision, next.Time = g.Revision, g.Time
		return true, nil
	})
	if err != nil {
		return false, err
	}
	if whole {
		next.Next, next.Hash = next.Next+1, sum
	}
	return whole, c.reached(next, to)
}

// noneBehind returns an error when a later segment is there than the one that is not.
func (c *Copy) noneBehind(ctx context.Context, key string) error {
	for o, err := range c.place.List(ctx, c.State.Generation.segPrefix(), key) {
		if err != nil {
			return err
		}
		if _, ok := parseSegment(c.State.Generation, o.Key); !ok {
			continue
		}
		if in, err := c.place.Get(ctx, key, 0, 1); err == nil { // it came meanwhile
			return in.Close()
		}
		return c.bad(key, "it is missing, and %s is there; all up to revision %d, of %s, is whole: --to %s restores it",
			o.Key[strings.LastIndexByte(o.Key, '/')+1:], c.State.Revision, c.State.Time.Format(time.RFC3339), c.State.Time.UTC().Format(time.RFC3339))
	}
	return nil
}

// fetched is an object on the disk.
type fetched struct {
	*os.File
	size int64
}

func (f fetched) discard() {
	_ = f.Close() // only read
	_ = os.Remove(f.Name())
}

// fetch brings an object here and checks it before anything of it is used.
func (c *Copy) fetch(ctx context.Context, key string) (f fetched, h header, sum string, err error) {
	in, err := c.place.Get(ctx, key, 0, -1)
	if err != nil {
		return f, h, "", err
	}
	defer in.Close() // only read
	if err := os.MkdirAll(c.scratch(), 0o700); err != nil {
		return f, h, "", fault.Wrap(fault.Unavailable, "follow", "cannot make "+c.scratch(), err)
	}
	file, err := os.Create(filepath.Join(c.scratch(), "object"))
	if err != nil {
		return f, h, "", fault.Wrap(fault.Unavailable, "follow", "cannot write to "+c.scratch(), err)
	}
	f.File = file
	var n counter
	if h, sum, err = check(io.TeeReader(in, io.MultiWriter(file, &n))); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	f.size = n.n
	if err != nil {
		f.discard()
		if fault.CodeOf(err) == fault.Invalid {
			err = c.bad(key, "%s", fault.MessageOf(err))
		}
		return f, h, "", err
	}
	if h.Layout > c.Layout {
		f.discard()
		return f, h, "", c.bad(key, "it was written by a newer wasmoor (store format %d; this one knows %d)", h.Layout, c.Layout)
	}
	return f, h, sum, nil
}

// apply applies the groups of an object while take says so, brings the blobs that they
// name, and reports whether it took them all.
func (c *Copy) apply(ctx context.Context, f fetched, to Applier, take func(stream.Group) (bool, error)) (whole bool, err error) {
	r, end, err := groups(f, f.size, c.Crypt)
	if err != nil {
		return false, err
	}
	defer end()
	var names cargo.Names
	for {
		g, err := r.Next()
		if errors.Is(err, io.EOF) {
			whole = true
			break
		}
		if err != nil {
			return false, err
		}
		if ok, err := take(g); err != nil {
			return false, err
		} else if !ok {
			break
		}
		if err := to.Apply(ctx, names.In(g)); err != nil {
			return false, err
		}
	}
	return whole, c.bringBlobs(ctx, names.List())
}

// BringModules brings the modules that are not here.
func (c *Copy) BringModules(ctx context.Context) error {
	if c.known == nil {
		c.known = map[string]bool{}
		if err := os.MkdirAll(c.Modules, 0o700); err != nil {
			return fault.Wrap(fault.Unavailable, "follow", "cannot make "+c.Modules, err)
		}
		files, err := os.ReadDir(c.Modules)
		if err != nil {
			return fault.Wrap(fault.Unavailable, "follow", "cannot read "+c.Modules, err)
		}
		for _, f := range files {
			c.known[strings.TrimSuffix(f.Name(), moduleSuffix)] = true
		}
	}
	for o, err := range c.place.List(ctx, modulesPrefix, "") {
		if err != nil {
			return err
		}
		name, ok := parseModule(o.Key)
		if !ok || c.known[name] {
			continue
		}
		if err := c.module(ctx, o.Key, name); err != nil {
			return err
		}
		c.known[name] = true
	}
	return nil
}

// module brings one, if it is what its name says.
func (c *Copy) module(ctx context.Context, key, name string) error {
	in, err := c.place.Get(ctx, key, 0, -1)
	if fault.CodeOf(err) == fault.NotFound {
		return nil // nobody goes back to it any more
	}
	if err != nil {
		return err
	}
	defer in.Close() // only read
	data, err := io.ReadAll(io.LimitReader(in, limit.Module+1))
	if err != nil {
		return err
	}
	if plugin.DigestOf(data).Hex() != name {
		return c.bad(key, "it is damaged: its content is not that of its digest")
	}
	if err := durable.Replace(filepath.Join(c.Modules, name+moduleSuffix), data); err != nil {
		return fault.Wrap(fault.Unavailable, "follow", "cannot write a module to "+c.Modules, err)
	}
	return nil
}
