package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a folder that the test closes, unless it has done so.
func open(t *testing.T, cfg ring.Config) (f *ring.Folder, closeIt func()) {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f = ring.Open(cfg)
	closeIt = sync.OnceFunc(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(closeIt)
	return f, closeIt
}

func line(i int) *ring.Line {
	return &ring.Line{Time: time.Unix(1000+int64(i), 0).UTC(), Message: fmt.Sprint("line ", i)}
}

func read(t *testing.T, r *ring.Ring, q ring.Query) ring.Page {
	t.Helper()
	page, err := r.Read(q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func messages(lines []ring.Line) (list []string) {
	for _, l := range lines {
		if l.Dropped > 0 {
			list = append(list, fmt.Sprintf("%d dropped", l.Dropped))
			continue
		}
		list = append(list, l.Message)
	}
	return list
}

func want(t *testing.T, what string, got []ring.Line, texts ...string) {
	t.Helper()
	if diff := cmp.Diff(texts, messages(got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// What is logged of a plugin is read as it was logged, at once, and after the process
// has ended and another one has begun.
func TestLinesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	f, closeIt := open(t, ring.Config{Dir: dir})
	r := f.Ring("shop")
	var server bytes.Buffer
	log := f.Logger(slog.New(slog.NewTextHandler(&server, &slog.HandlerOptions{Level: slog.LevelWarn})))
	guest := log.With("plugin", "shop", "version", 3)
	guest.Info("hello\n\tworld", slog.String("request_id", "r1"), slog.GroupAttrs("guest", slog.String("k", "v"), slog.String("plugin", "forged")))
	guest.Debug("not kept")
	log.Error("request", slog.String("request_id", "r2"), slog.String("plugin", "shop"), slog.Int("version", 4), slog.Int("status", 502), slog.Any("error", errors.New("it trapped")))
	log.Info("of no plugin")
	log.Info("of a plugin without a ring", "plugin", "other")

	expect := []ring.Line{
		{Level: slog.LevelInfo, Version: 3, RequestID: "r1", Message: "hello\n\tworld", Attrs: []ring.Attr{{"k", "v", true}, {"plugin", "forged", true}}},
		{Level: slog.LevelError, Version: 4, RequestID: "r2", Message: "request", Attrs: []ring.Attr{{"status", "502", false}, {"error", "it trapped", false}}},
	}
	check := func(when string, r *ring.Ring) {
		t.Helper()
		got := read(t, r, ring.Query{}).Lines
		if diff := cmp.Diff(expect, got, cmpopts.IgnoreFields(ring.Line{}, "Time", "Cursor")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		for _, l := range got {
			if time.Since(l.Time) > time.Minute {
				t.Errorf("%s: the time is %s", when, l.Time)
			}
		}
	}
	check("at once", r)
	closeIt()
	if got := server.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "it trapped") {
		t.Errorf("the server's log is %q", got)
	}
	again, _ := open(t, ring.Config{Dir: dir})
	check("by the next process", again.Ring("shop"))
	again.Ring("shop").Append(line(1))
	lines := read(t, again.Ring("shop"), ring.Query{}).Lines
	want(t, "after one more", lines, "hello\n\tworld", "request", "line 1")
	want(t, "after a cursor of the process before", read(t, again.Ring("shop"), ring.Query{After: lines[1].Cursor}).Lines, "line 1")
	if info, err := os.Stat(filepath.Join(dir, "shop", "current")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestQuery(t *testing.T) {
	f, _ := open(t, ring.Config{Dir: t.TempDir()})
	r := f.Ring("shop")
	for i := range 4 {
		l := line(i)
		l.Level, l.Version, l.RequestID = slog.Level(4*i-4), i+1, fmt.Sprint("r", i)
		r.Append(l)
	}
	all := read(t, r, ring.Query{Level: slog.LevelDebug})
	for name, tt := range map[string]struct {
		q    ring.Query
		want []string
	}{
		"info":    {ring.Query{}, []string{"line 1", "line 2", "line 3"}},
		"error":   {ring.Query{Level: slog.LevelError}, []string{"line 3"}},
		"request": {ring.Query{RequestID: "r2"}, []string{"line 2"}},
		"version": {ring.Query{Version: 2}, []string{"line 1"}},
		"since":   {ring.Query{Since: time.Unix(1002, 0)}, []string{"line 2", "line 3"}},
		"until":   {ring.Query{Until: time.Unix(1001, 0)}, []string{"line 1"}},
		"tail":    {ring.Query{Tail: 1}, []string{"line 3"}},
		"after":   {ring.Query{After: all.Lines[1].Cursor}, []string{"line 2", "line 3"}},
		"nothing": {ring.Query{RequestID: "r"}, nil},
	} {
		page := read(t, r, tt.q)
		want(t, name, page.Lines, tt.want...)
		if page.End != all.End || !page.Oldest.Equal(time.Unix(1000, 0)) {
			t.Errorf("%s: the page ends at %s and the oldest line is of %s", name, page.End, page.Oldest)
		}
	}
}

// A plugin that logs without end has its bytes and no more, on disk and in memory. The
// oldest lines go, what did not fit is counted, and who follows learns of both.
func TestFloodIsBounded(t *testing.T) {
	dir := t.TempDir()
	f, closeIt := open(t, ring.Config{Dir: dir})
	r := f.Ring("bad")
	r.Append(line(0))
	first := read(t, r, ring.Query{}).End
	const many = 30_000
	text := strings.Repeat("x", 1000)
	for i := range many {
		r.Append(&ring.Line{Time: time.Unix(int64(i), 0), Message: text})
		if i%200 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	closeIt()
	var size int64
	for _, name := range []string{"current", "previous"} {
		info, err := os.Stat(filepath.Join(dir, "bad", name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > ring.Size {
		t.Errorf("the files have %d bytes, at most %d are allowed", size, ring.Size)
	}
	again, _ := open(t, ring.Config{Dir: dir})
	lines := read(t, again.Ring("bad"), ring.Query{After: first}).Lines
	if kept, dropped := count(lines); kept == 0 || kept+dropped != many {
		t.Errorf("of %d lines %d are kept and %d told as dropped", many, kept, dropped)
	}
}

// count returns how many lines there are, and how many are told as dropped.
func count(lines []ring.Line) (kept, dropped int) {
	for _, l := range lines {
		if l.Dropped == 0 {
			kept++
		}
		dropped += int(l.Dropped)
	}
	return kept, dropped
}

// The older file goes when the newer is full.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	const each, runs = 200, 10
	for run := range runs {
		f, closeIt := open(t, ring.Config{Dir: dir})
		for i := range each {
			f.Ring("shop").Append(&ring.Line{Time: time.Unix(int64(run*each+i), 0), Message: strings.Repeat("x", 1000)})
		}
		closeIt()
	}
	f, _ := open(t, ring.Config{Dir: dir})
	page := read(t, f.Ring("shop"), ring.Query{})
	n := len(page.Lines)
	if n < 500 || n > ring.Size/1000 || page.Oldest != page.Lines[0].Time {
		t.Errorf("%d lines are kept, the oldest of %s", n, page.Oldest)
	}
	for i, l := range page.Lines {
		if want := time.Unix(int64(runs*each-n+i), 0); !l.Time.Equal(want) {
			t.Fatalf("line %d of %d is of %s, want %s", i, n, l.Time, want)
		}
	}
}

// What has no room is told with its number and its time.
func TestDroppedLinesAreTold(t *testing.T) {
	f, closeIt := open(t, ring.Config{Dir: t.TempDir()})
	r := f.Ring("bad")
	r.Append(line(1))
	for range 12 {
		r.Drop()
	}
	r.Append(line(2))
	told := func() int { _, dropped := count(read(t, r, ring.Query{RequestID: "none"}).Lines); return dropped }
	eventually(t, func() bool { return told() == 12 })
	for range 3 {
		r.Drop()
	}
	closeIt()
	if got := told(); got != 15 {
		t.Errorf("%d lines are told as dropped, want 15", got)
	}
	lines := read(t, r, ring.Query{RequestID: "none"}).Lines
	for _, l := range lines {
		if l.From.IsZero() || l.From.After(l.Time) || time.Since(l.From) > time.Minute {
			t.Errorf("dropped between %s and %s", l.From, l.Time)
		}
	}
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 12_000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it did not come to that in a minute")
}

// While the disk is full lines wait in memory, at most so many, and nobody waits for
// them. They are written when there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	full := true
	f, closeIt := open(t, ring.Config{Dir: dir, Full: func() bool { mu.Lock(); defer mu.Unlock(); return full }})
	r := f.Ring("shop")
	for i := range 2000 {
		r.Append(&ring.Line{Time: time.Unix(int64(i), 0), Message: strings.Repeat("x", 1000)})
	}
	if n := len(read(t, r, ring.Query{}).Lines); n < 100 || n > 300 {
		t.Errorf("%d lines of 1 KB wait in memory", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "shop")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the full disk has a folder: %v", err)
	}
	mu.Lock()
	full = false
	mu.Unlock()
	closeIt()
	again, _ := open(t, ring.Config{Dir: dir})
	if kept, dropped := count(read(t, again.Ring("shop"), ring.Query{}).Lines); kept < 100 || kept+dropped != 2000 {
		t.Errorf("%d lines are kept and %d are told as dropped", kept, dropped)
	}
}

// Whatever the files hold, what can be read of them is, and lines can be kept.
func TestDamagedFiles(t *testing.T) {
	whole := func(t *testing.T, dir string) []byte {
		f, closeIt := open(t, ring.Config{Dir: dir})
		for i := range 3 {
			f.Ring("shop").Append(line(i))
		}
		closeIt()
		data, err := os.ReadFile(filepath.Join(dir, "shop", "current"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, tt := range map[string]struct {
		damage func(t *testing.T, path string, data []byte) error
		want   []string
	}{
		"torn": {func(_ *testing.T, path string, data []byte) error {
			return os.WriteFile(path, data[:len(data)-3], 0o600)
		}, []string{"line 0", "line 1"}},
		"torn in a head": {func(_ *testing.T, path string, data []byte) error {
			return os.WriteFile(path, append(data, 5, 0, 0), 0o600)
		}, []string{"line 0", "line 1", "line 2"}},
		"zeros at the end": {func(_ *testing.T, path string, data []byte) error {
			return os.WriteFile(path, append(data, make([]byte, 4096)...), 0o600)
		}, []string{"line 0", "line 1", "line 2"}},
		"a bit": {func(_ *testing.T, path string, data []byte) error {
			data[len(data)-2] ^= 1
			return os.WriteFile(path, data, 0o600)
		}, []string{"line 0", "line 1"}},
		"of something else": {func(_ *testing.T, path string, _ []byte) error {
			return os.WriteFile(path, []byte(strings.Repeat("hello", 1000)), 0o600)
		}, nil},
		"too large": {func(_ *testing.T, path string, _ []byte) error { return os.Truncate(path, 1<<40) }, nil},
		"empty":     {func(_ *testing.T, path string, _ []byte) error { return os.Truncate(path, 0) }, nil},
		"a folder": {func(_ *testing.T, path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700))
		}, nil},
		"a link": {func(t *testing.T, path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path))
		}, nil},
		"no folder": {func(_ *testing.T, path string, _ []byte) error { return os.RemoveAll(filepath.Dir(path)) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.damage(t, filepath.Join(dir, "shop", "current"), whole(t, dir)); err != nil {
				t.Fatal(err)
			}
			f, closeIt := open(t, ring.Config{Dir: dir})
			want(t, "what is read", read(t, f.Ring("shop"), ring.Query{}).Lines, tt.want...)
			f.Ring("shop").Append(line(9))
			closeIt()
			again, _ := open(t, ring.Config{Dir: dir})
			want(t, "after another line", read(t, again.Ring("shop"), ring.Query{}).Lines, append(tt.want, "line 9")...)
		})
	}
}

// Lines that cannot be written are lost: the log says so, and so does a reader. What
// comes after that is kept.
func TestLinesThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	f, closeIt := open(t, ring.Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	r := f.Ring("shop")
	r.Append(line(0))
	file := filepath.Join(dir, "shop", "current")
	exists := func() bool { _, err := os.Stat(file); return err == nil }
	eventually(t, exists)
	before := read(t, r, ring.Query{}).End
	if err := errors.Join(os.RemoveAll(filepath.Dir(file)), os.WriteFile(filepath.Dir(file), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r.Append(line(i))
	}
	eventually(t, func() bool { return len(read(t, r, ring.Query{}).Lines) == 0 }) // they do not wait any more
	if err := os.Remove(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	r.Append(line(9))
	want(t, "what is read after them", read(t, r, ring.Query{After: before}).Lines, "3 dropped", "line 9")
	eventually(t, exists)
	closeIt()
	if got := log.String(); strings.Count(got, "log lines of plugins cannot be kept") != 1 {
		t.Errorf("the log says %q", got)
	}
}

// Followers see each line once, in order, from where they begin.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	f, closeIt := open(t, ring.Config{Dir: dir})
	r := f.Ring("shop")
	for i := range 5 {
		r.Append(line(i))
	}
	follower := follow(t, r, ring.Query{Tail: 2})
	got := next(t, follower)
	want(t, "what is there", got, "line 3", "line 4")
	r.Append(line(5))
	want(t, "what comes", next(t, follower), "line 5")
	other := follow(t, r, ring.Query{After: got[0].Cursor, RequestID: "r6"})
	l := line(6)
	l.RequestID = "r6"
	r.Append(l)
	want(t, "what is selected", next(t, other), "line 6")
	want(t, "what comes", next(t, follower), "line 6")
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if lines, err := follower.Next(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Next = %v, %v without lines", lines, err)
	}
	r.Append(line(7))
	closeIt()
	want(t, "the last ones", next(t, follower), "line 7")
	for range 2 {
		if lines, err := follower.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Next = %v, %v after the end", lines, err)
		}
	}
	again, _ := open(t, ring.Config{Dir: dir})
	resumed := follow(t, again.Ring("shop"), ring.Query{After: got[1].Cursor})
	want(t, "after the next start", next(t, resumed), "line 5", "line 6", "line 7")
	again.Ring("shop").Append(line(8))
	want(t, "then", next(t, resumed), "line 8")
	if err := again.Remove("shop"); err != nil {
		t.Fatal(err)
	}
	if lines, err := resumed.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Next = %v, %v of a purged plugin", lines, err)
	}
}

func follow(t *testing.T, r *ring.Ring, q ring.Query) *ring.Follower {
	t.Helper()
	f, err := r.Follow(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func next(t *testing.T, f *ring.Follower) []ring.Line {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines, err := f.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// One who is too slow reads the ring again, and is told of what is not there any more.
func TestSlowFollower(t *testing.T) {
	f, _ := open(t, ring.Config{Dir: t.TempDir()})
	r := f.Ring("bad")
	follower := follow(t, r, ring.Query{})
	r.Append(line(0))
	want(t, "the first", next(t, follower), "line 0")
	const many = 8000
	for i := range many {
		r.Append(&ring.Line{Time: time.Unix(2000+int64(i), 0), Message: strings.Repeat("x", 500)})
		if i%100 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	time.Sleep(1200 * time.Millisecond) // what was dropped is told
	var kept, dropped int64
	var last ring.Cursor
	for kept+dropped < many {
		for _, l := range next(t, follower) {
			if l.Dropped == 0 {
				kept++
			}
			dropped += l.Dropped
			if l.Cursor == last {
				t.Fatalf("the line at %s comes twice", last)
			}
			last = l.Cursor
		}
	}
	if dropped == 0 || kept > 4000 {
		t.Errorf("%d lines came and %d were told as dropped", kept, dropped)
	}
}

func TestFollowersAreFew(t *testing.T) {
	f, _ := open(t, ring.Config{Dir: t.TempDir()})
	var list []*ring.Follower
	for i := range ring.MaxFollowers {
		follower, err := f.Ring(fmt.Sprint("p", i%3)).Follow(ring.Query{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, follower)
	}
	if _, err := f.Ring("p").Follow(ring.Query{}); !errors.Is(err, ring.ErrFollowers) {
		t.Errorf("one more: %v", err)
	}
	for _, follower := range list {
		follower.Close()
	}
	follow(t, f.Ring("p"), ring.Query{})
}

// A cursor of lines that are gone for good, with all that came after them, is before
// those that are there: whoever follows a plugin that is purged and installed again
// would wait for as many lines as there were before.
func TestCursorsOfAnotherLife(t *testing.T) {
	f, _ := open(t, ring.Config{Dir: t.TempDir()})
	for i := range 9 {
		f.Ring("shop").Append(line(i))
	}
	before := read(t, f.Ring("shop"), ring.Query{}).End
	if err := f.Remove("shop"); err != nil {
		t.Fatal(err)
	}
	r := f.Ring("shop")
	r.Append(line(20))
	other, _ := ring.ParseCursor("99999999999-1")
	for _, after := range []ring.Cursor{before, other} {
		want(t, "after "+after.String(), read(t, r, ring.Query{After: after}).Lines, "line 20")
		want(t, "following after "+after.String(), next(t, follow(t, r, ring.Query{After: after})), "line 20")
	}
}

// A purged plugin leaves nothing, whatever is still logged of it, and what a crash
// left of one is removed at the next start.
func TestPurge(t *testing.T) {
	dir := t.TempDir()
	f, closeIt := open(t, ring.Config{Dir: dir})
	old := f.Ring("shop")
	old.Append(line(0))
	f.Ring("kept").Append(line(0))
	f.Ring("crashed").Append(line(0))
	log := f.Logger(slog.New(slog.DiscardHandler)).With("plugin", "shop")
	if err := f.Remove("shop"); err != nil {
		t.Fatal(err)
	}
	log.Info("late")
	old.Drop()
	f.Logger(slog.New(slog.DiscardHandler)).Info("late", "plugin", "shop")
	want(t, "a plugin of the same name", read(t, f.Ring("shop"), ring.Query{}).Lines)
	log.Info("late again")
	closeIt()
	again, _ := open(t, ring.Config{Dir: dir})
	if err := again.Retain([]string{"kept", "shop"}); err != nil {
		t.Fatal(err)
	}
	want(t, "the one that stays", read(t, again.Ring("kept"), ring.Query{}).Lines, "line 0")
	var left []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if diff := cmp.Diff([]string{"RUN", "kept"}, left); diff != "" || err != nil {
		t.Errorf("%v, the folder has (-want +got):\n%s", err, diff)
	}
}

// TestHammer is for the race detector: each line is read once or told as dropped, by
// each of several followers, while others write, read and purge.
func TestHammer(t *testing.T) {
	f, closeIt := open(t, ring.Config{Dir: t.TempDir()})
	const writers, each = 4, 2000
	r := f.Ring("shop")
	var reading, writing sync.WaitGroup
	for range 3 {
		follower := follow(t, r, ring.Query{})
		reading.Go(func() {
			var seen int64
			for {
				lines, err := follower.Next(context.Background())
				if err != nil {
					break
				}
				for _, l := range lines {
					seen += max(l.Dropped, 1)
				}
			}
			if seen != writers*each {
				t.Errorf("a follower saw %d lines, want %d", seen, writers*each)
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				r.Append(&ring.Line{Time: time.Now(), Message: strings.Repeat("x", 100)})
				switch {
				case i%500 == 0:
					_, _ = r.Read(ring.Query{})
				case i%700 == 0:
					name := fmt.Sprint("p", w)
					f.Ring(name).Append(line(i))
					_ = f.Remove(name)
				}
			}
		})
	}
	writing.Wait()
	closeIt()
	reading.Wait()
}

func TestCursor(t *testing.T) {
	for _, text := range []string{"", "1-2", "18446744073709551615-18446744073709551615"} {
		if c, ok := ring.ParseCursor(text); !ok || c.String() != text {
			t.Errorf("ParseCursor(%q) = %s, %v", text, c, ok)
		}
	}
	for _, text := range []string{"1", "-", "1-", "-1", "1-2-3", "a-1", "1--2", "18446744073709551616-1"} {
		if c, ok := ring.ParseCursor(text); ok {
			t.Errorf("ParseCursor(%q) = %s", text, c)
		}
	}
}
