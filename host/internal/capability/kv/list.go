package kv

import (
	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

func list(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	prefix, okPrefix := mem.Range(args[0], args[1])
	after, okAfter := mem.Range(args[2], args[3])
	count, flags := uint32(args[4]), uint32(args[5])
	buf, okBuf := mem.Range(args[6], args[7])
	switch {
	case !okPrefix || !okAfter || !okBuf:
		return int64(abi.BadPointer)
	case !inv.Env.KV || inv.Tx == nil:
		return int64(denied(inv))
	case flags&^capability.ListFlags != 0:
		return int64(abi.Invalid)
	}
	p := capability.NewPage(len(buf), count, flags)
	if err := inv.Tx.List(capability.Query(prefix, after, count, flags), p.Add); err != nil {
		return refused(inv, err)
	}
	return p.Finish(buf)
}
