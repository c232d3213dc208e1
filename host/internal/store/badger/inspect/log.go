package inspect

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"

	"github.com/dgraph-io/badger/v4/y"
)

// A log is a header of 20 bytes, whose first 8 are the id of a key (0: none),
// then records, then zeros. The records of a commit carry its revision and
// bitTxn; one with bitFinTxn ends it. A commit is synced before the next is
// written: whatever a crash tears is of one commit, the last.
const (
	logHeader = 20
	maxKey    = 1 << 16
	maxValue  = 1 << 20
	maxTail   = 16 << 20 // above what a commit takes: a batch of Badger's is 15 % of a log

	bitDelete = 1 << 0
	bitTxn    = 1 << 6
	bitFinTxn = 1 << 7
)

// record is an entry of a log.
type record struct {
	meta       byte
	key, value []byte // the key with its revision
	size       int    // in the log
}

func (r record) revision() uint64 { return y.ParseTs(r.key) }

// parseRecord returns the record that b begins with, if it is whole. Zeros are
// none.
func parseRecord(b []byte) (r record, ok bool) {
	at, klen, size := measure(b)
	if size == 0 {
		return r, false
	}
	end := size - crc32.Size
	if crc32.Checksum(b[:end], y.CastagnoliCrcTable) != binary.BigEndian.Uint32(b[end:]) {
		return r, false
	}
	return record{b[0], b[at : at+klen], b[at+klen : end], size}, true
}

// measure returns where the key of the record that b begins with is, how long it
// is, and the size of all of it; a size of 0: there cannot be a record.
func measure(b []byte) (at, klen, size int) {
	if len(b) < 5 {
		return 0, 0, 0
	}
	at = 2
	var lengths [3]uint64 // of key and value, and a time that is not used, as b[1] is not
	for i := range lengths {
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			return 0, 0, 0
		}
		lengths[i], at = v, at+n
	}
	if b[1] != 0 || lengths[2] != 0 || lengths[0] <= 8 || lengths[0] > maxKey || lengths[1] > maxValue {
		return 0, 0, 0
	}
	size = at + int(lengths[0]+lengths[1]) + crc32.Size
	if size > len(b) {
		return 0, 0, 0
	}
	return at, int(lengths[0]), size
}

// commit is the records of one commit in a log.
type commit struct {
	revision uint64
	records  []record
}

// memoryLog is a log as it was read.
type memoryLog struct {
	name string
	size int64
	end  int64 // of the last whole commit
}

// memoryLogs reads the logs in order and checks that none is missing between
// them, or between them and the tables.
func (l *look) memoryLogs() {
	keep := false
	for id := range l.tables {
		if _, listed := l.list[id]; !listed {
			keep = true // to compare the table with
		}
	}
	for _, id := range l.mems {
		l.memoryLog(fmt.Sprintf("%05d.mem", id), keep)
	}
}

func (l *look) memoryLog(name string, keep bool) {
	f, err := os.Open(l.path(name))
	if err != nil {
		l.found(AsDamage(name, err))
		return
	}
	defer f.Close() //nolint:errcheck // nothing was written
	commits := 0
	log, tail, err := readLog(name, f, func(c commit) {
		commits++
		l.followed(name, c)
		if keep {
			for _, r := range c.records {
				l.records = append(l.records, record{meta: r.meta, key: r.key})
			}
		}
	})
	if err != nil {
		l.found(AsDamage(name, err))
		return
	}
	state := fmt.Sprintf("%d commits", commits)
	if len(tail) > 0 {
		if d := judgeTail(name, log.end, tail); d != nil {
			l.found(d)
			return
		}
		state += fmt.Sprintf(", then %d bytes of one that a crash tore", len(tail))
	}
	l.note(name, log.size, "%s", state)
}

// followed notes a commit and checks that the one before it is here too.
func (l *look) followed(name string, c commit) {
	if l.Before != nil {
		for _, r := range c.records {
			before, ok := l.Before(y.ParseKey(r.key), r.value)
			if ok && before > l.Newest {
				l.found(damaged(name, "commit %d follows commit %d, and %d is the newest found before it: a log or a table is missing", c.revision, before, l.Newest))
				break
			}
		}
	}
	l.Newest = max(l.Newest, c.revision)
}

// readLog calls yield for each whole commit and returns the bytes after the
// last one up to the last that is not zero.
func readLog(name string, f *os.File, yield func(commit)) (log memoryLog, tail []byte, err error) {
	st, err := f.Stat()
	if err != nil {
		return log, nil, err
	}
	log = memoryLog{name: name, size: st.Size(), end: logHeader}
	if log.size == 0 {
		return log, nil, nil // a crash came between making and sizing it
	}
	in := bufio.NewReaderSize(f, 1<<20)
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(in, header); err != nil {
		return log, nil, damaged(name, "it is cut within its header of %d bytes", logHeader)
	}
	if binary.BigEndian.Uint64(header) != 0 {
		return log, nil, damaged(name, "its header is damaged: it names a key, and there are none")
	}
	if err := log.readCommits(in, yield); err != nil {
		return log, nil, err
	}
	tail, err = readTail(f, log.end)
	return log, tail, err
}

