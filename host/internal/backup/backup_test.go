package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// data is a store and its modules; every snapshot is one revision on.
type data struct {
	mu       sync.Mutex
	revision store.Revision
	modules  map[plugin.Digest][]byte
	named    func(store.Revision) []plugin.Digest
	entries  []stream.Entry // after the hundred
	read     func()         // called when these are read
}

func newData(modules ...string) *data {
	d := &data{modules: map[plugin.Digest][]byte{}}
	var all []plugin.Digest
	for _, text := range modules {
		digest := plugin.DigestOf([]byte(text))
		d.modules[digest] = []byte(text)
		all = append(all, digest)
	}
	d.named = func(store.Revision) []plugin.Digest { return all }
	return d
}

type snapshot struct {
	store.Snapshot
	revision store.Revision
}

func (s snapshot) Revision() store.Revision { return s.revision }
func (snapshot) Release()                   {}

func (d *data) Snapshot() (store.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.revision++
	return snapshot{revision: d.revision}, nil
}

func (d *data) DigestsAt(s store.Snapshot) (map[plugin.Digest]bool, error) {
	all := map[plugin.Digest]bool{}
	for _, digest := range d.named(s.Revision()) {
		all[digest] = true
	}
	return all, nil
}

func (d *data) Module(digest plugin.Digest) ([]byte, error) {
	if module, ok := d.modules[digest]; ok {
		return module, nil
	}
	return nil, fault.New(fault.NotFound, "", "no module")
}

