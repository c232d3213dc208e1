package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// A blob lies in the place before what names it: plain, or encrypted under the same key
// with a suffix. A mark says since when its server has it no more.
const (
	blobsPrefix  = "blobs/"
	gonePrefix   = "gone/"
	sealedSuffix = ".age"
)

// blobKey is of a blob below a prefix: a folder has 256 others.
func blobKey(prefix string, d blob.Digest, encrypted bool) string {
	text := d.String()
	key := prefix + text[:2] + "/" + text
	if encrypted {
		key += sealedSuffix
	}
	return key
}

func parseBlob(prefix, key string) (d blob.Digest, encrypted, ok bool) {
	rest, encrypted := strings.CutSuffix(strings.TrimPrefix(key, prefix), sealedSuffix)
	if len(rest) != 3+2*len(d) {
		return d, false, false
	}
	_, err := hex.Decode(d[:], []byte(rest[3:]))
	return d, encrypted, err == nil && blobKey(prefix, d, encrypted) == key
}

// sentBlobs is what a shipper knows of blobs.
type sentBlobs struct {
	known   map[blob.Digest]struct{} // in the bucket; nil = not asked yet
	marks   map[string]struct{}      // keys of those there
	pending map[blob.Digest]time.Time
}

// maxPending is for how long a name may wait for its bytes: those of an import come after
// its names, and before the commit that makes these the plugin's.
const maxPending = 24 * time.Hour

// sendBlobs sends those of list that are not there yet. Those that are not here either are
// tried again with each segment: what is restored says how many are missing.
func (s *Shipper) sendBlobs(ctx context.Context, list []blob.Digest) error {
	if s.Blobs == nil {
		return nil
	}
	todo, err := s.unsent(ctx, list)
	if err != nil {
		return err
	}
	for _, d := range todo {
		err := s.sendBlob(ctx, d)
		missing := fault.CodeOf(err) == fault.NotFound || errors.Is(err, errDamagedBlob)
		if err != nil && !missing {
			return err
		}
		s.noteSent(d, missing)
	}
	return nil
}

// unsent returns what is to be sent of list, and of what waits. A mark of one of list ends:
// when the blob goes again, its time counts from then.
func (s *Shipper) unsent(ctx context.Context, list []blob.Digest) (todo []blob.Digest, err error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.blobs.known == nil {
		known := map[blob.Digest]struct{}{}
		for o, err := range s.place.List(ctx, blobsPrefix, "") {
			if err != nil {
				return nil, err
			}
			if d, encrypted, ok := parseBlob(blobsPrefix, o.Key); ok && encrypted == (s.Crypt.Seal != nil) {
				known[d] = struct{}{}
			}
		}
		marks := map[string]struct{}{}
		for o, err := range s.place.List(ctx, gonePrefix, "") {
			if err != nil {
				return nil, err
			}
			marks[o.Key] = struct{}{}
		}
		s.blobs = sentBlobs{known: known, marks: marks, pending: map[blob.Digest]time.Time{}}
	}
	for _, d := range list {
		if err := s.unmark(ctx, blobKey(gonePrefix, d, s.Crypt.Seal != nil)); err != nil {
			return nil, err
		}
		if _, ok := s.blobs.known[d]; !ok {
			todo = append(todo, d)
		}
	}
	for d, since := range s.blobs.pending {
		if s.Clock().Sub(since) > maxPending {
			delete(s.blobs.pending, d)
			s.Log.Error("a blob that is named is missing or damaged on this server, and was not shipped", "blob", d.String())
			continue
		}
		todo = append(todo, d)
	}
	return todo, nil
}

// unmark removes a mark. The caller holds sending.
func (s *Shipper) unmark(ctx context.Context, mark string) error {
	if _, marked := s.blobs.marks[mark]; !marked {
		return nil
	}
	if err := s.place.Delete(ctx, mark); err != nil {
		return err
	}
	delete(s.blobs.marks, mark)
	return nil
}

func (s *Shipper) noteSent(d blob.Digest, missing bool) {
	s.sending.Lock()
	defer s.sending.Unlock()
	_, waits := s.blobs.pending[d]
	switch {
	case !missing:
		delete(s.blobs.pending, d)
		s.blobs.known[d] = struct{}{}
	case !waits:
		s.blobs.pending[d] = s.Clock()
	}
}

var errDamagedBlob = errors.New("the bytes of a blob are damaged")

