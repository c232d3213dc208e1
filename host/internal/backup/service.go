package backup

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Service is what the admin API has of backups.
type Service struct {
	Source *Source
	Audit  func(context.Context, plugin.Event) error
	Log    *slog.Logger

	changes  sync.Mutex
	closed   bool
	schedule atomic.Pointer[Schedule] // nil: the server has no place for backups
}

// Use begins a schedule in place of the one before, and a backup of that which is under
// way ends. Without a place there is none.
func (b *Service) Use(plan Plan) {
	b.changes.Lock()
	defer b.changes.Unlock()
	if s := b.schedule.Load(); s != nil {
		s.Close()
	}
	if plan.To == nil || b.closed {
		b.schedule.Store(nil)
		return
	}
	b.schedule.Store(Start(b.Source, plan))
}

// Close ends the schedule, for good.
func (b *Service) Close() {
	b.changes.Lock()
	b.closed = true
	b.changes.Unlock()
	b.Use(Plan{})
}

// Status returns how the schedule does; nil without one.
func (b *Service) Status() *Status {
	s := b.schedule.Load()
	if s == nil {
		return nil
	}
	st := s.Status()
	return &st
}

// Announce records in the audit that a backup is sent to whoever asks.
func (b *Service) Announce(ctx context.Context, by string) error {
	return b.tell(ctx, "sent to who asked", by)
}

// tell records a backup before it is made, which therefore has the event. A store that
// takes no writes needs a backup most: then the log alone has it.
func (b *Service) tell(ctx context.Context, where, by string) error {
	err := b.Audit(ctx, plugin.Event{By: by, Action: plugin.ActionBackup, Detail: where})
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Exhausted:
		b.Log.Error("a backup is not in the audit, which cannot be written", "by", by, "backup", where, "error", err)
		return nil
	}
	return err
}

// Stream writes a backup to w.
func (b *Service) Stream(ctx context.Context, w io.Writer) error {
	_, err := b.Source.Take(ctx, w)
	return err
}

var errNoPlace = fault.New(fault.Invalid, "", "the server has no place for backups: set backup_to, or name a destination")

// Begin has a backup made in the server's own place.
func (b *Service) Begin(ctx context.Context, by string) error {
	s := b.schedule.Load()
	if s == nil {
		return errNoPlace
	}
	if err := b.tell(ctx, "made in "+s.plan.To.String(), by); err != nil {
		return err
	}
	return s.Begin()
}

// List returns the backups in the server's own place, and how its schedule does.
func (b *Service) List(ctx context.Context) (list adminapi.Backups, err error) {
	s := b.schedule.Load()
	if s == nil {
		return list, errNoPlace
	}
	st := s.Status()
	list = adminapi.Backups{
		Place: s.plan.To.String(), Every: s.plan.Every.String(), Keep: s.plan.Keep.Newest,
		Running: st.Running, Late: st.Late, Made: st.Made, Failures: st.Failures, LastError: st.LastError,
	}
	err = Shown(ctx, s.plan.To, &list)
	return list, err
}

// Shown puts into list what is in a place.
func Shown(ctx context.Context, in bucket.Bucket, list *adminapi.Backups) error {
	l, err := List(ctx, in)
	list.Backups, list.Unfinished = make([]adminapi.Backup, 0, len(l.Kept)), make([]string, 0, len(l.Halves))
	for _, k := range l.Kept {
		list.Backups = append(list.Backups, Show(k.Name, k.Info))
	}
	for _, o := range l.Halves {
		list.Unfinished = append(list.Unfinished, o.Key)
	}
	for _, d := range l.Damaged {
		list.Damaged = append(list.Damaged, d.Error())
	}
	return err
}

// Show is what the admin API says of a backup.
func Show(name string, i archive.Info) adminapi.Backup {
	return adminapi.Backup{
		Name: name, Created: i.Created, Revision: i.Revision, Entries: i.Entries, Modules: i.Modules, Content: i.Content,
		Size: i.Size, SHA256: i.SHA256, Encrypted: i.Encrypted, Program: i.Program, Store: i.Store, Format: i.Format,
		Blobs: i.Blobs.Count, BlobBytes: i.Blobs.Bytes, BlobsMissing: i.Blobs.Missing, BlobsIn: i.Blobs.Place,
	}
}
