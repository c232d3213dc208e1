package callstack

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Calls is an error that says in which functions a guest was. Its text has the
// innermost ones.
type Calls struct {
	Stack []string // a line each, the innermost first; none = nobody knows
	Err   error    // why the call ended, where the host ended it; nil = the guest trapped
}

// Error returns the innermost functions, "main.f < main.g".
func (c *Calls) Error() string {
	const most = 6
	switch {
	case len(c.Stack) > most:
		return "in " + strings.Join(c.Stack[:most], " < ") + " < ..."
	case len(c.Stack) > 0:
		return "in " + strings.Join(c.Stack, " < ")
	case c.Err != nil:
		return c.Err.Error()
	}
	return "nobody knows where"
}

// Where says in which functions the guest was that failed with err, after other words:
// ", in main.f < main.g"; "" = nobody knows.
func Where(err error) string {
	if calls, ok := errors.AsType[*Calls](err); ok && len(calls.Stack) > 0 {
		return ", " + calls.Error()
	}
	return ""
}

// Unwrap returns why the host ended the call.
func (c *Calls) Unwrap() error { return c.Err }

// Waited says that all goroutines of a guest in Go waited, and then leaves the stack
// out: it is the scheduler's, which what waits is not on. "" = they did not.
func (c *Calls) Waited() string {
	if len(c.Stack) == 0 || c.Stack[0] != "wasi_snapshot_preview1.poll_oneoff" {
		return ""
	}
	c.Stack = nil
	return "it waited, as time.Sleep, timers and channels do"
}

// Functions tells the functions of a module that an engine runs from those that it was
// given.
type Functions struct {
	Imported int // by the module as it was given, which is followed by one that was added
	Own      int
}

// Original returns the index that a function has in the module as it was given; false
// for one that was added.
func (f Functions) Original(index uint32) (uint32, bool) {
	if int64(index) < int64(f.Imported) {
		return index, true
	}
	index--
	return index, int64(index) >= int64(f.Imported) && int64(index) < int64(f.Imported+f.Own)
}

// Of reads the functions in the text of an error of wazero's, in which the module and
// its functions have no names, and names them.
func Of(err error, f Functions, packed []byte) []string {
	frames := framesOf(err.Error())
	var wanted []uint32
	for _, frame := range frames {
		if index, ok := f.Original(frame.index); ok && frame.host == "" {
			wanted = append(wanted, index)
		}
	}
	names, _ := Unpack(packed, wanted) // without, they have numbers
	var stack []string
	for _, frame := range frames {
		index, ok := f.Original(frame.index)
		switch name := names[index]; {
		case frame.host != "":
			stack = append(stack, frame.host)
		case ok && name != "":
			stack = append(stack, name)
		case ok:
			stack = append(stack, unnamed(index))
		}
	}
	stack = Brief(stack)
	if strings.HasSuffix(err.Error(), stackIsCut) {
		stack = append(stack, more)
	}
	return stack
}

// Reason returns why wazero says that a guest trapped, without the words around it.
func Reason(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if _, after, ok := strings.Cut(line, "wasm error: "); ok {
		return after
	}
	return line
}

// frame is a line of a stack.
type frame struct {
	host  string // a function of the host's; "" = one of the guest's
	index uint32
}

// wazero's words around a stack. It has 30 frames at the most, the innermost ones.
const (
	stackStarts = "\nwasm stack trace:\n\t"
	stackIsCut  = "\n\t... maybe followed by omitted frames"
)

// framesOf reads lines like ".$12(i32) i32" and "env.f(i32)".
func framesOf(text string) (frames []frame) {
	_, lines, ok := strings.Cut(text, stackStarts)
	if !ok {
		return nil
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, stackIsCut), "\n\t") {
		name, _, _ := strings.Cut(line, "(")
		number, own := strings.CutPrefix(name, ".$")
		index, err := strconv.ParseUint(number, 10, 32)
		switch {
		case own && err == nil:
			frames = append(frames, frame{index: uint32(index)})
		case !own && name != "" && !strings.HasPrefix(name, "wasmoor:"): // which is the interrupt
			frames = append(frames, frame{host: name})
		}
	}
	return frames
}

// Bounds of a stack that is shown, in lines: its innermost and its outermost.
const (
	maxInner = 24
	maxOuter = 12
	more     = "..."
)

// Brief makes a stack, innermost first, short enough to be read: without what is the
// same in many, with a recursion written once, and without its middle if it is long.
func Brief(stack []string) []string {
	own := slices.DeleteFunc(slices.Clone(stack), isMachinery)
	if len(own) == 0 {
		own = stack
	}
	lines := folded(own)
	if len(lines) > maxInner+1+maxOuter {
		lines = slices.Concat(lines[:maxInner], []string{more}, lines[len(lines)-maxOuter:])
	}
	return lines
}

// machinery starts the names of functions that say nothing: of WASI, Go's runtime and
// the SDK.
var machinery = []string{
	"wasi_snapshot_preview1.", "runtime.", "internal/runtime/", "_rt0_wasm", "wasm_pc_f_loop", "wasm_export_" + abi.ExportHandle, abi.ExportHandle,
	"github.com/wasmoor/wasmoor/sdk.", "github.com/wasmoor/wasmoor/sdk/internal/",
}

func isMachinery(name string) bool {
	return slices.ContainsFunc(machinery, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// maxCycle is how many functions may call each other in a circle that is seen.
const maxCycle = 4

// folded writes functions that call themselves, or each other in a circle, once, and
// how often.
func folded(stack []string) (lines []string) {
	for i := 0; i < len(stack); {
		size, times := 1, 1
		for p := 1; p <= maxCycle; p++ {
			if n := repeats(stack[i:], p); n > 1 && p*n > size*times {
				size, times = p, n
			}
		}
		lines = append(lines, stack[i:i+size]...)
		switch {
		case times > 1 && size == 1:
			lines[len(lines)-1] += fmt.Sprintf(" (%d times)", times)
		case times > 1:
			lines = append(lines, fmt.Sprintf("(these %d, %d times)", size, times))
		}
		i += size * times
	}
	return lines
}

// repeats returns how often the first p lines of a stack follow one another.
func repeats(stack []string, p int) int {
	n := 1
	for (n+1)*p <= len(stack) && slices.Equal(stack[:p], stack[n*p:(n+1)*p]) {
		n++
	}
	return n
}

// Recursion reports whether a brief stack is one of calls that nest without an end, as
// far as it shows.
func Recursion(stack []string) bool {
	return slices.ContainsFunc(stack, func(line string) bool {
		var n int
		_, count, _ := strings.Cut(line, " (")
		if _, after, ok := strings.Cut(line, ", "); ok && strings.HasPrefix(line, "(these ") {
			count = after
		}
		_, err := fmt.Sscanf(count, "%d times)", &n)
		return err == nil && n >= 8
	})
}
