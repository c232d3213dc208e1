package enginetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine"
)

// The probe is a guest with 2 pages of which all but a small window holds
// filler. Its window lies where no probing range begins or ends.
const (
	probePages = 2
	probeSize  = probePages << 16
	window     = 3 << 14
	windowSize = 96
	filler     = 0xa5
)

// probe reads its function's arguments from the request's body, 8 bytes each,
// calls it, and answers its result and then its whole memory.
func probe(module, name string, params, results []abi.Type) []byte {
	b := NewBuilder(probePages)
	read, write := b.Native(abi.FnRequestBody), b.Native(abi.FnResponseWrite)
	function := b.Import(module, name, params, results)
	code := new(Code).I32(0).I32(filler).I32(probeSize).Op(0xfc, 11, 0) // memory.fill
	code.I64(0).I32(window).I32(windowSize).Call(read).Drop()
	for i, t := range params {
		code.I32(window + uint32(i)*8).Load64()
		if t == abi.I32 {
			code.Wrap()
		}
	}
	code.Call(function)
	if len(results) > 0 && results[0] == abi.I32 {
		code.Extend()
	}
	code.Set(0).I32(window).Get(0).Store64()
	code.I32(window).I32(8).Call(write).Drop()
	code.I32(0).I32(probeSize).Call(write).Drop()
	return b.Handle(code.I32(0)).Bytes()
}

// span is a range of memory as a guest passes it.
type span struct{ ptr, size uint32 }

func (s span) inside() bool { return uint64(s.ptr)+uint64(s.size) <= probeSize }

// edges are the numbers a pointer or a length is probed with.
var edges = []uint32{0, 1, probeSize - 1, probeSize, probeSize + 1, 1 << 31, 1<<32 - 1}

// spans returns each combination of edges as pointer and length.
func spans() []span {
	var list []span
	for _, ptr := range edges {
		for _, size := range edges {
			list = append(list, span{ptr, size})
		}
	}
	return list
}

// testPointers calls every host function of the ABI with every combination of
// edges for each of its ranges, the others valid and overlapping.
func testPointers(t *testing.T, e Direct) {
	for _, f := range abi.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			p := Prepare(t, e, probe(abi.Module, f.Name, f.Types(), []abi.Type{abi.I64}))
			for varied, param := range f.Params {
				if param.Kind != abi.In && param.Kind != abi.Text && param.Kind != abi.Out {
					continue
				}
				for _, s := range spans() {
					probeNative(t, p, f, varied, s)
				}
			}
		})
	}
}

func probeNative(t *testing.T, p engine.Program, f abi.Function, varied int, s span) {
	t.Helper()
	var args []uint64
	var out span
	for i, param := range f.Params {
		use := span{8, 64}
		if i == varied {
			use = s
		}
		switch param.Kind {
		case abi.In, abi.Text, abi.Out:
			args = append(args, uint64(use.ptr), uint64(use.size))
		default:
			args = append(args, 0)
		}
		if param.Kind == abi.Out {
			out = use
		}
	}
	call := fmt.Sprintf("%s(%d)", f.Name, args)
	result, memory := probeOnce(t, p, call, args)
	if got := abi.Status(result); (got == abi.BadPointer) == s.inside() {
		t.Errorf("%s: got %d, and the range is inside: %v", call, got, s.inside())
	}
	if !out.inside() {
		out = span{}
	}
	wantUntouched(t, call, memory, []span{out})
}

// testHeadPointer checks that a head which fits exactly is written, and one
// byte less of room writes nothing.
func testHeadPointer(t *testing.T, e Direct) {
	inv := Invocation("", nil, nil)
	inv.Request.Head.BodySize = windowSize // the arguments are the body
	head := inv.Head()
	p := Prepare(t, e, probe(abi.Module, abi.FnRequestHead, []abi.Type{abi.I32, abi.I32}, []abi.Type{abi.I64}))
	for _, room := range []int{len(head) - 1, len(head), len(head) + 1} {
		args := []uint64{probeSize - 512, uint64(room)}
		result, memory := probeOnce(t, p, "request_head", args)
		want := bytes.Clone(head)
		if room < len(head) {
			want = bytes.Repeat([]byte{filler}, len(head))
		}
		if got := memory[probeSize-512:][:len(head)]; result != int64(len(head)) || !bytes.Equal(got, want) {
			t.Errorf("room for %d: got %d, %q; want %d, %q", room, result, got, len(head), want)
		}
	}
}

// testPointersOfOthers does the same to functions whose ranges are not declared:
// each pair of neighbouring parameters is probed as one.
func testPointersOfOthers(t *testing.T, e Direct, funcs []capability.Func) {
	for _, f := range funcs {
		if len(f.Results) == 0 {
			continue // it ends the guest
		}
		t.Run(f.Name, func(t *testing.T) {
			p := Prepare(t, e, probe(f.Module, f.Name, f.Params, f.Results))
			for first := range max(0, len(f.Params)-1) {
				for _, s := range spans() {
					args := make([]uint64, len(f.Params))
					for i := range args {
						args[i] = 1
					}
					args[first], args[first+1] = uint64(s.ptr), uint64(s.size)
					result, memory := probeOnce(t, p, fmt.Sprintf("%s(%d)", f.Name, args), args)
					if result < 0 || result > 76 {
						t.Errorf("%s(%d): got %d, which is no errno", f.Name, args, result)
					}
					if untouched := result != 0 || f.Name == "random_get"; untouched {
						continue
					}
					wantSmall(t, f.Name, args, memory)
				}
			}
		})
	}
}

// wantSmall checks that what succeeded wrote at most 3 results of 64 bytes.
func wantSmall(t *testing.T, name string, args []uint64, memory []byte) {
	t.Helper()
	const most = 3 * 64
	changed := 0
	for i, b := range memory {
		if b != filler && (i < window || i >= window+windowSize) {
			changed++
		}
	}
	if changed > most {
		t.Errorf("%s(%d): %d bytes of memory changed", name, args, changed)
	}
}

func probeOnce(t *testing.T, p engine.Program, call string, args []uint64) (result int64, memory []byte) {
	t.Helper()
	body := make([]byte, windowSize)
	for i, v := range args {
		binary.LittleEndian.PutUint64(body[8*i:], v)
	}
	inv := Invocation(string(body), Begin(Snapshot{"\xa5": "value"}), nil)
	if err := Handle(context.Background(), p, inv); err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	answer := inv.Reply.Body[len(inv.Reply.Body)-probeSize-8:]
	return int64(binary.LittleEndian.Uint64(answer)), answer[8:]
}

// wantUntouched checks that memory holds filler outside the window and the
// given ranges.
func wantUntouched(t *testing.T, call string, memory []byte, but []span) {
	t.Helper()
	fill := func(from, to uint32) {
		for i := from; i < to; i++ {
			memory[i] = filler
		}
	}
	fill(window, window+windowSize)
	for _, s := range but {
		fill(s.ptr, s.ptr+s.size)
	}
	for i, b := range memory {
		if b != filler {
			t.Fatalf("%s: byte %d of memory was changed to %#x", call, i, b)
		}
	}
}
