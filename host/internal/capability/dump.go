package capability

import (
	"slices"
	"strings"
)

// Dump is what Go's runtime writes to standard error before it ends a program: why, and
// the stacks of all goroutines, some hundred lines. It is kept as what a person needs.
type Dump struct {
	Why   string   // "fatal error: all goroutines are asleep - deadlock!"
	Stack []string // of the goroutine that failed, the innermost call first, "main.f main.go:12"
}

// dump reads the lines of a Dump.
type dump struct {
	head    []string // the lines that may be the start of one
	stack   []string
	call    string // whose place follows
	stacks  bool   // the stacks have begun
	skipped bool   // what follows is of another goroutine
}

// Bounds of a Dump, in lines.
const (
	maxDumpHead  = 8
	maxDumpStack = 128 // Go's runtime writes a hundred of a goroutine
)

var dumpStarts = []string{"panic: ", "fatal error: ", "runtime: out of memory: ", "runtime: goroutine stack exceeds "}

// take takes a line, and reports whether it is a part of a dump, or may be.
func (d *dump) take(line string) bool {
	switch {
	case len(d.head) == 0:
		if !slices.ContainsFunc(dumpStarts, func(start string) bool { return strings.HasPrefix(line, start) }) {
			return false
		}
		d.head = append(d.head, line)
	case isStackHeader(line):
		d.stacks, d.skipped = true, len(d.stack) > 0
	case !d.stacks:
		if len(d.head) == maxDumpHead {
			return false
		}
		d.head = append(d.head, line)
	default:
		return d.takeCall(line)
	}
	return true
}

// takeCall takes a line of a stack: a call, its place, or what the runtime adds.
func (d *dump) takeCall(line string) bool {
	place, isPlace := strings.CutPrefix(line, "\t")
	switch {
	case isPlace && d.call != "":
		d.add(d.call + " " + placeOf(place))
		d.call = ""
	case strings.HasPrefix(line, "created by "):
		d.call, _, _ = strings.Cut(line, " in goroutine")
	case strings.HasSuffix(line, ")"):
		d.call = line[:strings.LastIndexByte(line, '(')+1]
		d.call = strings.TrimSuffix(d.call, "(")
	case strings.HasPrefix(line, "..."):
		d.add("...")
	default:
		return isPlace || isDetail(line)
	}
	return true
}

func (d *dump) add(call string) {
	if !d.skipped && len(d.stack) < maxDumpStack && !strings.HasPrefix(call, "runtime.") && !strings.HasPrefix(call, "created by runtime.") {
		d.stack = append(d.stack, call)
	}
}

// isStackHeader reports whether a line starts a stack, as "goroutine 1 [running]:".
func isStackHeader(line string) bool {
	return strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:") || line == "runtime stack:"
}

// isDetail reports whether a line is one of the memory around a stack.
func isDetail(line string) bool {
	const address = 16
	return strings.HasPrefix(line, "runtime: ") || strings.HasPrefix(line, "stack: ") || strings.HasPrefix(line, "  ") ||
		len(line) > address && strings.Trim(line[:address], "0123456789abcdef") == "" && line[address] == ':'
}

// placeOf returns "main.go:12" of "/home/me/main.go:12 +0x3 fp=0x1".
func placeOf(line string) string {
	place, _, _ := strings.Cut(line, " +0x")
	place, _, _ = strings.Cut(place, " fp=")
	return place[strings.LastIndexByte(place, '/')+1:]
}

// whole returns the dump, if it is one.
func (d *dump) whole() (Dump, bool) {
	if !d.stacks {
		return Dump{}, false
	}
	return Dump{Why: strings.Join(d.head, "\n"), Stack: d.stack}, true
}

// OutOfMemory returns what the runtime asked for and did not get, if it gave up for want
// of memory.
func (d Dump) OutOfMemory() (wanted string, ok bool) {
	if !strings.Contains(d.Why, "out of memory") {
		return "", false
	}
	line, _, _ := strings.Cut(d.Why, "\n")
	wanted, ok = strings.CutPrefix(line, "runtime: out of memory: ")
	if !ok {
		wanted = line
	}
	return wanted, true
}

// Advice says what to do about what the runtime gave up for, after other words; "" = that
// says itself.
func (d Dump) Advice() string {
	switch {
	case !strings.Contains(d.Why, "all goroutines are asleep"):
		return ""
	case len(d.Stack) > 0 && strings.HasPrefix(d.Stack[0], "net.(*fakeNetFD).accept "):
		return "; it listens, and a plugin has no sockets: the host listens, and calls the handler given to sdk.Handle"
	}
	return "; it waits for what never comes: look at the channel, lock or WaitGroup there"
}
