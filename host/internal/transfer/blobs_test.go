package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capability/blobs"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
	"github.com/wasmoor/wasmoor/host/internal/transfer"
)

// keep has a plugin name bytes.
func (w *world) keep(plugin, name string, data []byte) {
	w.Helper()
	held, err := w.blobs.Put(w.Context(), blob.Account{}, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		w.Fatal(err)
	}
	defer held.Release()
	w.names(plugin, func(part *store.Tx) error {
		r := names.Record{Digest: held.Digest, Size: held.Size, Type: "text/plain"}
		_, _, err := names.Put(part, []byte(name), &r, names.Quota{Count: 100, Bytes: 1 << 30})
		return err
	})
}

// names changes the names of a plugin.
func (w *world) names(name string, change func(part *store.Tx) error) {
	w.Helper()
	_, err := w.registry.ChangeKeys(w.Context(), name, func(tx *store.Tx) (plugin.Event, error) {
		p, err := w.registry.Plugin(w.Context(), name)
		if err == nil {
			err = change(names.Part(tx, store.Space(p.Keys())))
		}
		return plugin.Event{Action: plugin.ActionKVPut, Plugin: name}, err
	})
	if err != nil {
		w.Fatal(err)
	}
}

// kept returns what the blobs of a plugin hold by their names.
func (w *world) kept(name string) map[string]string {
	w.Helper()
	p, err := w.registry.Plugin(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	snap, err := w.store.Snapshot()
	if err != nil {
		w.Fatal(err)
	}
	defer snap.Release()
	kept := map[string]string{}
	err = snap.Scan(store.Space(p.Keys()).In(store.AreaBlobs), []byte{}, nil, false, func(key []byte, v store.Value) bool {
		r, named, err := names.Decode(key, v.Data)
		if !named {
			return true
		}
		name := string(key[1:])
		data, wrong := w.read(r.Digest)
		kept[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		if err = errors.Join(err, wrong); err != nil {
			kept[name] = err.Error()
		}
		return true
	})
	if err != nil {
		w.Fatal(err)
	}
	return kept
}

func (w *world) read(d blob.Digest) ([]byte, error) {
	r, err := w.blobs.Open(w.Context(), d, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// sweep sweeps as if no name were durable and all blobs were old.
func (w *world) sweep() blob.Swept {
	w.Helper()
	s, err := w.blobs.Sweep(w.Context(), func(func(blob.Digest, error) bool) {}, time.Now().Add(time.Hour))
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// noise is bytes that are no text and do not get smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// fillBlobs gives a plugin blobs of all kinds of sizes, one under two names.
func (w *world) fillBlobs(name string) {
	w.Helper()
	for _, n := range []int{0, 1, 1 << 20, 5<<19 + 3} {
		w.keep(name, fmt.Sprint("blob/", n), noise(n))
	}
	w.keep(name, "again", noise(1<<20))
}

// TestBlobsComeOutAndIn: on a server that has none of them, and on the same one.
func TestBlobsComeOutAndIn(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.fillBlobs("shop")
	data, want := w.archive("shop"), w.kept("shop")
	if len(want) != 5 || len(data) > 4<<20 {
		t.Fatalf("%d blobs in %d bytes", len(want), len(data))
	}
	const values, pieces = 5 + 2, 1 + 1 + 1 + 3
	if info, err := transfer.Verify(bytes.NewReader(data)); err != nil || info.Entries != values+pieces {
		t.Errorf("%d entries, want %d, %v", info.Entries, values+pieces, err)
	}
	fresh := newWorld(t, "shop")
	swept := blob.Swept{}
	fresh.before = func() { swept = fresh.sweep() }
	if _, err := fresh.bring("shop", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if swept.Removed != 0 || swept.Blobs != 4 {
		t.Errorf("a sweep before the switch: %+v", swept)
	}
	if diff := cmp.Diff(want, fresh.kept("shop")); diff != "" {
		t.Error(diff)
	}
	if _, err := w.bring("other", bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, w.kept("other")); diff != "" {
		t.Error(diff)
	}
	for _, on := range []*world{w, fresh} {
		if s := on.sweep(); s.Removed != 4 {
			t.Errorf("something is held for ever: %+v", s)
		}
	}
}

// TestACopyHoldsBlobs: whatever becomes of the original meanwhile.
func TestACopyHoldsBlobs(t *testing.T) {
	w := newWorld(t, "shop", "staging")
	w.fillBlobs("shop")
	want := w.kept("shop")
	w.before = func() {
		w.names("shop", func(part *store.Tx) error { _, _, err := names.Delete(part, []byte("blob/1")); return err })
		if s := w.sweep(); s.Removed != 0 {
			t.Errorf("a sweep before the switch: %+v", s)
		}
	}
	if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop"}, "staging", "ann"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.kept("staging")); diff != "" {
		t.Error(diff)
	}
	if s := w.sweep(); s.Removed != 4 {
		t.Errorf("something is held for ever: %+v", s)
	}
	w.before = nil
	if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop", Replace: true}, "staging", "ann"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a copy of names whose bytes are gone: %v", err)
	}
}

// TestBlobsThatFailChangeNothing: each part of an archive with blobs counts.
func TestBlobsThatFailChangeNothing(t *testing.T) {
	w := newWorld(t, "shop")
	w.fillBlobs("shop")
	data := w.archive("shop")
	fresh := newWorld(t, "other")
	fresh.put("other", store.AreaKV, "mine", "1", 0)
	before := fresh.all("other")
	for i := 0; i < len(data); i += max(len(data)/30, 1) {
		flipped := bytes.Clone(data)
		flipped[i] ^= 4
		for what, r := range map[string][]byte{"a bit": flipped, "cut": data[:i]} {
			if _, err := fresh.bring("other", bytes.NewReader(r), replacing); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%s at %d: %v", what, i, err)
			}
		}
	}
	if diff := cmp.Diff(before, fresh.all("other")); diff != "" {
		t.Error(diff)
	}
	if s := fresh.sweep(); s.Blobs != 0 {
		t.Errorf("after a sweep there are %d blobs", s.Blobs)
	}
	if left, err := os.ReadDir(filepath.Join(fresh.blobs.String(), ".new")); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

// crafted is an archive that is whole, of entries that somebody made up.
func crafted(t *testing.T, entries ...stream.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	a, err := archive.NewWriter(&b, archive.Header{Plugin: "shop", Layout: 1, ABI: 1})
	if err == nil {
		err = a.Store(func(w io.Writer) error {
			to := stream.NewWriter(w)
			err := to.Write(stream.Group{Revision: 1, Entries: func(yield func(stream.Entry, error) bool) {
				for _, e := range entries {
					if !yield(e, nil) {
						return
					}
				}
			}})
			if err != nil {
				return err
			}
			return to.Close()
		})
	}
	if err == nil {
		_, err = a.Finish(1, int64(len(entries)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// nameEntry says that a name has a blob of some text.
func nameEntry(name, text string, size int64) stream.Entry {
	sum := sha256.Sum256([]byte(text))
	value := append([]byte{0, 1}, sum[:]...) // does not expire; format
	value = binary.BigEndian.AppendUint64(value, uint64(size))
	return stream.Entry{Key: append([]byte{1, byte(store.AreaBlobs), 'n'}, name...), Value: append(value, make([]byte, 9)...)}
}

// pieceEntry is bytes of the blob of a text.
func pieceEntry(text string, offset uint64, data string) stream.Entry {
	sum := sha256.Sum256([]byte(text))
	return stream.Entry{Key: binary.BigEndian.AppendUint64(append([]byte{2}, sum[:]...), offset), Value: []byte(data)}
}

// TestForgedBlobs: archives whose sums are right, and whose blobs are not.
func TestForgedBlobs(t *testing.T) {
	w := newWorld(t, "shop")
	a := nameEntry("a", "hello", 5)
	for _, c := range []struct {
		name    string
		code    fault.Code
		entries []stream.Entry
	}{
		{"whole", "", []stream.Entry{a, pieceEntry("hello", 0, "hel"), pieceEntry("hello", 3, "lo")}},
		{"other bytes", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hullo")}},
		{"too many bytes", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hello!")}},
		{"too few bytes", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hel")}},
		{"a gap", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hel"), pieceEntry("hello", 4, "o")}},
		{"no begin", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 3, "lo")}},
		{"a piece of nothing", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hel"), pieceEntry("hello", 3, ""), pieceEntry("hello", 3, "lo")}},
		{"twice", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hello"), pieceEntry("hello", 0, "hello")}},
		{"mixed up", fault.Invalid, []stream.Entry{a, nameEntry("b", "world", 5), pieceEntry("hello", 0, "hel"), pieceEntry("world", 0, "world"), pieceEntry("hello", 3, "lo")}},
		{"bytes that nothing names", fault.Invalid, []stream.Entry{a, pieceEntry("world", 0, "world")}},
		{"bytes before their name", fault.Invalid, []stream.Entry{pieceEntry("hello", 0, "hello"), a}},
		{"a name after bytes", fault.Invalid, []stream.Entry{a, pieceEntry("hello", 0, "hello"), nameEntry("b", "hello", 5)}},
		{"a short key", fault.Invalid, []stream.Entry{a, {Key: []byte{2, 1}, Value: []byte("x")}}},
		{"two sizes", fault.Invalid, []stream.Entry{a, nameEntry("b", "hello", 6), pieceEntry("hello", 0, "hello")}},
		{"a size below 0", fault.Invalid, []stream.Entry{nameEntry("a", "hello", -5)}},
		{"a huge size", fault.Exhausted, []stream.Entry{nameEntry("a", "hello", 1<<62)}},
		{"huge sizes", fault.Exhausted, []stream.Entry{nameEntry("a", "hello", 1<<30), nameEntry("b", "world", 1<<30)}},
		{"a damaged name", fault.Invalid, []stream.Entry{{Key: a.Key, Value: a.Value[:20]}}},
		{"no bytes", fault.Conflict, []stream.Entry{nameEntry("a", "elsewhere", 9)}},
	} {
		_, err := w.bring("shop", bytes.NewReader(crafted(t, c.entries...)), replacing)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
		if got := w.kept("shop"); len(got) != 1 || got["a"] != fmt.Sprintf("%x", sha256.Sum256([]byte("hello"))) {
			t.Fatalf("%s: the plugin has %v", c.name, got)
		}
	}
}

// TestNamesWithoutBytes are taken where the bytes are, as an archive of before had them.
func TestNamesWithoutBytes(t *testing.T) {
	w := newWorld(t, "shop")
	data := crafted(t, nameEntry("a", "hello", 5))
	if _, err := w.bring("shop", bytes.NewReader(data)); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "names 1 blobs") {
		t.Errorf("without bytes: %v", err)
	}
	held, err := w.blobs.Put(t.Context(), blob.Account{}, strings.NewReader("hello"), 5)
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	if _, err := w.bring("shop", bytes.NewReader(data)); err != nil {
		t.Errorf("with bytes: %v", err)
	}
}

// TestTheQuotaOfBlobsHolds: that of the plugin which the data is for.
func TestTheQuotaOfBlobsHolds(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.fillBlobs("shop")
	data := w.archive("shop")
	for _, terms := range []blobs.Terms{{Count: 4}, {Bytes: 4 << 20}} {
		less := plugin.Grant{}.With(blobs.Name, terms)
		if _, _, err := w.registry.Change(t.Context(), "other", registry.Change{Grant: &less}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.bring("other", bytes.NewReader(data)); fault.CodeOf(err) != fault.Exhausted {
			t.Errorf("an archive over %+v: %v", terms, err)
		}
		if _, err := w.service.Copy(t.Context(), adminapi.DataCopy{From: "shop"}, "other", "ann"); fault.CodeOf(err) != fault.Exhausted {
			t.Errorf("a copy over %+v: %v", terms, err)
		}
	}
}

// TestBlobsThatAreDamaged are not exported.
func TestBlobsThatAreDamaged(t *testing.T) {
	w := newWorld(t, "shop")
	w.keep("shop", "a", []byte("hello"))
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("hello")))
	path := filepath.Join(w.blobs.String(), sum[:2], sum)
	export := func() error {
		send, err := w.service.Export(t.Context(), "shop", "ann")
		if err != nil {
			t.Fatal(err)
		}
		return send(t.Context(), io.Discard)
	}
	for _, bad := range []string{"hullo", "hell", "hello!", ""} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := export(); fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), sum) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := export(); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), sum) {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestCountersOfAnArchiveAreNotBelieved: they are counted anew.
func TestCountersOfAnArchiveAreNotBelieved(t *testing.T) {
	w := newWorld(t, "shop")
	counter := func(key string) stream.Entry {
		return stream.Entry{Key: append([]byte{1, byte(store.AreaBlobs)}, key...), Value: store.AppendCounter([]byte{0}, -1000)}
	}
	data := crafted(t, counter("c/bytes"), counter("c/count"), nameEntry("a", "text", 4), nameEntry("b", "text", 4), pieceEntry("text", 0, "text"))
	if _, err := w.bring("shop", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	p, err := w.registry.Plugin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := w.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	if got, err := names.UsageOf(snap, store.Space(p.Keys())); err != nil || (got != names.Usage{Count: 2, Bytes: 8}) {
		t.Errorf("its names use %+v, %v", got, err)
	}
}

// TestQueuesOfAnArchiveKeepToTheirBounds as those of a server do.
func TestQueuesOfAnArchiveKeepToTheirBounds(t *testing.T) {
	w := newWorld(t, "shop")
	entries := make([]stream.Entry, queue.MaxHeld+1)
	for i := range entries {
		entries[i] = stream.Entry{Key: binary.BigEndian.AppendUint32([]byte{1, byte(store.AreaQueue)}, uint32(i)), Value: []byte{0}}
	}
	if _, err := w.bring("shop", bytes.NewReader(crafted(t, entries...))); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("more messages than a plugin may have: %v", err)
	}
}
