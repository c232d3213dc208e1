// Package upload keeps what clients send in several requests, until all of it is there and
// a plugin has taken it: one file of bytes for each upload, and one of what is known of it.
// It speaks no HTTP and runs no handler. Package server/public does, and package host says
// where the files are.
package upload

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/spool"
)

// MaxOpen is how many uploads of one plugin are open at a time, and how many are known that
// are done and not expired: the oldest of these is forgotten for another.
const MaxOpen = 1000

// Config is what a Desk works with. Dir and Clock are required.
type Config struct {
	Dir   string           // holds nothing else
	Room  *spool.Spool     // whose disk the uploads share with large bodies; nil = without bound
	Clock func() time.Time // by which they expire
	Log   *slog.Logger     // nil drops it
}

// Desk has the uploads of all plugins. Safe for concurrent use. Close it.
type Desk struct {
	cfg  Config
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	uploads map[string]*Upload
	open    map[string]int       // how many a plugin has that are not taken
	taken   map[string][]*Upload // of a plugin, the oldest first
}

// Info is what is known of an upload from its begin.
type Info struct {
	Plugin     string    `json:"plugin"`
	Pattern    string    `json:"pattern"` // of the table that it is of
	Host       string    `json:"host"`
	Path       string    `json:"path"`   // that it was asked for at
	Length     int64     `json:"length"` // bytes
	Metadata   string    `json:"metadata,omitempty"`
	Attachment string    `json:"attachment,omitempty"` // what the plugin keeps with it
	Expires    time.Time `json:"expires"`
}

// record is what the file next to the bytes says.
type record struct {
	Info
	Offset int64 `json:"offset"` // bytes that are durable
	Done   bool  `json:"done,omitempty"`
}

const (
	recordSuffix = ".json"
	sweepEvery   = time.Minute
	idLength     = 26
)

// Open makes the folder, and takes up what is there: of each upload what was durable. It
// starts to remove what expires. Errors are Invalid: the folder cannot be used.
func Open(cfg Config) (*Desk, error) {
	d := &Desk{cfg: cfg, done: make(chan struct{}), uploads: map[string]*Upload{}, open: map[string]int{}, taken: map[string][]*Upload{}}
	d.cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	err := os.MkdirAll(cfg.Dir, 0o700)
	if err == nil {
		err = d.load()
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "open", fmt.Sprintf("cannot use %q for uploads", cfg.Dir), err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go d.sweepUntil(ctx)
	return d, nil
}

// load takes up the uploads that a folder has, and removes what belongs to none.
func (d *Desk) load() error {
	entries, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, isRecord := strings.CutSuffix(e.Name(), recordSuffix)
		if !isRecord || len(id) != idLength {
			continue
		}
		u, err := d.take(id)
		if err != nil {
			d.cfg.Log.Warn("an upload cannot be taken up, and is removed", "upload", id, "error", err)
			_ = os.Remove(filepath.Join(d.cfg.Dir, e.Name()))
			continue
		}
		d.add(u)
	}
	for _, list := range d.taken {
		slices.SortFunc(list, func(a, b *Upload) int { return a.Expires.Compare(b.Expires) })
	}
	for _, e := range entries {
		id, _ := strings.CutSuffix(e.Name(), recordSuffix)
		if d.uploads[id] == nil {
			_ = os.RemoveAll(filepath.Join(d.cfg.Dir, e.Name())) // it is nobody's
		}
	}
	return nil
}

// take reads the record of an upload, and cuts off of its bytes what may not be durable.
func (d *Desk) take(id string) (*Upload, error) {
	u := &Upload{desk: d, id: id, busy: make(chan struct{}, 1)}
	data, err := durable.ReadRegular(u.path()+recordSuffix, 1<<20)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &u.record); err != nil {
		return nil, err
	}
	if u.Done {
		return u, nil
	}
	info, err := os.Stat(u.path())
	if err != nil {
		return nil, err
	}
	if info.Size() < u.Offset {
		return nil, fmt.Errorf("%d bytes are there of %d", info.Size(), u.Offset)
	}
	if err := os.Truncate(u.path(), u.Offset); err != nil {
		return nil, err
	}
	u.size = u.Offset
	d.cfg.Room.Keep(u.Plugin, u.size)
	return u, nil
}

// add makes an upload known. Its caller holds mu, or is alone.
func (d *Desk) add(u *Upload) {
	d.uploads[u.id] = u
	if u.Done {
		d.taken[u.Plugin] = append(d.taken[u.Plugin], u)
	} else {
		d.open[u.Plugin]++
	}
}

// has reports whether an upload was not removed.
func (d *Desk) has(u *Upload) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.uploads[u.id] == u
}