// sendBlob sends one, if its bytes are those of the digest.
func (s *Shipper) sendBlob(ctx context.Context, d blob.Digest) error {
	r, err := s.Blobs.Open(ctx, d, 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	checked := &digesting{r: r, want: d, sum: sha256.New()}
	key := blobKey(blobsPrefix, d, s.Crypt.Seal != nil)
	if s.Crypt.Seal == nil {
		return s.place.Put(ctx, key, checked, -1)
	}
	in, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		sealed, err := s.Crypt.Seal(out)
		if err == nil {
			if _, err = io.Copy(sealed, checked); err == nil {
				err = sealed.Close()
			}
		}
		out.CloseWithError(err)
	}()
	err = s.place.Put(ctx, key, in, -1)
	_ = in.CloseWithError(context.Canceled) // ends the goroutine after a failure
	<-done
	return err
}

// digesting fails at its end unless the bytes are those of a digest.
type digesting struct {
	r    io.Reader
	want blob.Digest
	sum  hash.Hash
}

func (r *digesting) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	_, _ = r.sum.Write(p[:n]) // never fails
	if errors.Is(err, io.EOF) && blob.Digest(r.sum.Sum(nil)) != r.want {
		return n, errDamagedBlob
	}
	return n, err
}

// goneFor is how much longer than needed a mark is there before its blob goes: the clocks of
// the server and the place may differ.
const goneFor = time.Hour

// retainBlobs marks the blobs that are not here any more, and removes those that were marked
// before first, the oldest base that anybody goes back to: it names none of them. What the
// newest base names, in the order of digests, counts as here: if its bytes are lost, those in
// the place are the last.
func (s *Shipper) retainBlobs(ctx context.Context, first Base, named []blob.Digest) error {
	if s.Blobs == nil {
		return nil
	}
	old := map[string]bool{}
	for o, err := range s.place.List(ctx, gonePrefix, "") {
		if err != nil {
			return err
		}
		old[o.Key] = first.Generation != "" && o.Modified.Add(goneFor).Before(first.Time)
	}
	for o, err := range s.place.List(ctx, blobsPrefix, "") {
		if err != nil {
			return err
		}
		d, encrypted, ok := parseBlob(blobsPrefix, o.Key)
		if !ok {
			continue
		}
		mark := blobKey(gonePrefix, d, encrypted)
		_, here := slices.BinarySearchFunc(named, d, func(a, b blob.Digest) int { return bytes.Compare(a[:], b[:]) })
		if err := s.retainBlob(ctx, d, o.Key, mark, here, old[mark]); err != nil {
			return err
		}
	}
	return nil
}

// retainBlob keeps a blob that is here, marks one that is not, or removes it when its mark is
// old. The lock is held from the look to the end: who names the blob anew has its bytes here
// before, ends the mark, and sends them again.
func (s *Shipper) retainBlob(ctx context.Context, d blob.Digest, key, mark string, here, old bool) (err error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if !here {
		here, err = s.Blobs.Has(ctx, d)
	}
	_, marked := s.blobs.marks[mark] // old is of a look before
	switch {
	case err != nil:
		return err
	case here:
		return s.unmark(ctx, mark)
	case !marked:
		if err := s.place.Put(ctx, mark, strings.NewReader(""), 0); err != nil {
			return err
		}
		s.blobs.marks[mark] = struct{}{}
		return nil
	case !old:
		return nil
	}
	delete(s.blobs.known, d)
	if err := s.place.Delete(ctx, key); err != nil {
		return err
	}
	return s.unmark(ctx, mark)
}

// bringBlobs brings those of list that are not here. One that is not in the place is no
// error: cargo.Missing counts them once all is there.
func (c *Copy) bringBlobs(ctx context.Context, list []blob.Digest) error {
	if c.Blobs == nil {
		return nil
	}
	for _, d := range list {
		there, err := c.Blobs.Has(ctx, d)
		if err == nil && !there {
			if err = c.bringBlob(ctx, d, false); fault.CodeOf(err) == fault.NotFound {
				err = c.bringBlob(ctx, d, true)
			}
		}
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

func (c *Copy) bringBlob(ctx context.Context, d blob.Digest, encrypted bool) error {
	in, err := c.place.Get(ctx, blobKey(blobsPrefix, d, encrypted), 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	var body io.Reader = in
	if encrypted {
		if c.Crypt.Open == nil {
			return fault.New(fault.Denied, "read what was shipped", "blobs are encrypted: name the file of the identity with --identity")
		}
		if body, err = c.Crypt.Open(in); err != nil {
			return err
		}
	}
	held, err := c.Blobs.Put(ctx, blob.Account{}, &digesting{r: body, want: d, sum: sha256.New()}, math.MaxInt64)
	if errors.Is(err, errDamagedBlob) {
		c.Log.Error("a blob is damaged where it was shipped to", "place", c.place.String(), "blob", d.String())
		return fault.New(fault.NotFound, "follow", fmt.Sprintf("blob %s is damaged", d))
	}
	held.Release()
	return err
}
