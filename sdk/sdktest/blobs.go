package sdktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// Blobs are the plugin's blobs at the fake host. Its methods act outside any request, at
// once, and are safe for concurrent use.
type Blobs struct {
	// Count is how many names there may be, and Bytes how many bytes the blobs that they
	// name may have together: the defaults of [blobs] unless set.
	Count, Bytes int64

	names *Store
}

// Blob is what a name has.
type Blob struct {
	Type     string
	Metadata []byte
	Data     []byte
}

// Get returns the blob of a name.
func (b *Blobs) Get(name string) (blob Blob, ok bool) {
	data, ok := b.names.Get(name)
	if !ok {
		return blob, false
	}
	head, bytes := readBlob(data)
	return Blob{Type: head.Type, Metadata: []byte(head.Metadata), Data: bytes}, true
}

// Names returns the names that start with prefix, in order.
func (b *Blobs) Names(prefix string) []string { return b.names.Keys(prefix) }

// Put gives a blob a name.
func (b *Blobs) Put(name string, blob Blob) {
	b.names.Set(name, blobValue(blob.Data, b.names.now().UnixMilli(), blob.Type, blob.Metadata), 0)
}

// Delete removes a name.
func (b *Blobs) Delete(name string) { b.names.Delete(name) }

// blobValue is what the fake keeps under a name: the blob head, and the bytes.
func blobValue(data []byte, created int64, mediaType string, metadata []byte) []byte {
	sum := sha256.Sum256(data)
	head := abi.Blob{Size: uint64(len(data)), Created: created, Digest: string(sum[:]), Type: mediaType, Metadata: string(metadata)}
	return abi.AppendString(abi.AppendString(nil, abi.AppendBlob(nil, &head)), data)
}

func readBlob(value []byte) (head abi.Blob, data []byte) {
	r := abi.NewReader(string(value))
	abi.DecodeBlob(r.String(), &head)
	return head, []byte(r.String())
}

// blobName says what is wrong with a call about a name.
func (c *call) blobName(name string) abi.Status {
	switch {
	case c.host.NoBlobs:
		return abi.Denied
	case len(name) > limits.BlobName:
		return abi.Limit
	case name == "" || !utf8.ValidString(name):
		return abi.Invalid
	}
	return abi.OK
}

// blob returns the blob of a name.
func (c *call) blob(name string) (head abi.Blob, data []byte, status abi.Status) {
	if status := c.blobName(name); status < 0 {
		return head, nil, status
	}
	value, status := c.tx.names.get(name)
	if status < 0 {
		return head, nil, status
	}
	head, data = readBlob(value)
	return head, data, abi.OK
}

// writing is a blob that is begun.
type writing struct {
	bytes.Buffer
	room int64
	full bool // more was to be written
}

func (w *writing) write(data []byte) abi.Status {
	if w.full = w.full || int64(w.Len()+len(data)) > w.room; w.full {
		return abi.Limit
	}
	_, _ = w.Write(data)
	return abi.OK
}

// used returns how many names there are, as the transaction sees them, and the bytes of
// their blobs.
func (t *tx) used() (count, bytes int64) {
	for _, name := range t.keys("", "", false) {
		if value, status := t.see(name); status == abi.OK {
			head, _ := readBlob(value)
			count, bytes = count+1, bytes+int64(head.Size)
		}
	}
	return count, bytes
}

// fits reports whether the quota has room for a blob under a name.
func (c *call) fits(name string, size int64) bool {
	count, used := c.tx.names.used()
	before, status := c.tx.names.see(name)
	more := size
	if status == abi.OK {
		head, _ := readBlob(before)
		more -= int64(head.Size)
	} else if count >= c.host.Blobs.Count {
		return false
	}
	return more <= 0 || used+more <= c.host.Blobs.Bytes
}

// writer returns a blob that was begun.
func (c *call) writer(handle uint32) (*writing, abi.Status) {
	switch w := c.writers[handle]; {
	case c.host.NoBlobs:
		return nil, abi.Denied
	case w == nil:
		return nil, abi.NotFound
	default:
		return w, abi.OK
	}
}

func (c *call) BlobCreate() int64 {
	switch {
	case c.host.NoBlobs:
		return int64(abi.Denied)
	case len(c.writers) == limits.BlobWriters:
		return int64(abi.Limit)
	case c.writers == nil:
		c.writers = map[uint32]*writing{}
	}
	_, used := c.tx.names.used()
	c.begun++
	c.writers[c.begun] = &writing{room: max(c.host.Blobs.Bytes-used, 0)}
	return int64(c.begun)
}

