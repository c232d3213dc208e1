package transfer

import (
	"context"
	"io"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// slow is a place that answers nobody before as many ask as may at a time.
type slow struct {
	bucket.Bucket
	asked sync.WaitGroup
	mu    sync.Mutex
	now   int
	most  int
	fails error
}

func (s *slow) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	s.asked.Done()
	s.asked.Wait()
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	if s.fails != nil {
		return nil, s.fails
	}
	return s.Bucket.Get(ctx, key, offset, length)
}

// TestAPlaceIsAskedForManyBlobsAtATime and not for one after the other.
func TestAPlaceIsAskedForManyBlobsAtATime(t *testing.T) {
	for _, fails := range []error{nil, fault.New(fault.Unavailable, "get", "no answer")} {
		dir, err := bucket.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		place := &slow{Bucket: dir, fails: fails}
		place.asked.Add(asks)
		store, err := blob.OpenStore(blob.Config{Dir: t.TempDir(), Bucket: place})
		if err != nil {
			t.Fatal(err)
		}
		r := receiving{store: store, held: holding{}, came: map[blob.Digest]bool{{200}: true}}
		for i := range asks {
			r.held[blob.Digest{byte(i)}] = nil
		}
		r.held[blob.Digest{200}] = nil
		count, _, err := r.missing(t.Context())
		if fault.CodeOf(err) != fault.CodeOf(fails) || fails == nil && count != asks || place.most != asks {
			t.Errorf("%d are missing, %v, and %d were asked for at a time", count, err, place.most)
		}
	}
}
