// Package kv is the capability to read and write the plugin's key space within
// the invocation's transaction. Package capabilities imports it.
package kv

import (
	"math"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Name is that of the capability.
const Name = "kv"

// Unit returns the capability. Both ABIs have one key-value store with one set of
// rules.
func Unit() capability.Unit {
	funcs := functions()
	return capability.Unit{
		Name: Name, Keys: []string{"keys", "bytes", manifest.ReasonKey}, Read: ask, Terms: readTerms, Free: Terms{},
		Native: funcs,
		Extism: capability.InBlocks(funcs, map[string]uint64{abi.FnKVList: firstPage}),
	}
}

// firstPage is the room that Extism's kv_list gives a page before it knows its first
// entry.
const firstPage = 64 << 10

// functions returns the host functions of the key-value store.
func functions() []capability.Func {
	return capability.OfPlugin(capability.Native(map[string]capability.Handler{
		abi.FnKVGet:         get,
		abi.FnKVGetSnapshot: getSnapshot,
		abi.FnKVSet:         set,
		abi.FnKVSetStamped:  setStamped,
		abi.FnKVDelete:      remove,
		abi.FnKVAdd:         add,
		abi.FnKVList:        list,
	}))
}

func get(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	return read(inv, mem, args, (*store.Tx).Get)
}

func getSnapshot(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	return read(inv, mem, args, (*store.Tx).GetUntracked)
}

func read(inv *invoke.Invocation, mem capability.Memory, args []uint64, get func(*store.Tx, []byte) ([]byte, bool, error)) int64 {
	key, okKey := mem.Range(args[0], args[1])
	buf, okBuf := mem.Range(args[2], args[3])
	if !okKey || !okBuf {
		return int64(abi.BadPointer)
	}
	if s := check(inv, key); s != abi.OK {
		return int64(s)
	}
	data, ok, err := get(inv.Tx, key)
	switch {
	case err != nil:
		return refused(inv, err)
	case !ok:
		return int64(abi.NotFound)
	}
	return capability.Fill(buf, data)
}

func set(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	key, okKey := mem.Range(args[0], args[1])
	value, okValue := mem.Range(args[2], args[3])
	ttl := int64(args[4])
	if !okKey || !okValue {
		return int64(abi.BadPointer)
	}
	if s := check(inv, key); s != abi.OK {
		return int64(s)
	}
	if ttl < 0 {
		return int64(abi.Invalid)
	}
	return write(inv, func() error { return inv.Tx.Set(key, value, milliseconds(ttl)) })
}

func setStamped(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	key, okKey := mem.Range(args[0], args[1])
	value, okValue := mem.Range(args[2], args[3])
	keyOffset, valueOffset, ttl := int64(args[4]), int64(args[5]), int64(args[6])
	if !okKey || !okValue {
		return int64(abi.BadPointer)
	}
	if s := check(inv, key); s != abi.OK {
		return int64(s)
	}
	_, inKey := store.StampAt(keyOffset, key)
	_, inValue := store.StampAt(valueOffset, value)
	if ttl < 0 || !inKey || !inValue {
		return int64(abi.Invalid)
	}
	return write(inv, func() error {
		return inv.Tx.SetStamped(key, value, keyOffset, valueOffset, milliseconds(ttl))
	})
}

func remove(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	key, ok := mem.Range(args[0], args[1])
	if !ok {
		return int64(abi.BadPointer)
	}
	if s := check(inv, key); s != abi.OK {
		return int64(s)
	}
	return write(inv, func() error { return inv.Tx.Delete(key) })
}

func add(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	key, ok := mem.Range(args[0], args[1])
	if !ok {
		return int64(abi.BadPointer)
	}
	if s := check(inv, key); s != abi.OK {
		return int64(s)
	}
	return write(inv, func() error { return inv.Tx.Add(key, int64(args[2])) })
}

// write writes, and counts the memory that this takes.
func write(inv *invoke.Invocation, do func() error) int64 {
	err := inv.HoldWrites(do)
	if inv.Starved() != nil {
		return int64(abi.Internal)
	}
	return refused(inv, err)
}

// check answers what is wrong with a call on key before it reaches the
// transaction, so that what that finds invalid is about the stored value.
func check(inv *invoke.Invocation, key []byte) abi.Status {
	switch {
	case !inv.Env.KV || inv.Tx == nil:
		return denied(inv)
	case len(key) == 0:
		return abi.Invalid
	default:
		return abi.OK
	}
}

// denied tells the plugin's log what the guest has for a number.
func denied(inv *invoke.Invocation) abi.Status {
	inv.Notice(invoke.NoKV, "the key-value store is refused: the manifest has no [kv]; add the line [kv] to wasmoor.toml")
	return abi.Denied
}

// milliseconds is n as a duration; more than a duration holds is 292 years.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// refused is the guest's status for an error of the transaction: Invalid is a
// counter that is none or overflows, all else has been checked. The host's own
// failures go to the log with their cause, which the guest does not learn.
func refused(inv *invoke.Invocation, err error) int64 {
	switch fault.CodeOf(err) {
	case "":
		return int64(abi.OK)
	case fault.TooLarge:
		inv.Notice(invoke.KVLimit, "the key-value store refuses a call: "+fault.MessageOf(err)) // the guest has a number
		return int64(abi.Limit)
	case fault.Invalid:
		return int64(abi.WrongType)
	case fault.Conflict: // dispatch runs the handler again
		return int64(abi.Internal)
	}
	inv.Fail(err)
	return int64(abi.Internal)
}
