package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

func (s *s3) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ValidKey(key); err != nil {
		return nil, err
	}
	g := &getting{ctx: ctx, s3: s, key: key, next: offset, left: length, tries: s.tries}
	if err := g.open(); err != nil {
		return nil, err
	}
	return g, nil
}

// getting reads an object and, when the connection breaks, the rest of the same
// object over another one.
type getting struct {
	*s3
	ctx   context.Context
	key   string
	etag  string
	next  int64 // offset of what is read next
	left  int64 // bytes still to read; below 0 = all
	body  io.ReadCloser
	size  int64 // still to come of body
	tries int
	moved int64 // since tries was full
}

// refill is how much must be read before tries count anew.
const refill = 1 << 20

// open asks for the rest; body is nil when there is none.
func (g *getting) open() error {
	if g.left == 0 {
		return nil
	}
	var o minio.GetObjectOptions
	if g.etag != "" {
		if err := o.SetMatchETag(g.etag); err != nil {
			return g.fault(g.ctx, "get", g.key, err)
		}
	}
	if g.left > 0 {
		o.Set("Range", fmt.Sprintf("bytes=%d-%d", g.next, g.next+g.left-1))
	} else if g.next > 0 {
		o.Set("Range", fmt.Sprintf("bytes=%d-", g.next))
	}
	body, info, _, err := g.core.GetObject(g.ctx, g.bucket, g.prefix+g.key, o)
	if minio.ToErrorResponse(err).Code == minio.InvalidRange {
		g.left = 0 // the object ends before
		return nil
	}
	if err != nil {
		return g.fault(g.ctx, "get", g.key, err)
	}
	if g.etag != "" && info.ETag != g.etag { // not all services look at the header
		_ = body.Close()
		return g.fault(g.ctx, "get", g.key, errors.New("the object was replaced while it was read"))
	}
	g.body, g.etag, g.size = body, info.ETag, info.Size
	return nil
}

func (g *getting) Read(p []byte) (int, error) {
	for {
		if g.left == 0 || g.body == nil {
			return 0, io.EOF
		}
		n, err := g.body.Read(p)
		g.count(int64(n))
		switch {
		case n > 0:
			return n, nil // an error comes again
		case err == io.EOF && g.size <= 0:
			return 0, io.EOF
		case err == nil:
			continue
		}
		if err := g.again(err); err != nil {
			return 0, err
		}
	}
}

func (g *getting) count(n int64) {
	g.next += n
	g.size -= n
	if g.left > 0 {
		g.left -= min(n, g.left)
	}
	if g.moved += n; g.moved >= refill {
		g.moved, g.tries = 0, g.options.tries
	}
}

// again opens the rest after a read that failed with err.
func (g *getting) again(err error) error {
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w, %d bytes are missing", io.ErrUnexpectedEOF, g.size)
	}
	if g.tries--; g.tries <= 0 || g.ctx.Err() != nil {
		return g.fault(g.ctx, "get", g.key, err)
	}
	_ = g.body.Close() // it is broken
	g.body = nil
	select {
	case <-time.After(minio.DefaultRetryUnit):
	case <-g.ctx.Done():
	}
	return g.open()
}

func (g *getting) Close() error {
	if g.body == nil {
		return nil
	}
	return g.body.Close()
}
