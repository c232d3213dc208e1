package capability_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

func TestRange(t *testing.T) {
	mem := make(capability.Memory, 100)
	for _, test := range []struct {
		name   string
		ptr, n uint64
		ok     bool
	}{
		{"all", 0, 100, true},
		{"nothing at the end", 100, 0, true},
		{"last byte", 99, 1, true},
		{"one too many", 0, 101, false},
		{"one behind", 100, 1, false},
		{"nothing behind", 101, 0, false},
		{"sum of 2^32", 1<<32 - 1, 1, false},
		{"both at most", 1<<32 - 1, 1<<32 - 1, false},
		{"high bits do not count", 1<<40 | 1, 1<<33 | 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := mem.Range(test.ptr, test.n)
			if ok != test.ok {
				t.Fatalf("got %v, want %v", ok, test.ok)
			}
			if ok && (len(got) != int(uint32(test.n)) || cap(got) != len(got)) {
				t.Errorf("got %d bytes of capacity %d, want %d", len(got), cap(got), uint32(test.n))
			}
		})
	}
}

func TestPut(t *testing.T) {
	for _, test := range []struct {
		name   string
		ptr, n uint64
		want   int64
		mem    string
	}{
		{"fits", 1, 4, 3, ".abc...."},
		{"fits exactly", 5, 3, 3, ".....abc"},
		{"does not fit", 0, 2, 3, "........"},
		{"out of memory", 6, 3, int64(abi.BadPointer), "........"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mem := capability.Memory("........")
			if got := mem.Put(test.ptr, test.n, []byte("abc")); got != test.want || string(mem) != test.mem {
				t.Errorf("got %d, %q, want %d, %q", got, mem, test.want, test.mem)
			}
		})
	}
}

func TestNativeRefusesUnknownNames(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	capability.Native(map[string]capability.Handler{"no_such_function": nil})
}

func TestNativeIsUnavailableDuringInitialisation(t *testing.T) {
	funcs := capability.Native(map[string]capability.Handler{
		abi.FnClockNow: func(*invoke.Invocation, capability.Memory, []uint64) int64 {
			t.Error("the handler ran")
			return 0
		},
	})
	got, err := funcs[0].Call(context.Background(), &capability.Guest{}, nil)
	if abi.Status(got) != abi.Unavailable || err != nil {
		t.Errorf("got %v, %v, want %v", abi.Status(got), err, abi.Unavailable)
	}
}

func TestOutput(t *testing.T) {
	long := strings.Repeat("x", limit.LogLine)
	for _, test := range []struct {
		name   string
		writes []string
		want   []string
	}{
		{"a line", []string{"one\n"}, []string{"one"}},
		{"lines", []string{"one\r\ntwo\n\nthree\n"}, []string{"one", "two", "three"}},
		{"a line in pieces", []string{"o", "n", "e\nt", "wo"}, []string{"one", "two"}},
		{"nothing", []string{"", "\n", "\r\n"}, nil},
		{"a line of the largest size", []string{long + "\n"}, []string{long}},
		{"a line over the limit", []string{long + "yz\n"}, []string{long, "yz"}},
		{"a long line in pieces", []string{long, "y", "z\n"}, []string{long, "yz"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text bytes.Buffer
			inv := enginetest.Invocation("", nil, slog.New(slog.NewTextHandler(&text, nil)))
			var out capability.Output
			for _, w := range test.writes {
				out.Write(inv, capability.Stdout, []byte(w))
			}
			out.Flush(inv)
			var got []string
			for line := range strings.Lines(text.String()) {
				_, message, _ := strings.Cut(line, " msg=")
				message, _, _ = strings.Cut(message, " ")
				got = append(got, message)
			}
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("got %.200q, want %.200q", got, test.want)
			}
		})
	}
}

func TestOutputOfInitialisation(t *testing.T) {
	var out capability.Output
	out.Write(nil, capability.Stdout, []byte("starting\n"))
	out.Write(nil, capability.Stderr, []byte("panic: no time\n\ngoroutine 1 [running]:"))
	out.Flush(nil)
	if got := out.Initial(); got != "panic: no time" {
		t.Errorf("got %q", got)
	}
}
