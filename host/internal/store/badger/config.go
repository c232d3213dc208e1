package badger

import (
	"log/slog"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/pages"
)

// What a store takes of Go's heap at most, in bytes.
const (
	// Memory is for memtables, for the tables that are being made, for blocks that
	// were read, for the commits under way and for pages of databases.
	Memory = 448<<20 + pages.Memory
	// WindowMemory is for recent writes: the default of Config.WindowBytes.
	WindowMemory = 256 << 20
)

// Config says where and how to keep a store. The zero value of every field but
// Dir is its default.
type Config struct {
	// Dir holds the store's files. It is created if absent, and belongs to one
	// process at a time.
	Dir string
	// Clock tells the time for sweeping expired values and for the age of
	// snapshots. Default time.Now.
	Clock func() time.Time
	// Logger gets what Badger says and what the background work does. Default:
	// nothing is logged.
	Logger *slog.Logger
	// MinFree is how many bytes must be free on Dir's file system to accept a
	// commit; commits that only delete are accepted down to half of it. Badger
	// writes through memory maps: on a full disk the process would die.
	// Default 256 MiB; below 0, or on systems without a way to ask, no guard.
	MinFree int64
	// Reserve is the size in bytes of a file that is deleted to open a store on
	// a full disk, and made again once there is room. Default 64 MiB; below 0
	// none.
	Reserve int64
	// WindowKeys and WindowBytes bound the memory of recent writes, of which those
	// older than certify.Horizon take a quarter at most. Younger ones over the bounds
	// are remembered roughly. Effects that read a snapshot older than all that are a
	// conflict. Defaults 1,048,576 keys and 256 MiB.
	WindowKeys  int
	WindowBytes int
	// MaxSnapshotAge is how long a snapshot stays readable while commits go on;
	// reading it later is a conflict. It bounds the old versions kept on disk.
	// Default 5 min.
	MaxSnapshotAge time.Duration
	// Marker is a file outside Dir that remembers that there is a store in it, and
	// which: a folder that was emptied or exchanged is refused. Default: nothing
	// remembers.
	Marker string
	// ScrubEvery is how long the scrub takes to verify all tables once, in the
	// background. Default 24 h; below 0 no scrub.
	ScrubEvery time.Duration
	// Keep, unless 0, is a revision after which all changes are kept on disk until a
	// Tap lets go of them, if they still are: Changes can read them then.
	Keep store.Revision
	// SweepEvery is the pause between two sweeps of expired values. Default
	// 30 s.
	SweepEvery time.Duration

	// Persist, for tests, stands between the committer and the disk: it is called
	// with the revision of a group, by one goroutine at a time, and with the
	// function that makes the group durable, which it calls or not, when it likes.
	// An error is one of the disk, whatever was written. Default: only write.
	Persist func(revision store.Revision, write func() error) error

	// For tests; nil is the real thing.
	free func(dir string) (int64, error)
	tune func(*badger.Options)
}

func (c Config) withDefaults() Config {
	orDefault(&c.MinFree, 256<<20)
	orDefault(&c.Reserve, 64<<20)
	orDefault(&c.WindowKeys, 1<<20)
	orDefault(&c.WindowBytes, WindowMemory)
	orDefault(&c.MaxSnapshotAge, 5*time.Minute)
	orDefault(&c.SweepEvery, 30*time.Second)
	orDefault(&c.ScrubEvery, 24*time.Hour)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.tune == nil {
		c.tune = func(*badger.Options) {}
	}
	return c
}

// folder returns what package folder needs of c.
func (c Config) folder() folder.Config {
	return folder.Config{Dir: c.Dir, Marker: c.Marker, Clock: c.Clock, Logger: c.Logger}
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
