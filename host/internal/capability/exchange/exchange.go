// Package exchange is the capability of every guest: to read its request and to
// answer it. Package capabilities imports it.
package exchange

import (
	"context"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Unit returns the capability.
func Unit() capability.Unit { return capability.Unit{Name: "exchange", Native: functions()} }

// functions returns the host functions of a request and its response.
func functions() []capability.Func {
	funcs := capability.Native(map[string]capability.Handler{
		abi.FnRequestHead:   requestHead,
		abi.FnResponseHead:  responseHead,
		abi.FnResponseWrite: responseWrite,
		abi.FnRouteSet:      routeSet,
		abi.FnOutcomeSet:    outcomeSet,
	})
	return append(funcs, capability.Waiting(map[string]capability.Waiter{abi.FnRequestBody: requestBody})...)
}

func requestHead(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	return mem.Put(args[0], args[1], inv.Head())
}

// requestBody ends the invocation when the file of a large body fails: a guest
// must not go on as if the part it has were all.
func requestBody(_ context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	offset := int64(args[0])
	buf, ok := mem.Range(args[1], args[2])
	switch {
	case !ok:
		return int64(abi.BadPointer), nil
	case offset < 0:
		return int64(abi.Invalid), nil
	}
	n, err := inv.Request.Body.ReadAt(buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fault.Wrap(fault.Internal, "request_body", "the file of a request's body cannot be read", err)
	}
	return int64(n), nil
}

func responseHead(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	layout, ok := mem.Range(args[0], args[1])
	if !ok {
		inv.Reply.LoseHead("response head does not lie within the guest's memory")
		return int64(abi.BadPointer)
	}
	return int64(inv.Reply.SetHead(layout))
}

func responseWrite(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	data, ok := mem.Range(args[0], args[1])
	if !ok {
		inv.Reply.LosePart("a part of the response body does not lie within the guest's memory")
		return int64(abi.BadPointer)
	}
	fits := int64(len(inv.Reply.Body))+int64(len(data)) <= inv.Limits.ResponseBody
	if fits && !inv.Hold(len(data)) {
		return int64(abi.Internal)
	}
	return int64(inv.Reply.Write(data, inv.Limits.ResponseBody))
}

func routeSet(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	pattern, ok := mem.Range(args[0], args[1])
	switch {
	case !ok:
		return int64(abi.BadPointer)
	case len(pattern) > limit.RoutePattern:
		return int64(abi.Limit)
	case !isText(pattern):
		return int64(abi.Invalid)
	}
	inv.Pattern = string(pattern)
	return int64(abi.OK)
}

func outcomeSet(inv *invoke.Invocation, _ capability.Memory, args []uint64) int64 {
	outcome := uint32(args[0])
	if outcome > abi.OutcomeAbort {
		return int64(abi.Invalid)
	}
	inv.Outcome = outcome
	return int64(abi.OK)
}

// isText reports whether b is UTF-8 without control characters: it becomes a
// metric label.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) {
			return false
		}
		b = b[n:]
	}
	return true
}
