// Package standby fills a data folder from what a server has shipped: once, for a
// restore, or again and again, for a standby that takes over by command.
package standby

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/ship"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/follower"
)

// Config says what is followed, and where to.
type Config struct {
	From    bucket.Bucket
	DataDir string
	Store   string // the store's folder, in DataDir
	Modules string // the modules' folder, in DataDir
	Blobs   string // the setting blobs
	Layout  int    // the newest format of the store that this program reads
	Crypt   ship.Crypt
	Poll    time.Duration // between two looks
	Server  string        // name of this server, for a person
	Clock   func() time.Time
	Log     *slog.Logger
}

func (c Config) copy() ship.CopyConfig {
	return ship.CopyConfig{Bucket: c.From, Dir: c.DataDir, Modules: c.Modules, Layout: c.Layout, Crypt: c.Crypt, Log: c.Log}
}

// openBlobs has the bytes of blobs go where the server is to look for them. Where that is
// remote they are there already, and the standby needs no credentials for it.
func (c Config) openBlobs(to *ship.Copy) (err error) {
	place := c.Blobs
	if strings.HasPrefix(place, "s3://") {
		place = ""
	}
	to.Blobs, err = keeper.Open(c.DataDir, place, nil, 0, c.Log)
	return err
}

// Restored says where a restore has got to.
type Restored struct {
	Generation string    `json:"generation"`
	Revision   uint64    `json:"revision"` // of the last commit that is there
	Time       time.Time `json:"time"`     // it was committed by then
	Server     string    `json:"server"`   // that shipped there last
	Seen       time.Time `json:"seen"`     // when it was there last
	// Lost is how much may be gone at most: from the last commit known to be there up
	// to when the server was there last. It is 0 for a restore to an earlier time.
	Lost time.Duration `json:"lost"`
	// Missing is how many blobs plugins name whose bytes have not come.
	Missing int64 `json:"blobs_missing"`
}

// Restore fills an empty data folder up to a target. What it leaves after an error is
// served by no server, and may be deleted. Errors: Conflict (the folder is not empty),
// NotFound (nothing goes back so far), Invalid (what was shipped is damaged; the
// message says where), those of the bucket.
func Restore(ctx context.Context, cfg Config, t ship.Target) (r Restored, err error) {
	if state, err := ship.ReadCopy(cfg.DataDir); err != nil || state != nil {
		if err == nil {
			err = fault.New(fault.Conflict, "restore", fmt.Sprintf("%s is a standby, or a restore that did not end; name an empty folder", cfg.DataDir))
		}
		return r, err
	}
	c, err := ship.OpenCopy(cfg.copy())
	if err != nil {
		return r, err
	}
	base, err := c.Find(ctx, t)
	if err != nil {
		_ = c.Finish() // it is empty
		return r, err
	}
	if err = cfg.openBlobs(c); err != nil {
		return r, err
	}
	to, err := follower.Open(cfg.Store, cfg.Log)
	if err != nil {
		return r, err
	}
	err = fill(ctx, c, base, t, to)
	var missing int64
	if err == nil {
		missing, err = cargo.Missing(ctx, to, c.Blobs)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return r, err
	}
	r = Restored{Missing: missing, Generation: string(c.State.Generation), Revision: uint64(c.State.Revision), Time: c.State.Time.UTC()}
	if t.Revision != 0 && c.State.Revision != t.Revision {
		return r, fault.New(fault.NotFound, "restore", fmt.Sprintf("there is no revision %d: the last before it is %d", t.Revision, c.State.Revision))
	}
	newest, alive, err := c.Newest(ctx)
	if err != nil {
		return r, err
	}
	r.Server, r.Seen = newest.Server, alive.Time
	if t == (ship.Target{}) && alive.Time.After(alive.Through) {
		r.Lost = alive.Time.Sub(alive.Through)
	}
	return r, c.Finish()
}

func fill(ctx context.Context, c *ship.Copy, base ship.Base, t ship.Target, to ship.Applier) error {
	if err := c.Base(ctx, base, to); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = c.Step(ctx, t, to); err != nil {
			return err
		}
	}
	return c.BringModules(ctx)
}

