//go:build cguest || asguest

package e2e

import (
	bin "encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/abitest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// runGuestScripts has a guest make the calls of every script that it can: it
// finds them in the body of the request, as sdk/c/testdata/probe.c describes.
func runGuestScripts(t *testing.T, module []byte) {
	t.Helper()
	ran := 0
	for _, s := range loadScripts(t) {
		if !s.Plain() {
			continue
		}
		ran++
		t.Run(s.Name, func(t *testing.T) {
			newScriptHost(t, &s, guestCaller{t}, prepareNative(t, module, limit.Default().Memory)).run(&s)
		})
	}
	if ran < 15 {
		t.Errorf("%d scripts ran", ran)
	}
}

// Functions of the probe beyond those of the ABI, and the kinds of its arguments.
const (
	probeStore = 253
	probeGrow  = 255

	asItIs    = 0
	inBytes   = 1
	behindEnd = 2
	ofCall    = 3
	inRoom    = 4 // in the part that is answered; known to be inBytes once all texts are placed

	probeArgs = 9 // of a call, at most
)

// anyPages is how much memory a script needs for bytes that do not matter.
const anyPages = 40

// guestCaller writes scripts for the probe.
type guestCaller struct{ t *testing.T }

func (g guestCaller) begin(i *abitest.Invocation, calls []abitest.Call, origin string) (string, func(*string) told) {
	p := new(plan)
	p.make(probeGrow, argP{asItIs, anyPages})
	for n := range calls {
		p.add(&calls[n], origin)
	}
	flags := uint32(0)
	if i.Fails {
		flags = 2
	}
	return p.body(flags), func(reply *string) told { return p.told(g.t, reply) }
}

type argP struct{ kind, value int64 }

// plan is an invocation as the probe gets it.
type plan struct {
	functions []byte
	args      [][]argP
	texts     []byte
	numbers   []int    // of the script's calls, among those of the probe
	rooms     [][2]int // of their buffers: offset and size in the part that is answered
	room      int      // size of that part
}

func (p *plan) make(function int, args ...argP) {
	p.functions = append(p.functions, byte(function))
	p.args = append(p.args, args)
}

// text places bytes and returns where they lie.
func (p *plan) text(b []byte) int64 {
	p.texts = append(p.texts, b...)
	return int64(len(p.texts) - len(b))
}

func (p *plan) add(c *abitest.Call, origin string) {
	var args []argP
	room := [2]int{p.room, 0}
	for i := range c.Args {
		switch a := &c.Args[i]; {
		case a.Range != nil:
			args = append(args, argP{behindEnd, a.Range.Offset}, argP{asItIs, a.Range.Length})
		case a.Kind == abi.Out:
			room[1] = int(a.Number)
			args = append(args, argP{inRoom, int64(p.room)}, argP{asItIs, a.Number})
			p.room += room[1]
		case a.Kind == abi.In || a.Kind == abi.Text:
			args = append(args, p.data(&a.Data, origin), argP{asItIs, int64(a.Data.Size(origin))})
		case a.Handle != nil:
			args = append(args, argP{ofCall, int64(p.numbers[*a.Handle])})
		default:
			args = append(args, argP{asItIs, a.Number})
		}
	}
	p.numbers, p.rooms = append(p.numbers, len(p.functions)), append(p.rooms, room)
	p.make(numberP(c.Function.Name), args...)
}

// data places bytes; of a list of handles the probe stores each before the call.
func (p *plan) data(d *abitest.Data, origin string) argP {
	if d.Irrelevant() {
		return argP{asItIs, 0}
	}
	at := p.text(d.Bytes(origin, nil))
	for i, call := range d.Handles() {
		p.make(probeStore, argP{inBytes, at + 4 + 4*int64(i)}, argP{ofCall, int64(p.numbers[call])})
	}
	return argP{inBytes, at}
}

// numberP returns the place of a host function in the list, which is its number
// in calls.h.
func numberP(name string) int {
	return slices.IndexFunc(abi.Functions(), func(f abi.Function) bool { return f.Name == name })
}

func (p *plan) body(flags uint32) string {
	var b []byte
	for _, n := range []uint32{uint32(len(p.functions)), flags, uint32(len(p.texts)), uint32(p.room)} {
		b = bin.LittleEndian.AppendUint32(b, n)
	}
	for i, f := range p.functions {
		b = append(b, f)
		if len(p.args[i]) > probeArgs {
			panic(fmt.Sprintf("function %d takes %d arguments, and the probes have room for %d", f, len(p.args[i]), probeArgs))
		}
		for n := range probeArgs {
			var a argP
			if n < len(p.args[i]) {
				a = p.args[i][n]
			}
			if a.kind == inRoom {
				a = argP{inBytes, a.value + int64(len(p.texts))}
			}
			b = bin.LittleEndian.AppendUint64(append(b, byte(a.kind)), uint64(a.value))
		}
	}
	return string(append(b, p.texts...))
}

// told reads the probe's answer and takes it off the reply.
func (p *plan) told(t *testing.T, reply *string) (got told) {
	t.Helper()
	from := len(*reply) - 8*len(p.functions) - p.room
	if from < 0 {
		t.Fatalf("an answer of %d bytes, which is no probe's", len(*reply))
	}
	answer := []byte((*reply)[from:])
	*reply = (*reply)[:from]
	for i, n := range p.numbers {
		got.results = append(got.results, int64(bin.LittleEndian.Uint64(answer[8*n:])))
		at := 8*len(p.functions) + p.rooms[i][0]
		got.buffers = append(got.buffers, answer[at:at+p.rooms[i][1]])
	}
	return got
}
