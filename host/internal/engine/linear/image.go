package linear

import (
	"fmt"
	"sync"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Image is the memory that every instance of a program starts with. Instances
// share its bytes and copy a page when they write to it. Safe for concurrent
// use.
type Image struct {
	bytes []byte // never written
	file  int    // what instances map; -1 = they copy bytes instead

	mu     sync.Mutex
	users  int
	closed bool
}

// NewImage returns an image of mem, which it copies: on Linux to a sealed file
// in memory, of which pages of zeros take no memory until they are used, and
// which takes one file descriptor; elsewhere, or where the system refuses the
// file, to Go's heap. Close it. Invalid unless mem is whole pages.
func NewImage(mem []byte) (*Image, error) {
	if len(mem)%PageSize != 0 {
		return nil, fault.New(fault.Invalid, "prepare", fmt.Sprintf(
			"an image of %d bytes is not whole pages of WebAssembly; this is a bug of the engine", len(mem)))
	}
	if file, bytes, ok := share(mem); ok {
		return &Image{file: file, bytes: bytes}, nil
	}
	return plainImage(mem), nil
}

func plainImage(mem []byte) *Image {
	return &Image{file: -1, bytes: append([]byte(nil), mem...)}
}

// Size is the image's length in bytes; 0 for none.
func (i *Image) Size() int { return len(i.content()) }

// content returns the bytes of an image that is in use; nothing for none.
func (i *Image) content() []byte {
	if i == nil {
		return nil
	}
	return i.bytes
}

// shared reports whether instances map the image rather than copy it.
func (i *Image) shared() bool { return i != nil && i.file >= 0 }

// Close gives the image up: no memory can be made with it any more. It lasts
// until the last of those that were made is freed. Closing twice is fine.
func (i *Image) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.dispose()
}

// use keeps the image until leave is called; false when it is closed.
func (i *Image) use() bool {
	if i == nil {
		return true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.users++
	return true
}

func (i *Image) leave() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.users--
	i.dispose()
}

func (i *Image) dispose() {
	if !i.closed || i.users > 0 {
		return
	}
	if i.file >= 0 {
		unshare(i.file, i.bytes)
	}
	i.file, i.bytes = -1, nil
}