// Status is how a standby stands.
type Status struct {
	From       string         `json:"from"`
	Generation string         `json:"generation,omitempty"`
	Revision   store.Revision `json:"revision"`
	Time       time.Time      `json:"time,omitzero"` // of the last commit
	// Lag is how much would be lost if it took over now, as far as it knows.
	Lag       time.Duration `json:"lag"`
	Primary   string        `json:"primary,omitempty"`       // the server that ships
	Seen      time.Time     `json:"seen,omitzero"`           // when it was there last
	Ready     bool          `json:"ready"`                   // it could take over
	Promoted  bool          `json:"promoted,omitempty"`      // it has taken over
	Missing   int64         `json:"blobs_missing,omitempty"` // then: blobs that plugins name whose bytes are not here
	LastError string        `json:"last_error,omitempty"`    // "" once it works again
}

// Standby follows. Make it with New; Run it.
type Standby struct {
	cfg  Config
	copy *ship.Copy
	to   *follower.Follower

	work   sync.Mutex // held by who reads from the bucket
	taken  bool       // it has taken over
	mu     sync.Mutex
	status Status
	alive  ship.Alive
	end    chan struct{} // closed when it has taken over
}

// New opens the copy in the data folder, or begins one in an empty folder.
func New(cfg Config) (*Standby, error) {
	c, err := ship.OpenCopy(cfg.copy())
	if err != nil {
		return nil, err
	}
	if err = cfg.openBlobs(c); err != nil {
		return nil, err
	}
	s := &Standby{cfg: cfg, copy: c, end: make(chan struct{})}
	s.status = Status{From: cfg.From.String()}
	if s.to, err = follower.Open(cfg.Store, cfg.Log); err != nil {
		return nil, err
	}
	return s, nil
}

// Run follows until ctx ends, or the standby has taken over: then the data folder is
// one to serve, and nil is returned.
func (s *Standby) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.work.Lock()
		var err error
		if !s.taken {
			err = s.follow(ctx)
		}
		s.work.Unlock()
		s.note(ctx, err)
		select {
		case <-s.end:
			return nil
		case <-time.After(s.cfg.Poll):
		case <-ctx.Done():
		}
	}
	s.work.Lock()
	defer s.work.Unlock()
	if s.taken {
		return nil
	}
	return errors.Join(ctx.Err(), s.to.Close())
}

// note keeps an error for the status, and logs the first of a row.
func (s *Standby) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	before := s.status.LastError
	s.status.LastError = ""
	if err != nil {
		s.status.LastError = fault.MessageOf(err)
	}
	s.mu.Unlock()
	switch {
	case err != nil && before == "":
		s.cfg.Log.Error("the standby does not get further; it is tried again", "from", s.cfg.From.String(), "error", err)
	case err == nil && before != "":
		s.cfg.Log.Info("the standby follows again", "from", s.cfg.From.String())
	}
}

