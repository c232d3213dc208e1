package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// collector writes what the tap gives into segments on the disk, whatever the bucket
// does meanwhile.
type collector struct {
	*Shipper
	tap   Tap
	bases *errgroup.Group
	seq   uint64         // of the last segment
	hash  string         // of it
	at    store.Revision // its end, or the start
	open  *open
}

// open is a segment that is being written.
type open struct {
	file   *os.File
	sealer *sealer
	info   sealed
	names  cargo.Names
	due    time.Time
}

func (c *collector) run(ctx context.Context) error {
	defer c.discard()
	c.at = c.tap.Kept()
	if c.at < c.tap.From() { // what a restart has cut off
		c.mu.Lock()
		c.oldest = c.state.Through
		c.mu.Unlock()
		if err := c.add(c.Source.Changes(c.at, c.tap.From())); err != nil {
			return err
		}
	}
	for {
		if err := c.cutIfDue(); err != nil {
			return err
		}
		if c.open == nil {
			c.base(ctx)
		}
		g, err := c.next(ctx)
		switch {
		case err == nil:
			err = c.add(g)
		case ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
			err = nil
		case fault.CodeOf(err) == fault.Exhausted:
			err = lost("the disk of the server did not keep up with the commits")
		}
		if err != nil {
			return err
		}
	}
}

// next waits for a group, at most until the open segment is due.
func (c *collector) next(ctx context.Context) (stream.Group, error) {
	due := time.Now().Add(c.Every / 2)
	switch {
	case c.flush.Err() != nil:
		ctx, cancel := context.WithTimeout(ctx, flushed)
		defer cancel()
		return c.tap.Next(ctx)
	case c.open != nil:
		due = c.open.due
	}
	ctx, cancel := context.WithDeadline(ctx, due)
	defer cancel()
	defer context.AfterFunc(c.flush, cancel)()
	return c.tap.Next(ctx)
}

// flushed is how long a segment waits for more once all is to be sent.
const flushed = 10 * time.Millisecond

// add puts a group into the open segment.
func (c *collector) add(g stream.Group) error {
	if g.Before != c.at {
		return lost(fmt.Sprintf("revision %d follows %d, and %d was the last", g.Revision, g.Before, c.at))
	}
	if c.open == nil {
		if err := c.begin(g); err != nil {
			return c.broken(err)
		}
	}
	if err := c.open.sealer.Write(c.open.names.In(g)); err != nil {
		return c.broken(err)
	}
	c.at = g.Revision
	c.open.info.to, c.open.info.last = g.Revision, g.Time
	return nil
}

// broken is the error of a segment that cannot be written here: a new base does not
// need the disk.
func (c *collector) broken(err error) error {
	c.failed("write a segment to "+c.scratch(), err)
	return lost("a segment could not be written on the disk of the server")
}

func (c *collector) begin(g stream.Group) error {
	seq := c.seq + 1
	f, err := os.OpenFile(filepath.Join(c.scratch(), fmt.Sprintf("%012d", seq)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	c.open = &open{file: f, info: sealed{path: f.Name(), seq: seq, first: g.Time}, due: time.Now().Add(c.Every / 2)}
	h := header{Layout: c.Source.Layout(), Generation: c.own, Seq: seq, Previous: c.hash}
	if c.open.sealer, err = newSealer(f, h, c.Crypt); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.oldest.IsZero() {
		c.oldest = g.Time
	}
	return nil
}

// cutIfDue closes the open segment once it is old or large enough.
func (c *collector) cutIfDue() error {
	if c.open == nil || time.Now().Before(c.open.due) && c.open.sealer.counted.n < maxSegment && c.flush.Err() == nil {
		return nil
	}
	o := c.open
	c.open = nil
	sum, err := o.sealer.finish(o.file)
	size, sizeErr := o.file.Seek(0, io.SeekEnd)
	if err = errors.Join(err, sizeErr, o.file.Close()); err != nil {
		return c.broken(err)
	}
	o.info.hash, o.info.size, o.info.blobs = sum, size, o.names.List()
	c.seq, c.hash = o.info.seq, sum
	c.mu.Lock()
	c.queue = append(c.queue, o.info)
	c.queued += size
	c.oldest = time.Time{}
	full := c.queued > c.MaxQueue
	c.mu.Unlock()
	if err := c.Room(); fault.CodeOf(err) == fault.Exhausted {
		return lost("the disk of the server is full")
	}
	if full {
		return lost(fmt.Sprintf("more than %d MiB wait on the disk of the server", c.MaxQueue>>20))
	}
	select {
	case c.ready <- struct{}{}:
	default:
	}
	return nil
}

// discard closes a segment that nobody will send.
func (c *collector) discard() {
	if c.open != nil {
		_ = c.open.file.Close() // it is in the store as well
	}
}

// base begins a base, if one is due, of what the segments so far make. No sweep removes a
// blob until it is sent.
func (c *collector) base(ctx context.Context) {
	c.mu.Lock()
	due := !c.basing && c.Clock().Sub(c.state.Base) >= c.BaseEvery
	generation := c.state.Generation
	c.mu.Unlock()
	if !due {
		return
	}
	sweepAgain := func() {}
	if c.Blobs != nil {
		var err error
		if sweepAgain, err = c.Blobs.Keep(ctx); err != nil {
			return // ctx has ended
		}
	}
	c.mu.Lock()
	c.basing = true
	c.mu.Unlock()
	b := Base{Generation: generation, Seq: c.seq + 1, Revision: c.at, Time: c.Clock().UTC()}
	h := header{Layout: c.Source.Layout(), Generation: generation, Seq: b.Seq, Base: true, Previous: c.hash}
	release := c.tap.Hold(c.at)
	c.bases.Go(func() error {
		defer release()
		defer sweepAgain()
		err := c.retry(ctx, "send a base", func() error { return c.sendBase(ctx, b, h) })
		c.mu.Lock()
		c.basing = false
		c.mu.Unlock()
		return err
	})
}

// sendBase sends a base as it is read.
func (s *Shipper) sendBase(ctx context.Context, b Base, h header) error {
	if err := s.sendModules(ctx); err != nil {
		return err
	}
	begun := time.Now()
	in, out := io.Pipe()
	read := make(chan struct{})
	var named []blob.Digest
	go func() {
		defer close(read)
		w, err := newSealer(out, h, s.Crypt)
		if err == nil {
			var names cargo.Names
			if err = w.Write(names.In(s.Source.Changes(0, b.Revision))); err == nil {
				named = names.List()
				err = s.sendBlobs(ctx, named) // before the base is there
			}
		}
		if err == nil {
			_, err = w.finish(out)
		}
		out.CloseWithError(err)
	}()
	var n counter
	err := s.place.Put(ctx, b.Generation.baseKey(b), io.TeeReader(in, &n), -1)
	_ = in.CloseWithError(context.Canceled) // ends the goroutine after a failure
	<-read                                  // the store may close next
	if err != nil {
		return err
	}
	err = s.save(func(st *State) {
		if st.Base = b.Time; st.Through.IsZero() {
			st.Through = b.Time
		}
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.exposed = time.Time{}
	s.status.Bases++
	s.mu.Unlock()
	s.Log.Info("a base was sent", "to", s.place.String(), "revision", uint64(b.Revision), "bytes", n.n, "took", time.Since(begun).Round(time.Millisecond))
	if err := s.retain(ctx, named); err != nil {
		s.failed("remove what is older than ship_keep", err)
	}
	return nil
}
