// Package outbound is the capability to call other services over HTTP. What may
// be called, and within which bounds, is package egress's. Engines import it.
package outbound

import (
	"context"
	"log/slog"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Functions returns the host functions of calls to other services.
func Functions() []capability.Func {
	return capability.OfPlugin(append(
		capability.Native(map[string]capability.Handler{
			abi.FnHTTPOpen:  open,
			abi.FnHTTPWrite: write,
			abi.FnHTTPHead:  head,
			abi.FnHTTPClose: closeCall,
		}),
		capability.Waiting(map[string]capability.Waiter{
			abi.FnHTTPSend: send,
			abi.FnHTTPRead: read,
		})...))
}

// open tells the plugin's log why a call was refused: the guest learns a number.
func open(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	layout, ok := mem.Range(args[0], args[1])
	calls := inv.Calls()
	var request abi.HTTPRequest
	decoded := len(layout) <= limit.OutboundHead && abi.DecodeHTTPRequest(string(layout), &request)
	switch {
	case !ok:
		return int64(abi.BadPointer)
	case calls == nil:
		refused(inv, request.URL, "no origin is granted; the manifest asks for it with outbound.allow")
		return int64(abi.Denied)
	case len(layout) > limit.OutboundHead:
		refused(inv, "", "its head is larger than "+limit.FormatSize(limit.OutboundHead))
		return int64(abi.Limit)
	case !decoded:
		return int64(abi.Invalid)
	}
	handle, status, why := calls.Open(&request)
	if status != abi.OK {
		refused(inv, request.URL, why)
		return int64(status)
	}
	return int64(handle)
}

func refused(inv *invoke.Invocation, url, why string) {
	inv.Log(slog.LevelWarn, "call refused: "+why, slog.String("url", invoke.Cut(url, 256)))
}

func write(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	data, ok := mem.Range(args[1], args[2])
	calls := inv.Calls()
	switch {
	case !ok:
		return int64(abi.BadPointer)
	case calls == nil:
		return int64(abi.Denied)
	}
	return int64(calls.Write(uint32(args[0]), data))
}

func send(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	layout, ok := mem.Range(args[0], args[1])
	calls := inv.Calls()
	switch {
	case !ok:
		return int64(abi.BadPointer), nil
	case calls == nil:
		return int64(abi.Denied), nil
	case len(layout) > limit.OutboundHead:
		return int64(abi.Limit), nil
	}
	handles, ok := abi.DecodeHandles(string(layout), nil)
	if !ok {
		return int64(abi.Invalid), nil
	}
	answered, status, err := calls.Send(ctx, handles)
	if err != nil || status != abi.OK {
		return int64(status), err
	}
	return int64(answered), nil
}

func head(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	buf, ok := mem.Range(args[1], args[2])
	calls := inv.Calls()
	switch {
	case !ok:
		return int64(abi.BadPointer)
	case calls == nil:
		return int64(abi.Denied)
	}
	layout, status := calls.Head(uint32(args[0]))
	if status != abi.OK {
		return int64(status)
	}
	return capability.Fill(buf, layout)
}

func read(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	buf, ok := mem.Range(args[1], args[2])
	calls := inv.Calls()
	switch {
	case !ok:
		return int64(abi.BadPointer), nil
	case calls == nil:
		return int64(abi.Denied), nil
	}
	n, status := calls.Read(uint32(args[0]), buf)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if status != abi.OK {
		return int64(status), nil
	}
	return int64(n), nil
}

func closeCall(inv *invoke.Invocation, _ capability.Memory, args []uint64) int64 {
	calls := inv.Calls()
	if calls == nil {
		return int64(abi.Denied)
	}
	return int64(calls.CloseCall(uint32(args[0])))
}
