package inspect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// encode writes a record as Badger does.
func encode(b []byte, meta byte, key string, revision uint64, value []byte) []byte {
	from := len(b)
	b = append(b, meta, 0)
	k := y.KeyWithTs([]byte(key), revision)
	b = binary.AppendUvarint(b, uint64(len(k)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(append(append(b, 0), k...), value...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[from:], y.CastagnoliCrcTable))
}

// encodeCommit writes a commit of n records of size bytes.
func encodeCommit(b []byte, revision uint64, n, size int) []byte {
	for i := range n {
		b = encode(b, bitTxn, fmt.Sprintf("key%d", i), revision, bytes.Repeat([]byte{'v'}, size))
	}
	return encode(b, bitFinTxn, "!badger!txn", revision, fmt.Appendf(nil, "%d", revision))
}

// TestTails judges what can be behind the last whole commit of a log.
func TestTails(t *testing.T) {
	head := make([]byte, logHeader)
	for i := range uint64(3) {
		head = encodeCommit(head, i+1, 2, 50)
	}
	last := encodeCommit(nil, 4, 6, 1000)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 { // a process is killed while it writes
		tail := last[:rng.IntN(len(last))]
		judge(t, head, tail, false)
	}
	sectors := func(lost func(int) bool) []byte { // a machine loses power before the sync
		tail := bytes.Clone(last)
		for at := -len(head) % sector; at < len(tail); at += sector {
			if lost(at) {
				clear(tail[max(at, 0):max(0, min(at+sector, len(tail)))])
			}
		}
		return tail
	}
	for range 300 {
		judge(t, head, sectors(func(int) bool { return rng.IntN(3) == 0 }), false)
	}
	for range 300 { // a bit flips, in the last commit or in one before it
		tail := bytes.Clone(last)
		first := len(encode(nil, bitTxn, "key0", 4, bytes.Repeat([]byte{'v'}, 1000)))
		tail[rng.IntN(len(tail)-first)] ^= 1 << rng.IntN(8)
		judge(t, head, tail, true)
		judge(t, head, encodeCommit(tail, 5, 1, 10), true)
	}
}

// judge writes a log and looks at it.
func judge(t *testing.T, head, tail []byte, damage bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "00001.mem")
	if err := os.WriteFile(path, append(append(bytes.Clone(head), tail...), make([]byte, 10_000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, rest, err := readLog("00001.mem", f, func(commit) {})
	if err != nil {
		t.Fatal(err)
	}
	var d *Damage
	if len(rest) > 0 {
		d = judgeTail("00001.mem", log.end, rest)
	}
	if (d != nil) != damage {
		t.Fatalf("a tail of %d bytes: %v, want damage: %v", len(tail), d, damage)
	}
}

func TestCutManifest(t *testing.T) {
	b := []byte(manifestMagic)
	var ends []int
	for id := range uint64(5) {
		b = appendChange(b, id+1)
		ends = append(ends, len(b))
	}
	for size := len(manifestMagic); size <= len(b); size++ {
		list, end, d := parseManifest(b[:size])
		whole := 0
		for whole < len(ends) && ends[whole] <= size {
			whole++
		}
		if d != nil || len(list) != whole || whole > 0 && end != ends[whole-1] {
			t.Fatalf("cut at %d of %d: %d tables up to %d, %v", size, len(b), len(list), end, d)
		}
	}
	for at := len(manifestMagic); at < ends[3]; at++ {
		bad := bytes.Clone(b)
		bad[at] ^= 2
		if list, _, d := parseManifest(bad); d == nil {
			t.Fatalf("a bit of byte %d is flipped, and it lists %d tables", at, len(list))
		}
	}
	if _, _, d := parseManifest(b[:4]); d == nil || !strings.Contains(d.Error(), "MANIFEST") {
		t.Errorf("cut in its magic: %v", d)
	}
}

func appendChange(b []byte, id uint64) []byte {
	record, err := proto.Marshal(&pb.ManifestChangeSet{Changes: []*pb.ManifestChange{{Id: id, Op: pb.ManifestChange_CREATE, Level: 1}}})
	if err != nil {
		panic(err)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(record)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(record, y.CastagnoliCrcTable))
	return append(b, record...)
}

func FuzzManifest(f *testing.F) {
	f.Add(appendChange([]byte(manifestMagic), 1))
	f.Add([]byte(manifestMagic + "\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, end, _ := parseManifest(b); end > len(b) {
			t.Errorf("it ends at %d of %d", end, len(b))
		}
	})
}

func FuzzLog(f *testing.F) {
	f.Add(encodeCommit(nil, 4, 2, 10))
	f.Add(append(encode(nil, bitTxn, "k", 1, nil), "torn"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		judgeTail("00001.mem", logHeader, b)
		if r, ok := parseRecord(b); ok && (r.size > len(b) || len(r.key) <= 8) {
			t.Errorf("a record of %d bytes in %d, key %x", r.size, len(b), r.key)
		}
	})
}

// FuzzTable opens and reads a table of any bytes.
func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x08\x00\x00\x00\x01"), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, compression uint32) {
		path := filepath.Join(t.TempDir(), "000001.sst")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		open, err := openTable(path, compression%3)
		if err != nil {
			return
		}
		defer open.close()
		_ = open.read(t.Context(), nil, nil) // it must not panic
	})
}

// FuzzBlock reads the entries of a block of any bytes, its checksum left out.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("\x00\x00\x09\x00012345678\x00\x00\x00"), []byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data, offsets []byte) {
		b := block{data, offsets[:len(offsets)/4*4]}
		b.entries(func(key []byte, _ y.ValueStruct) {
			if len(key) <= 8 {
				t.Errorf("key %x", key)
			}
		})
	})
}
