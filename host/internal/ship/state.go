package ship

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// stateFile in the data folder says how far a server has shipped: what it does not
// name is kept in the store, and shipped after a restart.
const stateFile = "ship.json"

// State is how far a server has shipped.
type State struct {
	Place      string               `json:"place"`
	Generation Generation           `json:"generation"`
	Claim      Generation           `json:"claim,omitempty"` // what was about to be claimed
	Last       Generation           `json:"last,omitempty"`  // of this server, before a new beginning
	Seq        uint64               `json:"seq"`             // of the last segment
	Hash       string               `json:"hash"`
	Revision   store.Revision       `json:"revision"`       // all up to it is there
	Through    time.Time            `json:"through"`        // and was committed by then
	Base       time.Time            `json:"base"`           // of the newest base; zero: none yet
	Gone       map[string]time.Time `json:"gone,omitempty"` // modules that are no more here, since when
}

// ReadState returns the state in a data folder, the zero one where the server has not
// shipped to place. Errors: Invalid (the file is damaged), Unavailable.
func ReadState(dir, place string) (s State, err error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return State{Place: place}, nil
	}
	if err != nil {
		return s, fault.Wrap(fault.Unavailable, "ship commits", "cannot read "+filepath.Join(dir, stateFile), err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fault.Wrap(fault.Invalid, "ship commits", fmt.Sprintf(
			"%s is damaged; delete it, and the server begins again with a new base", filepath.Join(dir, stateFile)), err)
	}
	if s.Place != place {
		return State{Place: place}, nil
	}
	return s, nil
}

// Kept returns the revision after which a store is to keep what it changes, as it was
// not shipped yet; 0 = none.
func Kept(dir string) store.Revision {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	var s State
	if err != nil || json.Unmarshal(data, &s) != nil {
		return 0 // ReadState says what is wrong
	}
	return s.Revision
}

// Break says that the store in a data folder no longer has what it was to keep: the
// server begins again with a new base.
func Break(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s State
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return ForgetState(dir)
	}
	s.Revision = 0
	return s.write(dir)
}

// ForgetState removes the state: a store that serves without shipping keeps nothing
// for it.
func ForgetState(dir string) error {
	err := os.Remove(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s State) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = durable.Replace(filepath.Join(dir, stateFile), append(data, '\n'))
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "ship commits", "cannot write "+filepath.Join(dir, stateFile), err)
	}
	return nil
}

// Status is what a shipper does at the moment.
type Status struct {
	Place      string     `json:"place"`
	Generation Generation `json:"generation,omitempty"`
	// Lag is since when a commit waits to be where it would survive the machine, 0
	// while none does. While there is no base of the generation yet, all of it waits.
	Lag       time.Duration  `json:"lag"`
	Every     time.Duration  `json:"every"`
	Queued    int64          `json:"queued"` // bytes that wait on the disk
	Revision  store.Revision `json:"revision"`
	Base      time.Time      `json:"base,omitzero"` // of the newest base; zero: none yet
	Segments  uint64         `json:"segments"`      // that were sent since the start
	Bytes     uint64         `json:"bytes"`         // of them
	Bases     uint64         `json:"bases"`
	Restarts  uint64         `json:"restarts"`             // new generations since the start, as continuity was lost
	Failures  uint64         `json:"failures"`             // since the start
	LastError string         `json:"last_error,omitempty"` // "" once it works again
	Fenced    bool           `json:"fenced,omitempty"`     // another server has taken over
}

// Late reports whether the lag is one to be alarmed about.
func (s Status) Late() bool { return s.Lag > 3*s.Every }
