package invoke

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// SetBlob makes a blob the body of the reply, in place of one that was. nil = none.
func (r *Reply) SetBlob(a *blob.Answer) {
	if r.Blob != nil {
		r.Blob.Release()
	}
	r.Blob = a
}

// Inline makes the bytes of a reply's blob its body, where whoever sends the reply takes
// no blobs. The header gets what the blob's name says and the guest does not. Errors by
// fault code: BadReply (over limits.response_body), Unavailable.
func (inv *Invocation) Inline(ctx context.Context) error {
	r := &inv.Reply
	a := r.Blob
	if a == nil || inv.Request.Blobs && inv.Request.Once == nil {
		return nil
	}
	defer r.SetBlob(nil)
	if a.Size > inv.Limits.ResponseBody {
		return fault.New(fault.BadReply, "answer", fmt.Sprintf(
			"the blob has %d bytes; an answer that is kept, or that no client over HTTP gets, has at most %d (limits.response_body)", a.Size, inv.Limits.ResponseBody))
	}
	if !inv.Hold(int(a.Size)) {
		return inv.Starved()
	}
	if r.toHead {
		r.Length = a.Size
	} else if err := r.readBlob(ctx, a); err != nil {
		return fault.Wrap(fault.Unavailable, "answer", "a blob cannot be read; nothing was done", err)
	}
	header := append([]abi.Pair{{Name: "content-type", Value: a.Type}, {Name: "etag", Value: a.ETag()}, {Name: "content-disposition", Value: a.Disposition}}, blob.Guard[:]...)
	for _, f := range header {
		if f.Value != "" && !slices.ContainsFunc(r.Headers, func(h abi.Pair) bool { return strings.EqualFold(h.Name, f.Name) }) {
			r.Headers = append(r.Headers, f)
		}
	}
	return nil
}

func (r *Reply) readBlob(ctx context.Context, a *blob.Answer) error {
	body, err := a.Open(ctx, 0, a.Size)
	if err != nil {
		return err
	}
	r.Body = append(r.Body, make([]byte, a.Size)...)
	_, err = io.ReadFull(body, r.Body[len(r.Body)-int(a.Size):])
	return errors.Join(err, body.Close())
}
