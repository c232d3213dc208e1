package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/standby"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// maxShipQueue is how many bytes of commits may wait on the disk for the bucket: a
// day of a quiet server, some minutes of a busy one.
const maxShipQueue = 1 << 30

// shipping is a store whose commits are shipped.
type shipping struct{ *badger.Store }

func (shipping) Layout() int               { return badger.Format }
func (s shipping) Tap(most int64) ship.Tap { return s.Store.Tap(most) }

// mayOpen refuses the folder of a standby. A store that serves without shipping keeps
// nothing for it.
func (h *Host) mayOpen() error {
	copied, err := ship.ReadCopy(h.cfg.DataDir)
	if err != nil {
		return err
	}
	if copied != nil {
		return fault.New(fault.Conflict, "open", fmt.Sprintf(
			"%s follows %s as a standby, or a restore into it did not end; take over with: wasmoor standby promote --data %s, or restore into an empty folder",
			h.cfg.DataDir, copied.Place, h.cfg.DataDir))
	}
	if h.cfg.ShipTo == "" {
		return ship.ForgetState(h.cfg.DataDir)
	}
	return nil
}

// startShipping ships, if a place is named.
func (h *Host) startShipping(ctx context.Context) (err error) {
	if h.cfg.ShipTo == "" {
		return nil
	}
	to, err := bucket.Open(h.cfg.ShipTo)
	if err != nil {
		return badConfig("ship_to", fault.MessageOf(err))
	}
	state, err := ship.ReadState(h.cfg.DataDir, to.String())
	if err != nil {
		return err
	}
	crypt, err := ship.ToRecipients(h.cfg.ShipRecipients)
	if err != nil {
		return badConfig("ship_recipients", fault.MessageOf(err))
	}
	blobs := h.blobs.Blobs()
	if blobs.Remote() {
		blobs = nil // whoever takes over reaches them
	}
	h.shipper, err = ship.Start(ctx, ship.Config{
		Bucket: to, Source: shipping{h.store}, State: state, Dir: h.cfg.DataDir, Modules: modulesDir(h.cfg), Blobs: blobs,
		Every: h.cfg.ShipEvery, BaseEvery: h.cfg.ShipBaseEvery, Keep: h.cfg.ShipKeep, MaxQueue: maxShipQueue, Room: h.store.Health,
		Server: serverName(), Crypt: crypt, Clock: h.cfg.Clock, Log: h.cfg.Log,
		Fenced: func(err error) { h.fenced <- err },
	})
	return err
}

func serverName() string {
	name, err := os.Hostname()
	if err != nil {
		return "a server"
	}
	return name
}

// Shipping returns how shipping commits goes; nil where no place is named.
func (h *Host) Shipping() *ship.Status {
	if h.shipper == nil {
		return nil
	}
	st := h.shipper.Status()
	return &st
}

// shippingStatus is Shipping for the admin API.
func (h *Host) shippingStatus() *adminapi.Shipping {
	st := h.Shipping()
	if st == nil {
		return nil
	}
	s := &adminapi.Shipping{
		Place: st.Place, LagMillis: (st.Lag + time.Millisecond - 1).Milliseconds(), Late: st.Late(), Queued: st.Queued,
		Revision: uint64(st.Revision), Failures: st.Failures, Error: st.LastError,
	}
	if !st.Base.IsZero() {
		s.Base = &st.Base
	}
	return s
}

// RestoreConfig says what is restored, and where to.
type RestoreConfig struct {
	From     string // where a server ships to
	DataDir  string // a folder that is empty, or not there
	Identity string // the age identity, if what is shipped is encrypted
	Time     time.Time
	Revision uint64 // with Time zero too: all there is
	Log      *slog.Logger
}

// Restored says where a restore has got to.
type Restored = standby.Restored

// Restore fills an empty data folder from what a server has shipped.
func Restore(ctx context.Context, cfg RestoreConfig) (Restored, error) {
	c, err := follow(cfg.From, cfg.DataDir, cfg.Identity, cfg.Log)
	if err != nil {
		return Restored{}, err
	}
	return standby.Restore(ctx, c, ship.Target{Time: cfg.Time, Revision: store.Revision(cfg.Revision)})
}

func follow(from, dir, identity string, log *slog.Logger) (standby.Config, error) {
	b, err := bucket.Open(from)
	if err != nil {
		return standby.Config{}, err
	}
	crypt, err := ship.ByIdentity(identity)
	if err != nil {
		return standby.Config{}, err
	}
	cfg := Config{DataDir: dir}
	return standby.Config{
		From: b, DataDir: dir, Store: storeConfig(cfg).Dir, Modules: modulesDir(cfg), Layout: badger.Format, Crypt: crypt,
		Poll: time.Second, Server: serverName(), Clock: time.Now, Log: cmp.Or(log, slog.New(slog.DiscardHandler)),
	}, nil
}

// Standby runs a standby of what a server ships to a place, in cfg.DataDir, until it
// has taken over or ctx ends. It answers probes on both addresses. When it returns nil
// the folder is one to serve, with cfg.ShipTo the place. Listening is told the
// addresses as URLs.
func Standby(ctx context.Context, cfg Config, from, identity string, listening func(public, admin string)) error {
	c, err := follow(from, cfg.DataDir, identity, cfg.Log)
	if err != nil {
		return err
	}
	c.Blobs = cfg.Blobs
	c.Poll = min(cfg.ShipEvery/10, time.Second)
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, "open", fmt.Sprintf("cannot make the data directory %q", cfg.DataDir), err)
	}
	s, err := standby.New(c)
	if err != nil {
		return err
	}
	h := &Host{cfg: cfg}
	if h.publicListener, err = h.listenOn(PublicListener, cfg.PublicAddr); err != nil {
		return err
	}
	if h.adminListener, err = h.listenOn(AdminListener, cfg.AdminAddr); err != nil {
		return errors.Join(err, h.publicListener.Close())
	}
	listening(h.PublicURL(), h.AdminURL())
	if err := s.Serve(ctx, h.publicListener, h.adminListener); err != nil {
		return err
	}
	_ = keeper.TakeOver(ctx, cfg.DataDir, cfg.Blobs) // from the server before; if it fails, the start says what to do
	return nil
}

// StandbyStatus is how a standby stands.
type StandbyStatus = standby.Status

// AskStandby returns how the standby stands that runs on a data folder.
func AskStandby(ctx context.Context, dir string) (StandbyStatus, error) {
	return standby.Ask(ctx, dir, false, false)
}

// PromoteStandby has the standby that runs on a data folder take over. Force does so
// though the server before still ships.
func PromoteStandby(ctx context.Context, dir string, force bool) (StandbyStatus, error) {
	return standby.Ask(ctx, dir, true, force)
}