func (c *call) BlobWrite(handle uint32, data []byte) int64 {
	w, status := c.writer(handle)
	if status < 0 {
		return int64(status)
	}
	return int64(w.write(data))
}

func (c *call) BlobFetch(handle, from uint32) int64 {
	w, status := c.writer(handle)
	if status < 0 {
		return int64(status)
	}
	before := w.Len()
	for buf := make([]byte, 64<<10); ; {
		n := c.HTTPRead(from, buf)
		switch {
		case n < 0:
			return n
		case n == 0:
			return int64(w.Len() - before)
		}
		if status := w.write(buf[:n]); status < 0 {
			return int64(status)
		}
	}
}

func (c *call) BlobDrop(handle uint32) int64 {
	if _, status := c.writer(handle); status < 0 {
		return int64(status)
	}
	delete(c.writers, handle)
	return 0
}

func (c *call) BlobPut(handle uint32, name, mediaType string, metadata []byte) int64 {
	data, full := c.body, false
	if handle != 0 && !c.host.NoBlobs {
		w, status := c.writer(handle)
		if status < 0 {
			return int64(status)
		}
		data, full = w.Bytes(), w.full
	}
	switch {
	case c.host.NoBlobs:
		return int64(abi.Denied)
	case len(mediaType) > limits.BlobType || len(metadata) > limits.BlobMetadata:
		return int64(abi.Limit)
	case !field.IsValue(mediaType):
		return int64(abi.Invalid)
	}
	if status := c.blobName(name); status < 0 {
		return int64(status)
	}
	delete(c.writers, handle)
	c.tx.names.read[name] = true
	_, again := c.tx.names.writes[name]
	if full || !again && c.tx.names.full() || !c.fits(name, int64(len(data))) {
		return int64(abi.Limit)
	}
	v := value{data: blobValue(data, c.tx.now.UnixMilli(), mediaType, metadata)}
	c.tx.names.writes[name] = op{kind: opSet, value: v, at: abi.NoVersionstamp} // its bytes are none of the effects
	return int64(len(data))
}

func (c *call) BlobStat(name string, buf []byte) int64 {
	head, _, status := c.blob(name)
	if status < 0 {
		return int64(status)
	}
	return fill(buf, abi.AppendBlob(nil, &head))
}

func (c *call) BlobRead(name string, offset int64, buf []byte) int64 {
	_, data, status := c.blob(name)
	switch {
	case status < 0:
		return int64(status)
	case offset < 0:
		return int64(abi.Invalid)
	case offset >= int64(len(data)):
		return 0
	}
	return int64(copy(buf, data[offset:]))
}

func (c *call) BlobList(prefix, after string, limit, flags uint32, buf []byte) int64 {
	switch {
	case c.host.NoBlobs:
		return int64(abi.Denied)
	case len(prefix) > limits.BlobName || len(after) > limits.BlobName:
		return int64(abi.Limit)
	case flags&^(abi.ListReverse|abi.ListKeysOnly|abi.ListSnapshot) != 0:
		return int64(abi.Invalid)
	}
	return c.tx.names.list(prefix, after, int(limit), flags, buf)
}

func (c *call) BlobDelete(name string) int64 {
	if status := c.blobName(name); status < 0 {
		return int64(status)
	}
	if _, status := c.tx.names.get(name); status == abi.NotFound {
		return 0
	}
	return int64(c.tx.names.put(name, op{kind: opDelete, at: abi.NoVersionstamp}))
}

func (c *call) BlobAnswer(name, disposition string) int64 {
	head, data, status := c.blob(name)
	switch {
	case status < 0:
		return int64(status)
	case len(disposition) > limits.BlobDisposition:
		return int64(abi.Limit)
	case !field.IsValue(disposition):
		return int64(abi.Invalid)
	}
	c.blobAnswer = &blobAnswer{head: head, data: data, disposition: disposition}
	return 0
}

// blobAnswer is a blob that is the body of the response.
type blobAnswer struct {
	head        abi.Blob
	data        []byte
	disposition string
}

// give makes the blob the body of a response, whose header gets what it does not say.
// Ranges and conditions are not looked at.
func (a *blobAnswer) give(r *Result) {
	r.Body = a.data
	for name, value := range map[string]string{
		"Content-Type": a.head.Type, "Etag": `"` + hex.EncodeToString([]byte(a.head.Digest)) + `"`, "Content-Disposition": a.disposition,
		"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff",
	} {
		if r.Header.Get(name) == "" && value != "" {
			r.Header.Set(name, value)
		}
	}
}
