// Package password is the capability to hash passwords, which is slow and takes
// memory on purpose. Package capabilities imports it.
package password

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/phc"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// Name is that of what the capability keeps: a line with the plugin and the
// deployment, a count with the attempt.
const Name = "password"

// most is how many hashes are computed at a time, however many processors there
// are: more than a hundred passwords a second.
const most = 2

// Memory is what the hashes under way take at most, in bytes.
const Memory = most * limits.PasswordMemory

// atOnce returns how many hashes are computed at a time where so many guests are:
// they leave others half of the places, if there are two.
func atOnce(places int) int { return min(max(places/2, 1), most) }

// Unit returns the capability of a host where so many guests compute at a time.
func Unit(places int) capability.Unit {
	queue := runq.New(atOnce(places))
	funcs := capability.OfPlugin(capability.Waiting(map[string]capability.Waiter{
		abi.FnPasswordHash:   hash,
		abi.FnPasswordVerify: verify,
	}))
	return capability.Unit{
		Name:       Name,
		Plugin:     func(func() time.Time) invoke.State { return line{queue.NewLine()} },
		Deployment: func(d capability.Deployment) invoke.State { return d.Plugin },
		Native:     funcs,
		Extism:     capability.InBlocks(funcs, map[string]uint64{abi.FnPasswordHash: uint64(phc.Size)}),
	}
}

// line is what a plugin has of the queue for hashes.
type line struct{ *runq.Line }

// Close implements invoke.State.
func (line) Close() {}

// count is how many hashes an attempt has computed.
type count struct{ hashes int }

// Close implements invoke.State.
func (*count) Close() {}

// admit counts a hash of the attempt, and reports whether it may have one more.
func admit(inv *invoke.Invocation) bool {
	c, ok := inv.State(Name).(*count)
	if !ok {
		c = new(count)
		inv.Keep(Name, c)
	}
	c.hashes++
	return c.hashes <= limits.PasswordHashes
}

// hash computes nothing for a buffer that is too small, nor draws a salt.
func hash(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	password, okPassword := mem.Range(args[0], args[1])
	buf, okBuf := mem.Range(args[2], args[3])
	switch {
	case !okPassword || !okBuf:
		return int64(abi.BadPointer), nil
	case len(password) == 0:
		return int64(abi.Invalid), nil
	case len(password) > limits.Password:
		return int64(abi.Limit), nil
	case len(buf) < phc.Size:
		return int64(phc.Size), nil
	case !admit(inv):
		return int64(abi.Limit), nil
	}
	salt := make([]byte, phc.SaltSize)
	inv.Look(invoke.LookedAtChance)
	inv.World().Random(salt)
	h := phc.New(salt)
	sum, err := compute(ctx, inv, password, &h)
	if err != nil {
		return 0, err
	}
	h.Sum = sum
	return capability.Fill(buf, h.String()), nil
}

// verify computes a hash for a password of nobody too, so that nobody learns by the
// time who is somebody.
func verify(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	password, okPassword := mem.Range(args[0], args[1])
	text, okText := mem.Range(args[2], args[3])
	switch {
	case !okPassword || !okText:
		return int64(abi.BadPointer), nil
	case len(password) > limits.Password:
		return int64(abi.Limit), nil
	}
	h, nobody := phc.New(make([]byte, phc.SaltSize)), len(text) == 0
	if !nobody {
		var status abi.Status
		if h, status = phc.Parse(string(text)); status != abi.OK {
			return int64(status), nil
		}
	}
	if !admit(inv) {
		return int64(abi.Limit), nil
	}
	sum, err := compute(ctx, inv, password, &h)
	switch {
	case err != nil:
		return 0, err
	case nobody || subtle.ConstantTimeCompare(sum, h.Sum) == 0:
		return abi.PasswordWrong, nil
	case h.Stale():
		return abi.PasswordStale, nil
	}
	return abi.PasswordRight, nil
}

// compute computes a sum as long as that of h. It waits for a place among the hashes
// without the guest's place in the run queue, and computes on both: so neighbours
// have processors that no hash is computed on, and the plugin is charged the time.
func compute(ctx context.Context, inv *invoke.Invocation, password []byte, h *phc.Hash) ([]byte, error) {
	var turn runq.Turn
	if l, ok := inv.Env.States.Of(Name).(line); ok {
		turn.Begin(l.Line)
	}
	var none error
	late := runq.Of(ctx).Wait(ctx, func() { none = turn.Take(ctx) })
	defer turn.End()
	if err := cmp.Or(none, late); err != nil {
		return nil, tooLate(err)
	}
	return argon2.IDKey(password, h.Salt, h.Passes, h.Memory, h.Lanes, uint32(len(h.Sum))), nil
}

// tooLate is err, with which a wait has ended, as what the client learns.
func tooLate(err error) error {
	if !errors.Is(err, runq.ErrHopeless) {
		return err
	}
	return fault.Wrap(fault.Unavailable, "password",
		"more passwords wait to be hashed than can be before the deadline", err)
}