// finished counts an upload as taken that was open, and forgets the oldest of too many.
func (d *Desk) finished(u *Upload) {
	var oldest *Upload
	d.mu.Lock()
	d.closed(u.Plugin)
	d.taken[u.Plugin] = append(d.taken[u.Plugin], u)
	if list := d.taken[u.Plugin]; len(list) > MaxOpen {
		oldest = list[0]
	}
	d.mu.Unlock()
	if oldest != nil {
		d.Remove(oldest) // whoever has it changes nothing of one that is taken
	}
}

// Open returns how many uploads were begun and are not taken.
func (d *Desk) Open() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, of := range d.open {
		n += of
	}
	return n
}

// closed counts one open upload of a plugin less. Its caller holds mu.
func (d *Desk) closed(plugin string) {
	if d.open[plugin]--; d.open[plugin] == 0 {
		delete(d.open, plugin)
	}
}

// NewID returns an id that nobody guesses.
func NewID() string { return rand.Text() }

// Create begins an upload with an id of NewID. Errors by fault code, whose texts are for
// the client: Unavailable (the plugin has as many as it may, the disk), TooLarge and
// Exhausted (no room).
func (d *Desk) Create(id string, info *Info) (*Upload, error) {
	if err := d.cfg.Room.Admit(info.Plugin, info.Length); err != nil {
		return nil, err
	}
	u := &Upload{desk: d, id: id, busy: make(chan struct{}, 1), record: record{Info: *info}}
	d.mu.Lock()
	if d.open[info.Plugin] >= MaxOpen {
		d.mu.Unlock()
		return nil, errMany
	}
	d.add(u)
	d.mu.Unlock()
	file, err := os.OpenFile(u.path(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = u.save()
	}
	if err != nil {
		d.Remove(u)
		return nil, d.failed(err)
	}
	return u, nil
}

// Find returns an upload that has not expired, nil for none.
func (d *Desk) Find(id string) *Upload {
	d.mu.Lock()
	u := d.uploads[id]
	d.mu.Unlock()
	if u == nil || !d.cfg.Clock().Before(u.Expires) {
		return nil
	}
	return u
}

// Remove ends an upload: nobody finds it again, and what is there goes. Its caller has it
// (Upload.Take), or nobody else knows it, or it is taken by the plugin.
func (d *Desk) Remove(u *Upload) {
	d.mu.Lock()
	if d.uploads[u.id] != u {
		d.mu.Unlock()
		return
	}
	delete(d.uploads, u.id)
	if list := d.taken[u.Plugin]; !slices.Contains(list, u) {
		d.closed(u.Plugin)
	} else if list = slices.DeleteFunc(list, func(o *Upload) bool { return o == u }); len(list) > 0 {
		d.taken[u.Plugin] = list
	} else {
		delete(d.taken, u.Plugin)
	}
	d.mu.Unlock()
	_ = os.Remove(u.path() + recordSuffix) // what is left the next start removes
	u.drop()
}

// Purge removes the uploads of a plugin. It waits for those that are used.
func (d *Desk) Purge(plugin string) {
	if d != nil {
		d.sweep(context.Background(), func(u *Upload) bool { return u.Plugin == plugin })
	}
}

// Close stops the removal of what expires. What is there stays for the next start.
func (d *Desk) Close() {
	if d != nil {
		d.stop()
		<-d.done
	}
}

func (d *Desk) sweepUntil(ctx context.Context) {
	defer close(d.done)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.Sweep(ctx)
		}
	}
}

// Sweep removes the uploads that have expired.
func (d *Desk) Sweep(ctx context.Context) {
	now := d.cfg.Clock()
	d.sweep(ctx, func(u *Upload) bool { return !now.Before(u.Expires) })
}

func (d *Desk) sweep(ctx context.Context, gone func(*Upload) bool) {
	var list []*Upload
	d.mu.Lock()
	for _, u := range d.uploads {
		if gone(u) {
			list = append(list, u)
		}
	}
	d.mu.Unlock()
	for _, u := range list {
		if u.Take(ctx, nil) {
			d.Remove(u)
			u.Leave()
		}
	}
}

func (d *Desk) failed(err error) error {
	d.cfg.Log.Error("an upload cannot be kept", "dir", d.cfg.Dir, "error", err)
	return errFailed
}

// What an upload meets. The texts are for clients.
var (
	errMany   = fault.New(fault.Unavailable, "", fmt.Sprintf("the service has %d uploads open, and takes no more; try again later", MaxOpen))
	errFailed = fault.New(fault.Unavailable, "", "the server cannot keep the upload at the moment; try again")
)