func (d *data) Changes(since, until store.Revision) stream.Group {
	var entries iter.Seq2[stream.Entry, error] = func(yield func(stream.Entry, error) bool) {
		for i := range 100 {
			if !yield(stream.Entry{Key: []byte{1, byte(i)}, Value: bytes.Repeat([]byte{byte(until)}, 1000)}, nil) {
				return
			}
		}
		if d.read != nil {
			d.read()
		}
		for _, e := range d.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	return stream.Group{Before: since, Revision: until, Time: time.Unix(0, 0), Entries: entries}
}

// clock moves when the test says so.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var known = archive.Header{Layout: 2, Records: 3, ABI: 1}

func sourceOf(t *testing.T, d *data, c *clock) *Source {
	t.Helper()
	h := known
	h.Store, h.Program = "the store", "v1"
	return &Source{Store: d, Modules: d, Blobs: blobsIn(t), Header: h, Settings: []byte("a = 1\n"), Clock: c.now}
}

func folderOf(t *testing.T) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATakenBackupLands(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	d := newData("one", "two")
	late, gone := plugin.DigestOf([]byte("late")), plugin.DigestOf([]byte("gone"))
	d.modules[late] = []byte("late")
	first := d.named(1)
	d.named = func(at store.Revision) []plugin.Digest { // deployed and pruned meanwhile
		if at < 3 {
			return append(slices.Clone(first), gone)
		}
		return append(slices.Clone(first), late)
	}
	var b bytes.Buffer
	info, err := sourceOf(t, d, c).Take(t.Context(), &b)
	if err != nil || info.Revision != 4 || info.Entries != 100 || info.Modules != 3 {
		t.Fatalf("%+v, %v", info, err)
	}
	dir := t.TempDir()
	to := Folder{Known: known, Modules: filepath.Join(dir, "modules"), Settings: filepath.Join(dir, "settings")}
	n := 0
	to.Store = func(_ context.Context, g stream.Group) error {
		for e, err := range g.Entries {
			if err != nil || len(e.Value) != 1000 || e.Value[0] != 4 {
				t.Errorf("%d bytes, %v", len(e.Value), err)
			}
			n++
		}
		return nil
	}
	got, err := Land(t.Context(), &b, to)
	if err != nil || got != info || n != 100 {
		t.Errorf("%+v, %v; want %+v; %d entries", got, err, info, n)
	}
	files, err := os.ReadDir(to.Modules)
	if text, _ := os.ReadFile(to.Settings); err != nil || len(files) != 3 || string(text) != "a = 1\n" {
		t.Errorf("it has %v, %q, %v", files, text, err)
	}
}

func TestANewerBackupIsRefusedByName(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	for want, change := range map[string]func(*archive.Header){
		"its store has format 3, this one knows 2":   func(h *archive.Header) { h.Layout++ },
		"its records has format 4, this one knows 3": func(h *archive.Header) { h.Records++ },
		"its ABI has format 2, this one knows 1":     func(h *archive.Header) { h.ABI++ },
	} {
		src := sourceOf(t, newData("one"), c)
		change(&src.Header)
		var b bytes.Buffer
		if _, err := src.Take(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), &b, known); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAModuleThatIsMissingFailsTheBackup(t *testing.T) {
	d := newData("one")
	clear(d.modules)
	_, err := sourceOf(t, d, &clock{}).Take(t.Context(), io.Discard)
	if fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "is not there") {
		t.Error(err)
	}
}

func TestPlaceKeepsAndPrunes(t *testing.T) {
	c := &clock{at: time.Now().Add(-10 * 24 * time.Hour)}
	src, to := sourceOf(t, newData("one"), c), folderOf(t)
	other := sourceOf(t, newData("one"), c)
	other.Header.Store = "another store"
	if _, err := other.Put(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	var names []string
	for range 5 {
		c.pass(24 * time.Hour)
		k, err := src.Put(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, k.Name)
		sum := sha256.New()
		r, err := to.Get(t.Context(), k.Name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(sum, r); err != nil || hex.EncodeToString(sum.Sum(nil)) != k.SHA256 {
			t.Errorf("%s is not what its note says: %v", k.Name, err)
		}
		_ = r.Close()
	}
	want := func(want ...string) {
		t.Helper()
		list, err := List(t.Context(), to)
		var got []string
		for _, k := range list.Kept[1:] {
			got = append(got, k.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("the place holds %q, %v; want %q", got, err, want)
		}
	}
	want(names...)
	if k, err := Find(t.Context(), to, ""); err != nil || k.Name != names[4] {
		t.Errorf("the newest is %+v, %v", k, err)
	}
	prune := func(keep Retention) {
		t.Helper()
		if _, err := Prune(t.Context(), to, "the store", keep, c.now()); err != nil {
			t.Error(err)
		}
	}
	prune(Retention{Newest: 2, For: 60 * time.Hour})
	want(names[2:]...)
	prune(Retention{Newest: 2})
	want(names[3:]...)
	prune(Retention{})
	want(names[4:]...)
}

func TestWhatDidNotFinishIsNoneAndIsSwept(t *testing.T) {
	c := &clock{at: time.Now()}
	src, to := sourceOf(t, newData("one"), c), folderOf(t)
	broken := errors.New("the store broke")
	_, err := Keep(t.Context(), to, c.now(), false, func(w io.Writer) (archive.Info, error) {
		_, _ = w.Write(make([]byte, 100_000))
		return archive.Info{}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("a source that breaks: %v", err)
	}
	if _, err := Find(t.Context(), to, ""); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("half a backup: %v", err)
	}
	k, err := src.Put(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Delete(t.Context(), k.Name+noteSuffix); err != nil { // as a kill between the two leaves it
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), to, ""); fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "1 that did not finish") {
		t.Errorf("a backup without a note: %v", err)
	}
	for _, want := range []int{0, 1} {
		if n, err := Sweep(t.Context(), to, c.now()); err != nil || n != want {
			t.Errorf("swept %d, %v; want %d", n, err, want)
		}
		c.pass(48 * time.Hour)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: " + what)
		}
	}
}

// TestWhatIsNoBackupStays: files of people, also with names like those of backups.
func TestWhatIsNoBackupStays(t *testing.T) {
	c := &clock{at: time.Now()}
	src, to := sourceOf(t, newData("one"), c), folderOf(t)
	strays := []string{
		"wasmoor-before-upgrade.tar.zst", "wasmoor-notes.txt", "wasmoor-.tar.zst.age", "README",
		"wasmoor-20261129T101112.000Z-abcd.tar.zst.old", "wasmoor-copy.tar.zst", "wasmoor-copy.tar.zst.json", "old/wasmoor-20261129T101112.000Z-abcd.tar.zst",
	}
	for _, key := range strays {
		if err := to.Put(t.Context(), key, strings.NewReader("a stray"), -1); err != nil {
			t.Fatal(err)
		}
	}
	k, err := src.Put(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(100 * 24 * time.Hour)
	if removed, err := Prune(t.Context(), to, "the store", Retention{}, c.now()); len(removed) > 0 || err != nil {
		t.Errorf("pruned %+v, %v", removed, err)
	}
	if n, err := Sweep(t.Context(), to, c.now()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	for _, key := range append(strays, k.Name) {
		r, err := to.Get(t.Context(), key, 0, -1)
		if err != nil {
			t.Errorf("%s is gone: %v", key, err)
			continue
		}
		_ = r.Close()
	}
	list, err := List(t.Context(), to)
	if err != nil || len(list.Kept) != 1 || len(list.Halves)+len(list.Damaged) > 0 {
		t.Errorf("the place holds %+v, %v", list, err)
	}
}

// TestADamagedNoteStopsNothing: it is named, its archive stays, and the others count.
func TestADamagedNoteStopsNothing(t *testing.T) {
	c := &clock{at: time.Now()}
	src, to := sourceOf(t, newData("one"), c), folderOf(t)
	put := func() Kept {
		t.Helper()
		c.pass(time.Hour)
		k, err := src.Put(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	damage := func(k Kept, text string) {
		t.Helper()
		if err := to.Put(t.Context(), k.Name+noteSuffix, strings.NewReader(text), -1); err != nil {
			t.Fatal(err)
		}
	}
	a, b, newest := put(), put(), put()
	damage(a, "")
	damage(b, `{"size": 7}`)
	list, err := List(t.Context(), to)
	if err != nil || len(list.Kept) != 1 || len(list.Halves) > 0 || len(list.Damaged) != 2 ||
		!strings.Contains(list.Damaged[0].Error(), a.Name) || !strings.Contains(list.Damaged[1].Error(), b.Name) {
		t.Fatalf("the place holds %+v, %v", list, err)
	}
	if k, err := Find(t.Context(), to, ""); err != nil || k.Name != newest.Name {
		t.Errorf("the newest is %+v, %v", k, err)
	}
	c.pass(100 * 24 * time.Hour)
	if n, err := Sweep(t.Context(), to, c.now()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	s := Start(src, Plan{To: to, Every: time.Hour, Keep: Retention{Newest: 1}, Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	waitFor(t, "a backup is made", func() bool { return s.Status().Made == 1 && !s.Status().Running })
	damage(newest, "x") // if it is there: the one that was made is newer
	damage(put(), "x")
	if _, err := Find(t.Context(), to, ""); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the newest one is damaged, and Find says %v", err)
	}
}

// TestBackupsOfTheFuture: a clock that was wrong once neither stops a schedule nor has
// what is made now removed.
func TestBackupsOfTheFuture(t *testing.T) {
	c := &clock{at: time.Now().AddDate(10, 0, 0)}
	src, to := sourceOf(t, newData("one"), c), folderOf(t)
	for range 2 {
		if _, err := src.Put(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(-time.Until(c.now()))
	s := Start(src, Plan{To: to, Every: time.Hour, Keep: Retention{Newest: 1}, Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	waitFor(t, "a backup is made", func() bool { return s.Status().Made == 1 && !s.Status().Running })
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := List(t.Context(), to)
	if err != nil || len(list.Kept) != 3 || list.Kept[0].Created.After(c.now()) {
		t.Errorf("the place holds %+v, %v; want one of now and two of the future", list, err)
	}
}

// TestSchedule: a backup when one is due, a failure that is counted and logged once,
// and another when it works again.
func TestSchedule(t *testing.T) {
	c := &clock{at: time.Now()}
	src := sourceOf(t, newData("one"), c)
	dir := t.TempDir()
	to, err := bucket.Open(filepath.Join(dir, "place"))
	if err != nil {
		t.Fatal(err)
	}
	var logged lines
	plan := Plan{To: to, Every: time.Hour, Keep: Retention{Newest: 2}, Log: slog.New(slog.NewTextHandler(&logged, nil))}
	s := Start(src, plan)
	until := func(what string, ok func(Status) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(s.Status()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %s: %+v", what, s.Status())
			}
		}
	}
	until("first backup", func(st Status) bool { return st.Made == 1 && !st.Running })
	s.Close()

	s = Start(src, plan) // it knows what is there
	until("knowledge of the newest", func(st Status) bool { return !st.Newest.IsZero() })
	if st := s.Status(); st.Made != 0 || st.Late {
		t.Errorf("after a restart: %+v", st)
	}
	c.pass(61 * time.Minute)
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	until("second backup", func(st Status) bool { return st.Made == 1 && !st.Running })

	if err := errors.Join(os.Rename(filepath.Join(dir, "place"), filepath.Join(dir, "aside")), os.WriteFile(filepath.Join(dir, "place"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.pass(2 * time.Hour)
	for range 3 {
		if err := s.Run(t.Context()); err == nil {
			t.Error("a backup into nothing")
		}
	}
	if st := s.Status(); st.InARow != 3 || st.Failures != 3 || st.LastError == "" || !st.Late {
		t.Errorf("after failures: %+v", st)
	}
	if n := logged.count("level=ERROR msg=\"the backup failed"); n != 1 {
		t.Errorf("%d lines about it, want one an hour:\n%s", n, logged.b.String())
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "place")), os.Rename(filepath.Join(dir, "aside"), filepath.Join(dir, "place"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.InARow != 0 || st.LastError != "" || st.Late {
		t.Errorf("well again: %+v", st)
	}
	list, err := List(t.Context(), to)
	if err != nil || len(list.Kept) != 2 {
		t.Errorf("%d backups are kept, %v", len(list.Kept), err)
	}
	s.Close()
	if err := s.Begin(); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a backup of a store that is about to be closed: %v", err)
	}
}

// TestUse: a schedule may change and end while the server serves, and none begins after
// Close.
func TestUse(t *testing.T) {
	b := &Service{Source: sourceOf(t, newData("one"), &clock{at: time.Now()}), Log: slog.New(slog.DiscardHandler)}
	dir := t.TempDir()
	plan := func(name string) Plan {
		to, err := bucket.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return Plan{To: to, Every: time.Hour, Keep: Retention{Newest: 2}, Log: b.Log}
	}
	if b.Status() != nil {
		t.Error("there is a schedule before Use")
	}
	for _, name := range []string{"first", "second"} {
		b.Use(plan(name))
		for end := time.Now().Add(20 * time.Second); b.Status().Made == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", name, b.Status())
			}
		}
		if list, err := b.List(t.Context()); err != nil || filepath.Base(list.Place) != name || len(list.Backups) != 1 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	b.Use(Plan{})
	if b.Status() != nil {
		t.Error("there is a schedule without a place")
	}
	b.Close()
	b.Use(plan("third"))
	if b.Status() != nil {
		t.Error("a schedule begins after Close")
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}
