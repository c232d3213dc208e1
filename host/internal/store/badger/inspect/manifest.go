package inspect

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// tableEntry is what MANIFEST says about a table.
type tableEntry struct {
	level       uint32
	compression uint32
}

const (
	manifestMagic = "Bdgr\x00\x00\x00\x08" // external version 0, Badger's 8
	frameHeader   = 8                      // length and checksum of a record
	// maxManifest is far above any: it is written anew once most of it is old.
	maxManifest = 256 << 20
	// maxSummed bounds the work of looking for whole records after a torn one.
	maxSummed = 256 << 20
)

// manifest reads MANIFEST. Without one, files it would list are orphans.
func (l *look) manifest() {
	const name = badger.ManifestFilename
	st, err := os.Stat(l.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		if len(l.tables)+len(l.mems)+len(l.values) > 0 {
			l.found(damaged(name, "it is missing, and there are tables or logs that it would list"))
		}
		return
	}
	if err == nil && st.Size() > maxManifest {
		l.found(damaged(name, "it has %d bytes, no MANIFEST gets that long", st.Size()))
		return
	}
	b, err := os.ReadFile(l.path(name))
	if err != nil {
		l.found(AsDamage(name, err))
		return
	}
	list, end, d := parseManifest(b)
	l.list, l.Manifest, l.Torn = list, int64(end), end < len(b)
	switch {
	case d != nil:
		l.found(d)
	case l.Torn:
		l.note(name, st.Size(), "lists %d tables; its last %d bytes are a torn record", len(list), len(b)-end)
	default:
		l.note(name, st.Size(), "lists %d tables", len(list))
	}
}

// parseManifest applies the records of a MANIFEST up to the first that is not
// whole, which starts at end. Whole ones after it are damage.
func parseManifest(b []byte) (list map[uint64]tableEntry, end int, d *Damage) {
	const name = badger.ManifestFilename
	list = make(map[uint64]tableEntry)
	if len(b) < len(manifestMagic) || string(b[:len(manifestMagic)]) != manifestMagic {
		return list, 0, damaged(name, "it does not begin like a MANIFEST")
	}
	end = len(manifestMagic)
	for end < len(b) {
		record, ok := frame(b[end:])
		if !ok {
			break
		}
		var set pb.ManifestChangeSet
		if proto.Unmarshal(record, &set) != nil || !apply(list, &set) {
			return list, end, damaged(name, "the record at %d does not follow from those before", end)
		}
		end += frameHeader + len(record)
	}
	if at := wholeFrame(b, end+1); at > 0 {
		return list, end, damaged(name, "the record at %d is damaged: a whole one follows at %d, so that no crash tore it", end, at)
	}
	return list, end, nil
}

// frame returns the record that b begins with, if it is whole.
func frame(b []byte) (record []byte, ok bool) {
	if len(b) < frameHeader {
		return nil, false
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n > int64(len(b)-frameHeader) {
		return nil, false
	}
	record = b[frameHeader : frameHeader+n]
	return record, crc32.Checksum(record, y.CastagnoliCrcTable) == binary.BigEndian.Uint32(b[4:])
}

// wholeFrame returns where from at on a record that changes something begins, 0
// if none does.
func wholeFrame(b []byte, at int) int {
	for summed := 0; at < len(b) && len(b)-at >= frameHeader; at++ {
		if summed >= maxSummed {
			return at // what looks so much like records is no record that a crash cut
		}
		if n := binary.BigEndian.Uint32(b[at:]); n == 0 || int64(n) > int64(len(b)-at-frameHeader) {
			continue
		}
		record, ok := frame(b[at:])
		summed += frameHeader + len(record)
		var set pb.ManifestChangeSet
		if ok && proto.Unmarshal(record, &set) == nil && len(set.Changes) > 0 {
			return at
		}
	}
	return 0
}

func apply(list map[uint64]tableEntry, set *pb.ManifestChangeSet) bool {
	for _, c := range set.Changes {
		_, listed := list[c.Id]
		switch c.Op {
		case pb.ManifestChange_CREATE:
			if listed || c.Level >= 64 {
				return false
			}
			list[c.Id] = tableEntry{c.Level, c.Compression}
		case pb.ManifestChange_DELETE:
			delete(list, c.Id)
		default:
			return false
		}
	}
	return true
}
