package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// EncodingVersion is the first byte of an encoded commit.
const EncodingVersion = 3

// MaxCommit bounds the encoding of a commit, in bytes: what MaxEffectBytes,
// MaxRecordBytes and the bounds of a read set add up to, with what surrounds it.
const MaxCommit = 256 << 20

// AppendCommit appends the encoding of a decided commit: the effects and the
// revision they got. Everything that decides about them again, in the same way,
// is in it.
//
//	u8       EncodingVersion
//	uvarint  revision, the revision that was read
//	i64      now, Unix nanoseconds, little-endian
//	list     of parts:
//	  uvarint  space with its area, quota in keys, in bytes
//	  list     of key spaces that share a bound: uvarint; and if there is one, bytes
//	           name of the bound, uvarint in bytes
//	  list     of keys read: bytes
//	  list     of intervals read: bytes from, u8 1 and bytes to, or u8 0
//	  list     of ops, of those with a stamp in the key, and of records:
//	    u8       kind
//	    bytes    key; with a stamp in it, uvarint KeyStamp
//	    set:     varint expiry in Unix ms, uvarint ValueStamp, bytes data; add: varint delta
//
// A list is a uvarint count and its items; bytes are a uvarint length and the
// bytes. Varints are those of encoding/binary in their shortest form, so that a
// commit has one encoding.
func AppendCommit(b []byte, revision Revision, e *Effects) []byte {
	b = append(b, EncodingVersion)
	b = binary.AppendUvarint(b, uint64(revision))
	b = binary.AppendUvarint(b, uint64(e.Read))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Now.UnixNano()))
	b = binary.AppendUvarint(b, uint64(len(e.Parts)))
	for i := range e.Parts {
		b = e.Parts[i].append(b)
	}
	return b
}

func (p *Part) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.Space))
	b = binary.AppendUvarint(b, uint64(p.Quota.Keys))
	b = binary.AppendUvarint(b, uint64(p.Quota.Bytes))
	b = p.Quota.Shared.append(b)
	b = binary.AppendUvarint(b, uint64(len(p.Keys)))
	for _, key := range p.Keys {
		b = appendBytes(b, key)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Ranges)))
	for _, r := range p.Ranges {
		b = appendBytes(b, r.From)
		if r.To == nil {
			b = append(b, 0)
		} else {
			b = appendBytes(append(b, 1), r.To)
		}
	}
	return appendOps(appendOps(appendOps(b, p.Ops, false), p.Stamped, true), p.Records, false)
}

func (s *Shared) append(b []byte) []byte {
	if s == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Spaces)))
	for _, space := range s.Spaces {
		b = binary.AppendUvarint(b, uint64(space))
	}
	return binary.AppendUvarint(appendBytes(b, []byte(s.Name)), uint64(s.Bytes))
}

func appendOps(b []byte, ops []Op, stamped bool) []byte {
	b = binary.AppendUvarint(b, uint64(len(ops)))
	for i := range ops {
		op := &ops[i]
		b = appendBytes(append(b, byte(op.Kind)), op.Key)
		if stamped {
			b = binary.AppendUvarint(b, uint64(op.KeyStamp))
		}
		switch op.Kind {
		case OpSet:
			b = binary.AppendUvarint(binary.AppendVarint(b, op.Value.Expires), uint64(op.ValueStamp))
			b = appendBytes(b, op.Value.Data)
		case OpAdd:
			b = binary.AppendVarint(b, op.Delta)
		}
	}
	return b
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// DecodeCommit reads what AppendCommit wrote, sharing its memory. Errors: Invalid
// (malformed, or of another version), TooLarge (over the bounds of a commit).
func DecodeCommit(b []byte) (Revision, *Effects, error) {
	if len(b) > MaxCommit {
		return 0, nil, tooLarge(fmt.Sprintf("%d bytes, at most %d", len(b), MaxCommit))
	}
	if len(b) == 0 || b[0] != EncodingVersion {
		return 0, nil, fault.New(fault.Invalid, "decode commit", fmt.Sprintf("it does not begin with version %d of the encoding", EncodingVersion))
	}
	d := &decoder{b: b[1:]}
	revision := Revision(d.uvarint())
	e := &Effects{Read: Revision(d.uvarint()), Now: time.Unix(0, int64(d.u64())).UTC()}
	if n := d.count(MaxParts); n > 0 {
		e.Parts = make([]Part, n)
	}
	for i := range e.Parts {
		d.part(&e.Parts[i])
	}
	if d.bad || len(d.b) > 0 {
		return 0, nil, fault.New(fault.Invalid, "decode commit", "it is malformed")
	}
	return revision, e, e.Check()
}

// decoder takes values off the front of b. Once something is bad, all that
// follows is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) part(p *Part) {
	p.Space = Space(d.uvarint())
	p.Quota = Quota{Keys: d.size(), Bytes: d.size(), Shared: d.shared()}
	if n := d.count(maxReadKeys); n > 0 {
		p.Keys = make([][]byte, n)
	}
	for i := range p.Keys {
		p.Keys[i] = d.bytes(MaxKey)
	}
	if n := d.count(maxReadRanges); n > 0 {
		p.Ranges = make([]Range, n)
	}
	for i := range p.Ranges {
		r := &p.Ranges[i]
		r.From = d.bytes(MaxKey + 1)
		if d.u8(1) == 1 {
			r.To = d.bytes(MaxKey + 1)
		}
	}
	p.Ops, p.Stamped, p.Records = d.ops(MaxEffectOps, false), d.ops(MaxStamped, true), d.ops(MaxRecords, false)
}

func (d *decoder) shared() *Shared {
	n := d.count(MaxShared)
	if n == 0 {
		return nil
	}
	s := &Shared{Spaces: make([]Space, n)}
	for i := range s.Spaces {
		s.Spaces[i] = Space(d.uvarint())
	}
	s.Name, s.Bytes = string(d.bytes(MaxKey)), d.size()
	return s
}

func (d *decoder) ops(most int, stamped bool) (ops []Op) {
	if n := d.count(most); n > 0 {
		ops = make([]Op, n)
	}
	for i := range ops {
		op := &ops[i]
		op.Kind = OpKind(d.u8(byte(OpAdd)))
		op.Key = d.bytes(MaxKey)
		if stamped {
			op.KeyStamp = d.stamp()
		}
		switch op.Kind {
		case OpSet:
			op.Value.Expires = d.varint()
			op.ValueStamp = d.stamp()
			op.Value.Data = d.bytes(MaxValue)
		case OpAdd:
			op.Delta = d.varint()
		}
	}
	return ops
}

// fail makes the rest zero.
func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

// u8 reads a byte up to most.
func (d *decoder) u8(most byte) byte {
	if len(d.b) == 0 || d.b[0] > most {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) u64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // a last byte of zero adds nothing
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) stamp() Stamp {
	v := d.uvarint()
	if v > math.MaxUint32 {
		d.fail()
		return 0
	}
	return Stamp(v)
}

// size reads a number that is not negative.
func (d *decoder) size() int64 {
	v := d.uvarint()
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return int64(v)
}

// count reads how many items follow, each of which takes a byte or more.
func (d *decoder) count(most int) int {
	n := d.uvarint()
	if n > uint64(most) || n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes(most int) []byte {
	n := d.count(most)
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}