// readCommits moves log.end to the end of the last whole commit.
func (log *memoryLog) readCommits(in *bufio.Reader, yield func(commit)) error {
	var c commit
	at := log.end
	for {
		r, err := readRecord(in)
		if err != nil || r.size == 0 {
			return err
		}
		at += int64(r.size)
		switch {
		case r.meta&bitFinTxn != 0:
			if n, err := strconv.ParseUint(string(r.value), 10, 64); err != nil || n != c.revision || len(c.records) == 0 {
				return nil
			}
			yield(c)
			c, log.end = commit{}, at
		case r.meta&bitTxn == 0, len(c.records) > 0 && r.revision() != c.revision:
			return nil
		default:
			c.revision = r.revision()
			c.records = append(c.records, r)
		}
	}
}

// readRecord reads a record; one of size 0 says that there is no whole one.
func readRecord(in *bufio.Reader) (record, error) {
	head, err := in.Peek(2 + 3*binary.MaxVarintLen64)
	if err != nil && !errors.Is(err, io.EOF) {
		return record{}, err
	}
	if len(head) < 5 {
		return record{}, nil
	}
	klen, n := binary.Uvarint(head[2:])
	if n <= 0 || klen > maxKey {
		return record{}, nil
	}
	vlen, m := binary.Uvarint(head[2+n:])
	if m <= 0 || vlen > maxValue {
		return record{}, nil
	}
	_, k := binary.Uvarint(head[2+n+m:])
	if k <= 0 {
		return record{}, nil
	}
	b := make([]byte, 2+n+m+k+int(klen+vlen)+crc32.Size)
	if _, err := io.ReadFull(in, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return record{}, err
	}
	r, _ := parseRecord(b)
	return r, nil
}

// readTail returns what follows at from, without the zeros at its end.
func readTail(f *os.File, from int64) ([]byte, error) {
	in := io.NewSectionReader(f, from, 1<<62)
	piece := make([]byte, 1<<20)
	var tail []byte
	zeros := 0
	for {
		n, err := io.ReadFull(in, piece)
		if trimmed := bytes.TrimRight(piece[:n], "\x00"); len(trimmed) > 0 {
			if len(tail)+zeros > maxTail {
				zeros = maxTail // the rest is judged without them
			}
			tail = append(append(tail, make([]byte, zeros)...), trimmed...)
			zeros = n - len(trimmed)
		} else {
			zeros += n
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), len(tail) > maxTail: // more is no commit
			return tail, nil
		case err != nil:
			return nil, err
		}
	}
}

// judgeTail tells whether a crash left the tail that begins at from. A killed
// process leaves the first records of one commit, and of the last of them a
// part. A machine that loses power leaves any of the sectors of one commit, and
// zeros for the others. Nothing else is a crash.
func judgeTail(name string, from int64, tail []byte) *Damage {
	if len(tail) > maxTail {
		return damaged(name, "after the last whole commit, at %d, follow %d bytes, and no commit takes that many", from, len(tail))
	}
	var revision uint64
	end, torn, finished := 0, false, false // end is that of the last whole record
	summed := 0
	for at := 0; at < len(tail); {
		if tail[at]&(bitTxn|bitFinTxn) == 0 {
			at++
			continue
		}
		_, _, size := measure(tail[at:])
		if summed += size; summed > maxSummed {
			return damaged(name, "what follows the last whole commit, at %d, is no commit", from)
		}
		r, ok := parseRecord(tail[at:])
		if !ok {
			at++
			continue
		}
		if at > end {
			torn = true
		}
		switch {
		case at > end && !zeroSector(from, tail, end, at):
			return damaged(name, "what is at %d is damaged: the whole record at %d shows that no crash tore it", from+int64(end), from+int64(at))
		case revision != 0 && r.revision() != revision:
			return damaged(name, "commit %d, at %d, is damaged: whole records of commit %d follow at %d", revision, from, r.revision(), from+int64(at))
		}
		revision, finished = r.revision(), finished || r.meta&bitFinTxn != 0
		at += r.size
		end = at
	}
	if finished && !torn {
		return damaged(name, "the records at %d are whole, and do not belong there", from)
	}
	return nil
}

// sector is the least that a disk writes.
const sector = 512

// zeroSector reports whether a sector that touches tail[low:high] is all zeros,
// as far as it lies in the tail, which begins at from in its file.
func zeroSector(from int64, tail []byte, low, high int) bool {
	for at := (from + int64(low)) / sector * sector; at < from+int64(high); at += sector {
		a, b := max(at-from, 0), min(at+sector-from, int64(len(tail)))
		if len(bytes.Trim(tail[a:b], "\x00")) == 0 {
			return true
		}
	}
	return false
}

// valueLogs looks at the value logs. The store puts nothing into them, so that
// one that is missing is no loss.
func (l *look) valueLogs() {
	for _, name := range l.values {
		f, err := os.Open(l.path(name))
		if err != nil {
			l.found(AsDamage(name, err))
			continue
		}
		l.valueLog(name, f)
		_ = f.Close() // nothing was written
	}
}

func (l *look) valueLog(name string, f *os.File) {
	log, tail, err := readLog(name, f, func(commit) {})
	switch {
	case err != nil:
		l.found(AsDamage(name, err))
	case len(tail) > 0 || log.end > logHeader:
		l.found(damaged(name, "it holds data at %d, and nothing is ever written to it", log.end))
	default:
		l.note(name, log.size, "empty, as always")
	}
}