// follow applies what is there. The caller holds work.
func (s *Standby) follow(ctx context.Context) error {
	newest, alive, err := s.copy.Newest(ctx)
	if err != nil {
		return err
	}
	if newest.Generation == "" {
		return fault.New(fault.NotFound, "follow", "nothing was shipped there; name the place of a server's ship_to with --from")
	}
	if newest.Generation != s.copy.State.Generation {
		if err := s.begin(ctx, newest.Generation); err != nil {
			return err
		}
	}
	moved := false
	for more := true; more && ctx.Err() == nil; {
		if more, err = s.copy.Step(ctx, ship.Target{}, s.to); err != nil {
			return err
		}
		moved = moved || more
	}
	if moved {
		if err := s.copy.BringModules(ctx); err != nil {
			return err
		}
	}
	if newest.Generation != s.copy.State.Generation { // its base is not there yet
		alive = ship.Alive{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.copy.State
	s.alive = alive
	s.status.Generation, s.status.Revision, s.status.Time = string(st.Generation), st.Revision, st.Time
	s.status.Primary, s.status.Seen, s.status.Ready = newest.Server, alive.Time, true
	return nil
}

// begin starts with the base of a generation, once it is there. Until then the
// generation before is followed to its end.
func (s *Standby) begin(ctx context.Context, newest ship.Generation) error {
	base, err := s.copy.Find(ctx, ship.Target{})
	if err != nil || base.Generation == s.copy.State.Generation {
		return err
	}
	if s.copy.State.Generation != "" {
		s.cfg.Log.Warn("another generation has begun: the standby starts again with its base", "generation", string(newest))
		s.mu.Lock()
		s.status.Ready = false
		s.mu.Unlock()
	}
	if err := s.copy.Reset(); err != nil {
		return err
	}
	err = s.to.Close()
	if err == nil {
		err = os.RemoveAll(s.cfg.Store)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "follow", "cannot begin anew in "+s.cfg.Store, err)
	}
	if s.to, err = follower.Open(s.cfg.Store, s.cfg.Log); err != nil {
		return err
	}
	if err := s.copy.Base(ctx, base, s.to); err != nil {
		return err
	}
	return s.copy.BringModules(ctx)
}

// Status returns how it stands.
func (s *Standby) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	now := s.cfg.Clock()
	switch {
	case !st.Ready:
	case st.Revision >= s.alive.Revision && !s.alive.Through.IsZero():
		st.Lag = max(now.Sub(s.alive.Through), 0)
	default:
		st.Lag = max(now.Sub(st.Time), 0)
	}
	return st
}

// Promote takes over: what is there is fetched, the place is claimed, so that the
// server before ends, and the data folder becomes one to serve. Errors: Conflict (the
// server still ships; force takes over even so), Unavailable (nothing was followed
// yet), those of the bucket.
func (s *Standby) Promote(ctx context.Context, force bool) (Status, error) {
	s.work.Lock()
	defer s.work.Unlock()
	if s.taken {
		return s.Status(), fault.New(fault.Conflict, "promote", "it has taken over already")
	}
	if err := s.follow(ctx); err != nil && !force {
		return s.Status(), err
	}
	st := s.Status()
	now := s.cfg.Clock()
	switch {
	case !st.Ready:
		return st, fault.New(fault.Unavailable, "promote", "the standby has no base yet: there is nothing to serve")
	case s.alive.Recent(now) && !force:
		return st, fault.New(fault.Conflict, "promote", fmt.Sprintf(
			"%s still ships, the last time %s ago: stop it first, or take over from it with --force, which ends it",
			st.Primary, now.Sub(s.alive.Time).Round(time.Second)))
	}
	if err := s.takeOver(ctx); err != nil {
		return st, err
	}
	s.taken = true
	s.mu.Lock()
	s.status.Promoted, s.status.LastError = true, ""
	s.mu.Unlock()
	close(s.end)
	return s.Status(), nil
}

func (s *Standby) takeOver(ctx context.Context) error {
	id, err := s.to.ID()
	if err != nil {
		return err
	}
	if _, err := s.copy.Claim(ctx, s.cfg.Server, id, s.cfg.Clock()); err != nil {
		return err
	}
	// What the server before has sent until it finds the claim is taken too.
	if err := s.lastFetch(ctx); err != nil {
		s.cfg.Log.Warn("what was shipped at the very end could not be fetched", "error", err)
	}
	missing, err := cargo.Missing(ctx, s.to, s.copy.Blobs)
	if err != nil || missing > 0 {
		s.cfg.Log.Error("the bytes of blobs that plugins name are not here", "missing", missing, "error", err)
	}
	s.mu.Lock()
	s.status.Missing = missing
	s.mu.Unlock()
	return errors.Join(s.to.Close(), s.copy.Finish())
}

func (s *Standby) lastFetch(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = s.copy.Step(ctx, ship.Target{}, s.to); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.status.Revision, s.status.Time = s.copy.State.Revision, s.copy.State.Time
	s.mu.Unlock()
	return s.copy.BringModules(ctx)
}
