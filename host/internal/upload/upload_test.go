package upload

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a desk in a folder, of which another may take over.
type bench struct {
	*Desk
	t    *testing.T
	dir  string
	now  time.Time
	room *spool.Spool
}

func open(t *testing.T, disk int64) *bench {
	t.Helper()
	room, err := spool.Open(spool.Config{Dir: filepath.Join(t.TempDir(), "spool"), Max: disk})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "uploads"), now: time.Unix(1e9, 0), room: room}
	b.again()
	t.Cleanup(func() { b.Close() })
	return b
}

// again has another desk take over what the one before has left.
func (b *bench) again() {
	b.t.Helper()
	b.Desk.Close()
	var err error
	if b.Desk, err = Open(Config{Dir: b.dir, Room: b.room, Clock: func() time.Time { return b.now }}); err != nil {
		b.t.Fatal(err)
	}
}

// restart is again after the process has ended: nothing is held.
func (b *bench) restart() {
	b.t.Helper()
	room, err := spool.Open(spool.Config{Dir: filepath.Join(b.t.TempDir(), "spool"), Max: b.room.Room().Size()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.room = room
	b.again()
}

func (b *bench) begin(length int64) *Upload {
	b.t.Helper()
	u, err := b.Create(NewID(), &Info{Plugin: "demo", Path: "/files", Length: length, Expires: b.now.Add(time.Hour)})
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// send appends text, and makes it durable if it is to be.
func (b *bench) send(u *Upload, text string, durable bool) {
	b.t.Helper()
	if !u.Take(b.t.Context(), nil) {
		b.t.Fatal("it is not given up")
	}
	defer u.Leave()
	if n, err := u.Write([]byte(text)); n != len(text) || err != nil {
		b.t.Fatal(n, err)
	}
	if durable {
		if err := u.Sync(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) checkWhole(u *Upload, want string) {
	b.t.Helper()
	if !u.Take(b.t.Context(), nil) {
		b.t.Fatal("it is not given up")
	}
	defer u.Leave()
	file, sum, err := u.Whole()
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(io.NewSectionReader(file, 0, u.Length+1))
	if string(text) != want || err != nil || sum != sha256.Sum256([]byte(want)) {
		b.t.Errorf("whole: %q, %v, with the sum %x", text, err, sum)
	}
}

func (b *bench) checkNothing() {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil || len(entries) > 0 || b.room.Room().Left() != b.room.Room().Size() {
		b.t.Errorf("left: %v, %v, and %d bytes of disk", entries, err, b.room.Room().Size()-b.room.Room().Left())
	}
}

// TestRestart: what is durable is there after the process has ended, wherever it ended,
// and what is not is not acknowledged.
func TestRestart(t *testing.T) {
	b := open(t, 1<<20)
	u := b.begin(10)
	b.send(u, "0123", true)
	b.send(u, "xx", false)
	b.restart()
	if u = b.Find(u.ID()); u == nil || u.Durable() != 4 {
		t.Fatalf("after a restart: %+v", u)
	}
	if left := b.room.Room().Left(); left != 1<<20-4 {
		t.Errorf("%d bytes of disk are taken", 1<<20-left)
	}
	b.send(u, "456789", true)
	b.checkWhole(u, "0123456789")
	b.restart()
	u = b.Find(u.ID())
	b.checkWhole(u, "0123456789") // of which this process has seen nothing
	if !u.Take(t.Context(), nil) || u.Finish() != nil {
		t.Fatal("it cannot be done")
	}
	u.Leave()
	b.restart()
	if u = b.Find(u.ID()); u == nil || !u.IsDone() || u.Durable() != 10 || b.room.Room().Left() != 1<<20 {
		t.Errorf("done: %+v", u)
	}
	b.now = b.now.Add(time.Hour)
	b.Sweep(t.Context())
	b.checkNothing()
}

// TestSyncsOnTheWay: an end loses no more than what came since the last sync.
func TestSyncsOnTheWay(t *testing.T) {
	b := open(t, 200<<20)
	u := b.begin(100 << 20)
	b.send(u, strings.Repeat("0", syncEvery), false)
	b.send(u, "1", false)
	b.restart()
	if u = b.Find(u.ID()); u == nil || u.Durable() != syncEvery {
		t.Fatalf("after a restart: %+v", u)
	}
}

// TestDamage: what cannot be taken up is removed, and the rest serves.
func TestDamage(t *testing.T) {
	b := open(t, 1<<20)
	good, short, broken, lost := b.begin(10), b.begin(10), b.begin(10), b.begin(10)
	for _, u := range []*Upload{good, short, broken, lost} {
		b.send(u, "0123", true)
	}
	for _, err := range []error{
		os.Truncate(short.path(), 3), os.WriteFile(broken.path()+recordSuffix, []byte("{"), 0o600), os.Remove(lost.path()),
		os.WriteFile(filepath.Join(b.dir, "stray"), nil, 0o600), os.Mkdir(filepath.Join(b.dir, NewID()+recordSuffix), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.restart()
	if b.Find(good.ID()) == nil || b.Find(short.ID()) != nil || b.Find(broken.ID()) != nil || b.Find(lost.ID()) != nil {
		t.Error("what was taken up is not what is whole")
	}
	b.Purge("demo")
	b.checkNothing()
}

func TestBounds(t *testing.T) {
	b := open(t, 40)
	code := func(what string, err error, want fault.Code) {
		t.Helper()
		if fault.CodeOf(err) != want {
			t.Errorf("%s: %v, want the code %q", what, err, want)
		}
	}
	_, err := b.Create(NewID(), &Info{Plugin: "demo", Length: 31})
	code("over what a plugin may have", err, fault.TooLarge)
	one, two := b.begin(20), b.begin(20)
	b.send(one, strings.Repeat("1", 20), true)
	b.send(two, strings.Repeat("2", 10), true)
	if !two.Take(t.Context(), nil) {
		t.Fatal("it is not given up")
	}
	_, err = two.Write(make([]byte, 1))
	code("over the room", err, fault.Unavailable)
	_, err = two.Write(make([]byte, 11))
	code("over the length", err, fault.TooLarge)
	two.Leave()
	_, err = b.Create(NewID(), &Info{Plugin: "demo", Length: 11})
	code("no room", err, fault.Unavailable)
	b.Remove(one)
	b.Remove(one)
	for b.open["demo"] < MaxOpen {
		b.begin(0)
	}
	_, err = b.Create(NewID(), &Info{Plugin: "demo"})
	code("too many", err, fault.Unavailable)
	b.Purge("demo")
	b.checkNothing()
}

// TestExpiry: nobody finds what has expired, swept or not.
func TestExpiry(t *testing.T) {
	b := open(t, 1<<20)
	old := b.begin(4)
	b.send(old, "0123", true)
	b.now = b.now.Add(time.Hour)
	young := b.begin(4)
	if b.Find(old.ID()) != nil || b.Find(young.ID()) == nil {
		t.Error("what is found is not what has not expired")
	}
	b.Sweep(t.Context())
	b.restart()
	if len(b.uploads) != 1 {
		t.Errorf("%d uploads are left", len(b.uploads))
	}
}

// TestTake: one has it at a time, and is asked for it.
func TestTake(t *testing.T) {
	b := open(t, 1<<20)
	u := b.begin(4)
	asked := make(chan struct{})
	if !u.Take(t.Context(), func() { close(asked) }) {
		t.Fatal("it is not free")
	}
	go func() {
		<-asked
		u.Leave()
	}()
	if !u.Take(t.Context(), nil) {
		t.Error("it is not given up")
	}
	u.Leave()
}

// TestTakeOfOneThatIsRemoved: who waits for an upload does not get it once it is removed,
// and no room leaks.
func TestTakeOfOneThatIsRemoved(t *testing.T) {
	b := open(t, 1<<20)
	u := b.begin(4)
	b.send(u, "0123", true)
	asked := make(chan struct{})
	if !u.Take(t.Context(), func() { close(asked) }) {
		t.Fatal("it is not free")
	}
	taken := make(chan bool)
	go func() { taken <- u.Take(t.Context(), nil) }()
	<-asked
	b.Remove(u)
	u.Leave()
	if <-taken {
		t.Error("it was given to another after its end")
	}
	if u.Take(t.Context(), nil) {
		t.Error("it is given still")
	}
	b.checkNothing()
}

// TestThoseTaken do not count as open: the oldest of too many are forgotten.
func TestThoseTaken(t *testing.T) {
	b := open(t, 1<<20)
	var first, last *Upload
	finish := func() {
		last = b.begin(0)
		b.now = b.now.Add(time.Millisecond)
		if !last.Take(t.Context(), nil) || last.Finish() != nil {
			t.Fatal("it cannot be done")
		}
		last.Leave()
	}
	finish()
	first = last
	finish()
	b.restart()
	first = b.Find(first.ID())
	if first == nil || len(b.open) != 0 || len(b.taken["demo"]) != 2 || b.taken["demo"][0] != first {
		t.Fatalf("%v are open, and %d taken, want 2 with the oldest first", b.open, len(b.taken["demo"]))
	}
	for len(b.taken["demo"]) < MaxOpen {
		b.add(&Upload{desk: b.Desk, id: NewID(), busy: make(chan struct{}, 1), record: record{Info: last.Info, Done: true}}) // without a file
	}
	finish()
	if b.Find(first.ID()) != nil || b.Find(last.ID()) == nil || len(b.taken["demo"]) != MaxOpen {
		t.Errorf("%d are known, want %d", len(b.taken["demo"]), MaxOpen)
	}
	b.Purge("demo")
	b.checkNothing()
	if len(b.open)+len(b.taken)+len(b.uploads) != 0 {
		t.Errorf("counted: %v, %v", b.open, b.taken)
	}
}
