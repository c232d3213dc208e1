package extism

import (
	"context"
	"math"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
)

// page is the room that kv_list gives a page before it knows its first entry.
const page = 64 << 10

// keyValue calls the host functions of the native ABI, so that both ABIs have one
// key-value store with one set of rules. Guest memory is the arena.
type keyValue map[string]capability.Call

func newKeyValue() keyValue {
	k := keyValue{}
	for _, f := range kv.Functions() {
		k[f.Name] = f.Call
	}
	return k
}

func (k keyValue) call(s *state, name string, args ...uint64) int64 {
	g := capability.Guest{Inv: s.inv, Mem: s.arena.mem}
	result, err := k[name](context.Background(), &g, args)
	if err != nil { // these functions neither wait nor exit
		return int64(abi.Internal)
	}
	return int64(result)
}

// kvFunctions are the key-value store of UserModule. Keys and values are blocks;
// a result below zero is an abi.Status.
func kvFunctions() []function {
	k := newKeyValue()
	return []function{
		plain(UserModule, "kv_get", "l>l", k.get),
		plain(UserModule, "kv_set", "lll>l", func(s *state, args []uint64) uint64 {
			return k.withBlocks(s, abi.FnKVSet, args[:2], args[2])
		}),
		plain(UserModule, "kv_delete", "l>l", func(s *state, args []uint64) uint64 {
			return k.withBlocks(s, abi.FnKVDelete, args[:1])
		}),
		plain(UserModule, "kv_add", "ll>l", func(s *state, args []uint64) uint64 {
			return k.withBlocks(s, abi.FnKVAdd, args[:1], args[1])
		}),
		plain(UserModule, "kv_list", "llll>l", k.list),
	}
}

// withBlocks calls a function whose first arguments are blocks, each of which
// becomes a pointer and a length. Block 0 has no bytes.
func (k keyValue) withBlocks(s *state, name string, blocks []uint64, rest ...uint64) uint64 {
	args := make([]uint64, 0, 8)
	for _, offset := range blocks {
		if _, ok := s.arena.block(offset); !ok && offset != 0 {
			return capability.Result(abi.BadPointer)
		}
		args = append(args, offset, s.arena.length(offset))
	}
	return uint64(k.call(s, name, append(args, rest...)...))
}

// get returns the block of a value; 0 when the key is absent.
func (k keyValue) get(s *state, args []uint64) uint64 {
	size := int64(k.withBlocks(s, abi.FnKVGet, args[:1], 0, 0))
	switch {
	case size == int64(abi.NotFound):
		return 0
	case size < 0:
		return uint64(size)
	}
	value := s.arena.alloc(uint64(size))
	if value == 0 {
		return capability.Result(abi.Limit)
	}
	if got := k.withBlocks(s, abi.FnKVGet, args[:1], value, uint64(size)); int64(got) < 0 {
		return got
	}
	return value
}

// list returns the block of a page in the layout of the native ABI.
func (k keyValue) list(s *state, args []uint64) uint64 {
	limit, flags := min(args[2], math.MaxUint32), min(args[3], math.MaxUint32)
	for room := uint64(page); ; {
		block := s.arena.alloc(room)
		if block == 0 {
			return capability.Result(abi.Limit)
		}
		n := int64(k.withBlocks(s, abi.FnKVList, args[:2], limit, flags, block, room))
		if n >= 0 && uint64(n) <= room {
			s.arena.shrink(block, int(n))
			return block
		}
		s.arena.free(block)
		if n < 0 {
			return uint64(n)
		}
		room = uint64(n)
	}
}
