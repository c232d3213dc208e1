// Package cargo knows which blobs go with the entries of a store when these leave it, to a
// backup or to where they are shipped, and whether all of them have come. It cuts blobs
// into pieces. Packages that move entries import it.
package cargo

import (
	"bytes"
	"context"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/follower"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Names are the blobs that entries name. It belongs to one goroutine. 32 bytes of memory
// each.
type Names struct {
	all     []blob.Digest
	dropped map[store.Space]bool
}

// In returns the group, whose names are noted as its entries are read.
func (n *Names) In(g stream.Group) stream.Group {
	entries := g.Entries
	g.Entries = func(yield func(stream.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				n.note(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
	return g
}

// note notes what an entry names. Names of a dropped key space count for nothing where an
// entry before has said that it is dropped, as in a whole store.
func (n *Names) note(e stream.Entry) {
	if space, ok := follower.DroppedBy(e); ok {
		if n.dropped == nil {
			n.dropped = map[store.Space]bool{}
		}
		n.dropped[space.Owner()] = true
		return
	}
	space, key, v, ok := follower.ValueOf(e)
	if !ok || space.Area() != store.AreaBlobs || n.dropped[space.Owner()] {
		return
	}
	if d, named := names.DigestOf(key, v.Data); named {
		n.all = append(n.all, d)
	}
}

// List returns each blob once, in the order of their digests.
func (n *Names) List() []blob.Digest {
	slices.SortFunc(n.all, func(a, b blob.Digest) int { return bytes.Compare(a[:], b[:]) })
	n.all = slices.Compact(n.all)
	return n.all
}

// Missing returns how many blobs that the names in a folder have are not there. Errors are
// those of the folder, and of blob.Store.Has.
func Missing(ctx context.Context, in *follower.Follower, blobs *blob.Store) (n int64, err error) {
	var named Names
	err = in.Entries(store.AreaBlobs, func(e stream.Entry) bool {
		named.note(e)
		return true
	})
	if err != nil {
		return 0, err
	}
	for _, d := range named.List() {
		there, err := blobs.Has(ctx, d)
		if err != nil {
			return n, err
		}
		if !there {
			n++
		}
	}
	return n, nil
}
