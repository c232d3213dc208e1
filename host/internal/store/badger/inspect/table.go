package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"
)

const (
	// maxBlock bounds a block as it is written: a large value has one of its own.
	maxBlock = 16 << 20
)

// table is a table file, its index read and verified.
type table struct {
	name        string
	file        *os.File
	size        int64
	data        int64 // where the blocks end
	compression options.CompressionType
	blocks      []blockAt
	maxVersion  uint64
	keyCount    uint32
	packed      []byte // scratch of readBlock
	plain       []byte
}

// blockAt is where a block is.
type blockAt struct {
	offset, size int64
	first        []byte // its first key
}

// openTable reads the index of a table. The caller closes what it returns.
func openTable(path string, compression uint32) (_ *table, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // nothing was written
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := &table{name: filepath.Base(path), file: f, size: st.Size(), compression: options.CompressionType(compression)}
	index, err := t.readIndex()
	if err != nil {
		return nil, err
	}
	return t, t.parseIndex(index)
}

func (t *table) close() { _ = t.file.Close() } // nothing was written

func (t *table) damaged(format string, args ...any) *Damage { return damaged(t.name, format, args...) }

// readIndex returns the bytes of the index. A table ends with: index, its
// length, its checksum, the length of that.
func (t *table) readIndex() ([]byte, error) {
	tail := make([]byte, 64)
	tail = tail[:min(int64(len(tail)), t.size)]
	if _, err := t.file.ReadAt(tail, t.size-int64(len(tail))); err != nil {
		return nil, err
	}
	rest, sum, ok := cutChecksum(tail)
	if !ok || len(rest) < 4 {
		return nil, t.damaged("its end is not that of a table: it was cut, or overwritten")
	}
	end := t.size - int64(len(tail)-len(rest)) - 4
	n := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	if n == 0 || n > end {
		return nil, t.damaged("its index would have %d of its %d bytes", n, t.size)
	}
	index := make([]byte, n)
	if _, err := t.file.ReadAt(index, end-n); err != nil {
		return nil, err
	}
	if !verify(index, sum) {
		return nil, t.damaged("the checksum of its index is wrong")
	}
	t.data = end - n
	return index, nil
}

// cutChecksum takes a checksum and its length off the end of b.
func cutChecksum(b []byte) (rest []byte, sum *pb.Checksum, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int64(binary.BigEndian.Uint32(b[len(b)-4:]))
	b = b[:len(b)-4]
	if n == 0 || n > int64(len(b)) || n > 32 {
		return nil, nil, false
	}
	sum = &pb.Checksum{}
	if proto.Unmarshal(b[int64(len(b))-n:], sum) != nil {
		return nil, nil, false
	}
	return b[:int64(len(b))-n], sum, true
}

func verify(b []byte, sum *pb.Checksum) bool {
	switch sum.Algo {
	case pb.Checksum_CRC32C, pb.Checksum_XXHash64:
		return y.CalculateChecksum(b, sum.Algo) == sum.Sum
	}
	return false
}

// parseIndex takes what is needed from an index. Its checksum was right, but who
// can write the folder can write that too.
func (t *table) parseIndex(b []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.damaged("its index is malformed: %v", r)
		}
	}()
	index := fb.GetRootAsTableIndex(b, 0)
	t.maxVersion, t.keyCount = index.MaxVersion(), index.KeyCount()
	n := index.OffsetsLength()
	if n <= 0 || n > len(b) {
		return t.damaged("its index names %d blocks", n)
	}
	t.blocks = make([]blockAt, n)
	var at fb.BlockOffset
	for i := range t.blocks {
		if !index.Offsets(&at, i) {
			return t.damaged("its index is malformed")
		}
		t.blocks[i] = blockAt{int64(at.Offset()), int64(at.Len()), bytes.Clone(at.KeyBytes())}
		if s := t.blocks[i].size; s > maxBlock || t.blocks[i].offset+s > t.data {
			return t.damaged("block %d would lie outside its blocks", i)
		}
	}
	return nil
}

// block is a verified block.
type block struct {
	data    []byte // entries
	offsets []byte // where each begins, 4 bytes each in the machine's order
}

