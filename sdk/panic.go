package sdk

import (
	"runtime"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/text"
	"github.com/wasmoor/wasmoor/sdk/log"
)

// Bounds of the stack in the log, far enough below the host's limit of
// attributes.
const (
	stackFrames = 32
	stackBytes  = 4 << 10
)

// reportPanic logs what a panic says and where. The client gets the host's
// answer to a failed handler, which tells nothing of it.
func reportPanic(p any) {
	what := text.Of(p)
	log.Error("panic: "+what, reported(what, "stack", stack())...)
}

// stack returns the calls that led to a panic, the innermost first and each on a
// line, like "main.visit main.go:21". Those of the runtime and the SDK are left
// out: they are the same in every panic.
func stack() string {
	var counters [2 * stackFrames]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(0, counters[:])])
	b := make([]byte, 0, 512)
	for n, more := 0, true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); machinery(frame.Function) {
			continue
		}
		line := frame.Function + " " + frame.File[strings.LastIndexByte(frame.File, '/')+1:] + ":" + itoa(frame.Line)
		if n++; n > stackFrames || len(b)+len(line) > stackBytes {
			return string(b) + "\n..."
		}
		if len(b) > 0 {
			b = append(b, '\n')
		}
		b = append(b, line...)
	}
	return string(b)
}

// machinery reports whether a function is none of the plugin's and of the
// packages it uses.
func machinery(function string) bool {
	for _, prefix := range [...]string{
		abi.ExportHandle, "runtime.", "internal/runtime/", "testing.",
		"github.com/wasmoor/wasmoor/sdk.", "github.com/wasmoor/wasmoor/sdk/",
	} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return function == ""
}
