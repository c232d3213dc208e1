package inspect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"slices"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/y"
)

// unlisted judges the tables that MANIFEST does not list. A flush keeps its log,
// and a compaction its inputs, until MANIFEST with their outcome is synced; then
// the inputs are deleted. What a crash leaves can be left out without a change
// of any key: what it says of a key is said by a listed table or a log, or is
// overtaken there, or is that the key is deleted, and it is not there either.
func (l *look) unlisted() {
	var ids []uint64
	for id := range l.tables {
		if _, listed := l.list[id]; !listed {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 || len(l.Damage) > 0 { // what is damaged cannot be compared with
		return
	}
	slices.Sort(ids)
	var orphans []Table
	for _, id := range ids {
		t, err := l.readUnlisted(tableName(id))
		switch {
		case err == nil:
			orphans = append(orphans, t)
		case halfWritten(l.path(t.Name)):
			l.Debris = append(l.Debris, t.Name)
			l.note(t.Name, t.Bytes, "not listed, and never written to its end: debris of a crash")
		default:
			l.found(damaged(t.Name, "MANIFEST does not list this table, and whether it is debris of a crash cannot be told: %v", err))
		}
	}
	if len(l.Damage) == 0 {
		l.compare(orphans)
	}
}

// readUnlisted verifies a table about which nothing is known: neither is how it
// is compressed.
func (l *look) readUnlisted(name string) (t Table, err error) {
	t = Table{Name: name}
	if st, err := os.Stat(l.path(name)); err == nil {
		t.Bytes = st.Size()
	}
	for _, c := range []options.CompressionType{options.None, options.Snappy} {
		t.compression = uint32(c)
		if err = t.Read(context.Background(), l.Dir, nil, nil); err == nil {
			break
		}
	}
	return t, err
}

// halfWritten reports whether a table lacks what is written last, or has a hole:
// Badger gives the file its size, then fills it from the front.
func halfWritten(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b := make([]byte, 64<<10)
	for size := 0; ; {
		n, err := io.ReadFull(f, b)
		size += n
		for at := 0; at < n; at += sector {
			if len(bytes.Trim(b[at:min(at+sector, n)], "\x00")) == 0 {
				return true
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return size == 0 || n >= 4 && bytes.Equal(b[n-4:n], make([]byte, 4))
		case err != nil:
			return false
		}
	}
}

// compare refuses orphans that cannot be left out.
func (l *look) compare(orphans []Table) {
	for _, t := range orphans {
		missing, err := l.missing(t, orphans)
		switch {
		case err != nil:
			l.found(AsDamage(t.Name, err))
		case missing > 0:
			l.found(damaged(t.Name, "MANIFEST does not list this table, and what it says of %d keys is nowhere else: MANIFEST was cut, or replaced by an older one", missing))
		default:
			l.Debris = append(l.Debris, t.Name)
			l.note(t.Name, t.Bytes, "not listed, and nothing in it is missing elsewhere: debris of a crash")
		}
	}
}

// missing counts the keys of t that would change if orphans were left out.
func (l *look) missing(t Table, orphans []Table) (missing int, err error) {
	here, others := l.cursors(l.Tables), l.cursors(orphans)
	defer closeAll(here, others)
	slices.SortFunc(l.records, func(a, b record) int { return y.CompareKeys(a.key, b.key) })
	here = append(here, &cursor{entries: l.records})
	var last []byte
	failed := t.Read(context.Background(), l.Dir, nil, func(key []byte, v y.ValueStruct) {
		if err != nil || bytes.Equal(y.ParseKey(key), last) {
			return
		}
		last = append(last[:0], y.ParseKey(key)...)
		var newest, there state
		if newest, err = newestOf(others, last); err != nil {
			return
		}
		there, err = newestOf(here, last)
		if y.ParseTs(key) == newest.revision && there.lacks(newest) {
			missing++
		}
	})
	return missing, errors.Join(failed, err)
}

// state is the newest that is known of a key; the zero value is that nothing is.
type state struct {
	revision uint64
	live     bool
}

// lacks reports whether a key with state s should have the state other.
func (s state) lacks(other state) bool {
	if s.revision >= other.revision {
		return false
	}
	return other.live || s.live
}

func newestOf(cursors []*cursor, key []byte) (newest state, err error) {
	for _, c := range cursors {
		s, err := c.newest(key)
		if err != nil {
			return newest, err
		}
		if s.revision > newest.revision {
			newest = s
		}
	}
	return newest, nil
}

// cursor walks a table, or the entries of logs, in step with questions in order.
type cursor struct {
	dir     string
	of      Table
	table   *table // once it is open
	next    int    // the block after the one that is read
	entries []record
}

func (l *look) cursors(tables []Table) (all []*cursor) {
	for _, t := range tables {
		all = append(all, &cursor{dir: l.Dir, of: t})
	}
	return all
}

func closeAll(lists ...[]*cursor) {
	for _, c := range slices.Concat(lists...) {
		if c.table != nil {
			c.table.close()
		}
	}
}

// newest returns the newest state of a key.
func (c *cursor) newest(key []byte) (state, error) {
	from := y.KeyWithTs(key, math.MaxUint64)
	for {
		for len(c.entries) > 0 && y.CompareKeys(c.entries[0].key, from) < 0 {
			c.entries = c.entries[1:]
		}
		if len(c.entries) > 0 {
			e := c.entries[0]
			if !y.SameKey(e.key, from) {
				return state{}, nil
			}
			return state{e.revision(), e.meta&bitDelete == 0}, nil
		}
		if more, err := c.advance(from); !more || err != nil {
			return state{}, err
		}
	}
}

// advance reads the next block that may hold what follows from; false: none does.
func (c *cursor) advance(from []byte) (bool, error) {
	if c.of.Name == "" {
		return false, nil // a log
	}
	if c.table == nil {
		t, err := openTable(c.dir+string(os.PathSeparator)+c.of.Name, c.of.compression)
		if err != nil {
			return false, err
		}
		c.table = t
	}
	t := c.table
	for c.next+1 < len(t.blocks) && y.CompareKeys(t.blocks[c.next+1].first, from) <= 0 {
		c.next++
	}
	if c.next >= len(t.blocks) {
		return false, nil
	}
	b, err := t.readBlock(c.next)
	if err != nil {
		return false, err
	}
	c.next++
	ok := b.entries(func(key []byte, v y.ValueStruct) {
		c.entries = append(c.entries, record{meta: v.Meta, key: bytes.Clone(key)})
	})
	if !ok {
		return false, t.badBlock(c.next - 1)
	}
	return true, nil
}