// readBlock reads and verifies block i. What it returns lasts until the next.
func (t *table) readBlock(i int) (block, error) {
	at := t.blocks[i]
	t.packed = resize(t.packed, int(at.size))
	if _, err := t.file.ReadAt(t.packed, at.offset); err != nil {
		return block{}, t.damaged("block %d of %d at offset %d cannot be read: %v", i, len(t.blocks), at.offset, err)
	}
	b, ok := t.unpack(t.packed)
	if !ok {
		return block{}, t.badBlock(i)
	}
	return b, nil
}

func (t *table) badBlock(i int) error {
	return t.damaged("block %d of %d at offset %d fails its checksum", i, len(t.blocks), t.blocks[i].offset)
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func (t *table) unpack(b []byte) (block, bool) {
	switch t.compression {
	case options.None:
	case options.Snappy:
		n, err := s2.DecodedLen(b)
		if err != nil || n > maxBlock {
			return block{}, false
		}
		t.plain = resize(t.plain, n)
		if b, err = s2.Decode(t.plain, b); err != nil {
			return block{}, false
		}
	default:
		return block{}, false
	}
	return parseBlock(b)
}

// parseBlock verifies a block: entries, their offsets, how many, and a checksum
// over all that.
func parseBlock(b []byte) (block, bool) {
	rest, sum, ok := cutChecksum(b)
	if !ok || !verify(rest, sum) || len(rest) < 4 {
		return block{}, false
	}
	n := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	rest = rest[:len(rest)-4]
	if n == 0 || n > int64(len(rest))/4 {
		return block{}, false
	}
	data := rest[:int64(len(rest))-4*n]
	return block{data, rest[len(data):]}, true
}

// entries calls yield for each entry of the block; ok says that all of them were
// well-formed. Slices last until the next entry.
func (b block) entries(yield func(key []byte, v y.ValueStruct)) (ok bool) {
	var base, key []byte
	from := 0
	for next := b.offsets; len(next) > 0; {
		if int(binary.NativeEndian.Uint32(next)) != from {
			return false
		}
		to := len(b.data)
		if next = next[4:]; len(next) > 0 {
			to = int(binary.NativeEndian.Uint32(next))
		}
		if to < from+4 || to > len(b.data) {
			return false
		}
		e := b.data[from:to]
		overlap, diff := int(binary.NativeEndian.Uint16(e)), int(binary.NativeEndian.Uint16(e[2:]))
		if overlap > len(base) || 4+diff > len(e) {
			return false
		}
		key = append(append(key[:0], base[:overlap]...), e[4:4+diff]...)
		if base == nil {
			base = bytes.Clone(key)
		}
		v, ok := decodeValue(e[4+diff:])
		if !ok || len(key) <= 8 {
			return false
		}
		yield(key, v)
		from = to
	}
	return true
}

func decodeValue(b []byte) (v y.ValueStruct, ok bool) {
	if len(b) < 3 {
		return v, false
	}
	if _, n := binary.Uvarint(b[2:]); n <= 0 {
		return v, false
	}
	v.Decode(b)
	return v, true
}

// Pace is called with the size of what is read next, and may wait. An error of
// it ends the reading.
type Pace func(ctx context.Context, size int) error

// Read verifies a table to its last byte and calls yield, unless nil, for each
// entry in order. A nil pace reads at once.
func (t Table) Read(ctx context.Context, dir string, pace Pace, yield func(key []byte, v y.ValueStruct)) error {
	open, err := openTable(filepath.Join(dir, t.Name), t.compression)
	if err != nil {
		return err
	}
	defer open.close()
	return open.read(ctx, pace, yield)
}

func (t *table) read(ctx context.Context, pace Pace, yield func(key []byte, v y.ValueStruct)) error {
	var last []byte
	var count uint32
	sorted := true
	for i := range t.blocks {
		if err := wait(ctx, pace, int(t.blocks[i].size)); err != nil {
			return err
		}
		b, err := t.readBlock(i)
		if err != nil {
			return err
		}
		ok := b.entries(func(key []byte, v y.ValueStruct) {
			sorted = sorted && (last == nil || y.CompareKeys(last, key) < 0)
			last = append(last[:0], key...)
			count++
			if yield != nil {
				yield(key, v)
			}
		})
		if !ok || !sorted {
			return t.damaged("block %d of %d holds entries that are malformed or out of order", i, len(t.blocks))
		}
	}
	if count != t.keyCount {
		return t.damaged("it holds %d entries, its index says %d", count, t.keyCount)
	}
	return nil
}

func wait(ctx context.Context, pace Pace, size int) error {
	if pace != nil {
		return pace(ctx, size)
	}
	return ctx.Err()
}
