package wasi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/wasi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// Errnos as WASI numbers them.
const (
	badf   = 8
	fault  = 21
	inval  = 28
	noent  = 44
	nosys  = 52
	notdir = 54
	notsup = 58
	rofs   = 69
	spipe  = 70
)

const size = 1 << 20

var le = binary.LittleEndian

// guest is one that initialises: WASI works then too.
func guest() *capability.Guest { return &capability.Guest{Mem: make(capability.Memory, size)} }

func call(t *testing.T, g *capability.Guest, name string, args ...uint64) int64 {
	t.Helper()
	return enginetest.Call(t, wasi.Unit().Native, g, name, args...)
}

func TestErrnos(t *testing.T) {
	for _, test := range []struct {
		name string
		args []uint64
		want int64
	}{
		{"args_get", []uint64{0, 0}, 0},
		{"args_sizes_get", []uint64{0, 4}, 0},
		{"args_sizes_get", []uint64{0, size - 3}, fault},
		{"environ_get", []uint64{0, 0}, 0},
		{"environ_sizes_get", []uint64{size, 0}, fault},
		{"clock_res_get", []uint64{0, 0}, 0},
		{"clock_res_get", []uint64{2, 0}, inval},
		{"clock_res_get", []uint64{0, size - 7}, fault},
		{"clock_time_get", []uint64{2, 0, 0}, inval},
		{"clock_time_get", []uint64{0, 0, size - 7}, fault},
		{"random_get", []uint64{0, size + 1}, fault},
		{"sched_yield", nil, 0},
		{"proc_raise", []uint64{9}, nosys},
		{"fd_prestat_get", []uint64{3, 0}, badf},
		{"fd_prestat_get", []uint64{0, 0}, badf},
		{"fd_prestat_dir_name", []uint64{3, 0, 0}, badf},
		{"fd_close", []uint64{1}, 0},
		{"fd_close", []uint64{3}, badf},
		{"fd_fdstat_get", []uint64{3, 0}, badf},
		{"fd_fdstat_get", []uint64{0, size - 23}, fault},
		{"fd_filestat_get", []uint64{3, 0}, badf},
		{"fd_filestat_get", []uint64{0, size - 63}, fault},
		{"fd_fdstat_set_flags", []uint64{0, 4}, notsup},
		{"fd_seek", []uint64{1, 0, 0, 0}, spipe},
		{"fd_seek", []uint64{5, 0, 0, 0}, badf},
		{"fd_read", []uint64{0, 0, 1, 64}, 0},
		{"fd_read", []uint64{1, 0, 1, 64}, badf},
		{"fd_read", []uint64{0, 0, 1, size - 3}, fault},
		{"fd_write", []uint64{0, 0, 0, 64}, badf},
		{"fd_write", []uint64{3, 0, 0, 64}, badf},
		{"fd_write", []uint64{1, 0, 0, 64}, 0},
		{"fd_write", []uint64{1, 0, 0, size - 3}, fault},
		{"fd_write", []uint64{1, size - 7, 1, 64}, fault},
		{"fd_write", []uint64{1, 0, 1025, 64}, inval},
		{"fd_write", []uint64{1, 0, math.MaxUint32, 64}, inval},
		{"path_open", []uint64{3, 0, 0, 0, 0, 0, 0, 0, 0}, noent},
		{"path_open", []uint64{math.MaxUint32, 0, 0, 0, 0, 0, 0, 0, 0}, noent},
		{"path_open", []uint64{math.MaxUint32, 0, 0, 0, 9, 0, 0, 0, 0}, rofs},
		{"path_open", []uint64{2, 0, 0, 0, 9, 0, 0, 0, 0}, notdir},
		{"path_filestat_get", []uint64{math.MaxUint32, 0, 0, 0, 0}, noent},
		{"path_unlink_file", []uint64{math.MaxUint32, 0, 0}, noent},
		{"path_create_directory", []uint64{math.MaxUint32, 0, 0}, rofs},
		{"path_symlink", []uint64{0, 0, 3, 0, 0}, rofs},
		{"path_symlink", []uint64{0, 0, 1, 0, 0}, notdir},
		{"sock_accept", []uint64{3, 0, 0}, badf},
		{"poll_oneoff", []uint64{0, 0, 0, 0}, inval},
		{"poll_oneoff", []uint64{0, 0, 1025, 0}, inval},
		{"poll_oneoff", []uint64{0, 0, math.MaxUint32, 0}, fault},
		{"poll_oneoff", []uint64{0, size - 31, 1, 0}, fault},
		{"poll_oneoff", []uint64{size - 47, 0, 1, 0}, fault},
		{"poll_oneoff", []uint64{0, 0, 1, size - 3}, fault},
	} {
		if got := call(t, guest(), test.name, test.args...); got != test.want {
			t.Errorf("%s(%d): got %d, want %d", test.name, test.args, got, test.want)
		}
	}
}

func TestArguments(t *testing.T) {
	g := guest()
	g.Program = "shop"
	if got := call(t, g, "args_sizes_get", 0, 4); got != 0 || le.Uint32(g.Mem) != 1 || le.Uint32(g.Mem[4:]) != 5 {
		t.Errorf("args_sizes_get: got %d, %d arguments of %d bytes", got, le.Uint32(g.Mem), le.Uint32(g.Mem[4:]))
	}
	copy(g.Mem[100:], "xxxxxx")
	if got := call(t, g, "args_get", 8, 100); got != 0 || le.Uint32(g.Mem[8:]) != 100 || string(g.Mem[100:106]) != "shop\x00x" {
		t.Errorf("args_get: got %d, %q at %d", got, g.Mem[100:106], le.Uint32(g.Mem[8:]))
	}
	for _, args := range [][]uint64{{size - 3, 100}, {8, size - 4}, {8, math.MaxUint32}} {
		if got := call(t, g, "args_get", args...); got != fault {
			t.Errorf("args_get(%d): got %d", args, got)
		}
	}
}

func TestClocks(t *testing.T) {
	g := guest()
	read := func(clock uint64) time.Duration {
		if got := call(t, g, "clock_time_get", clock, 0, 64); got != 0 {
			t.Fatalf("clock %d: errno %d", clock, got)
		}
		return time.Duration(le.Uint64(g.Mem[64:]))
	}
	before := time.Duration(time.Now().UnixNano())
	if got := read(0); got < before || got > time.Duration(time.Now().UnixNano()) {
		t.Errorf("realtime: got %d, want about %d", got, before)
	}
	first := read(1)
	if second := read(1); first <= 0 || second < first {
		t.Errorf("monotonic: got %d, then %d", first, second)
	}
}

func TestRandomGet(t *testing.T) {
	g := guest()
	call(t, g, "random_get", 0, 32)
	call(t, g, "random_get", 32, 32)
	if bytes.Equal(g.Mem[:32], g.Mem[32:64]) || !bytes.Equal(g.Mem[64:96], make([]byte, 32)) {
		t.Errorf("got %x", g.Mem[:96])
	}
}

func TestFdstat(t *testing.T) {
	for fd, rights := range map[uint64]uint64{0: 1 << 1, 1: 1 << 6, 2: 1 << 6} {
		g := guest()
		if got := call(t, g, "fd_fdstat_get", fd, 8); got != 0 {
			t.Fatalf("fd %d: errno %d", fd, got)
		}
		if g.Mem[8] != 2 || le.Uint64(g.Mem[16:]) != rights {
			t.Errorf("fd %d: got %x", fd, g.Mem[8:32])
		}
	}
}

// A program that asks by stat whether standard output is a terminal, as chi's
// loggers do, would colour what it logs.
func TestFilestatIsNoTerminal(t *testing.T) {
	for fd := range uint64(3) {
		g := guest()
		if got := call(t, g, "fd_filestat_get", fd, 8); got != 0 || g.Mem[8+16] != 0 {
			t.Errorf("fd %d: errno %d, file type %d, want 0", fd, got, g.Mem[8+16])
		}
	}
}

// iovecs puts pairs of pointer and length at 0.
func iovecs(g *capability.Guest, pairs ...uint32) {
	for i, v := range pairs {
		le.PutUint32(g.Mem[4*i:], v)
	}
}

func TestWrite(t *testing.T) {
	var text bytes.Buffer
	g := guest()
	g.Inv = enginetest.Invocation("", nil, slog.New(slog.NewTextHandler(&text, nil)))
	copy(g.Mem[1024:], "one\ntwo")
	iovecs(g, 1024, 4, 1024, 0, 1028, 3)
	if got := call(t, g, "fd_write", 2, 0, 3, 64); got != 0 || le.Uint32(g.Mem[64:]) != 7 {
		t.Fatalf("got errno %d, %d written", got, le.Uint32(g.Mem[64:]))
	}
	if got := text.String(); !strings.Contains(got, "level=WARN msg=one") || strings.Contains(got, "two") {
		t.Errorf("log: %q", got)
	}
	iovecs(g, 1024, 4, size-1, 2)
	if got := call(t, g, "fd_write", 2, 0, 2, 64); got != fault {
		t.Errorf("iovec out of memory: got %d, want %d", got, fault)
	}
}

// TestWriteIsShort writes all of memory many times over in one call.
func TestWriteIsShort(t *testing.T) {
	g := guest()
	for i := range uint32(1024) {
		le.PutUint32(g.Mem[8*i:], 0)
		le.PutUint32(g.Mem[8*i+4:], size)
	}
	if got := call(t, g, "fd_write", 1, 0, 1024, size-4); got != 0 {
		t.Fatalf("errno %d", got)
	}
	if got := le.Uint32(g.Mem[size-4:]); got != 64<<10 {
		t.Errorf("written: got %d, want %d", got, 64<<10)
	}
}

// subscription appends one to a clock (tag 0) or a descriptor.
func subscription(b []byte, userdata uint64, tag byte, id uint32, timeout uint64, flags uint16) []byte {
	s := make([]byte, 48)
	le.PutUint64(s, userdata)
	s[8] = tag
	le.PutUint32(s[16:], id)
	le.PutUint64(s[24:], timeout)
	le.PutUint16(s[40:], flags)
	return append(b, s...)
}

type event struct {
	userdata uint64
	errno    uint16
	tag      byte
}

func poll(t *testing.T, subs []byte) []event {
	t.Helper()
	g := guest()
	copy(g.Mem, subs)
	const events, stored = 4096, 8192
	if got := call(t, g, "poll_oneoff", 0, events, uint64(len(subs)/48), stored); got != 0 {
		t.Fatalf("errno %d", got)
	}
	var list []event
	for i := range le.Uint32(g.Mem[stored:]) {
		e := g.Mem[events+32*i:]
		list = append(list, event{le.Uint64(e), le.Uint16(e[8:]), e[10]})
	}
	return list
}

func TestPoll(t *testing.T) {
	const hour = uint64(time.Hour)
	past := uint64(time.Now().Add(-time.Hour).UnixNano())
	soon := uint64(time.Now().Add(time.Millisecond).UnixNano())
	for _, test := range []struct {
		name string
		subs []byte
		want []event
	}{
		{"no time", subscription(nil, 7, 0, 1, 0, 0), []event{{7, 0, 0}}},
		{"a millisecond", subscription(nil, 7, 0, 1, 1e6, 0), []event{{7, 0, 0}}},
		{"realtime", subscription(nil, 7, 0, 0, 1e6, 0), []event{{7, 0, 0}}},
		{"past", subscription(nil, 7, 0, 0, past, 1), []event{{7, 0, 0}}},
		{"soon", subscription(nil, 7, 0, 0, soon, 1), []event{{7, 0, 0}}},
		{"the earlier", subscription(subscription(nil, 1, 0, 1, hour, 0), 2, 0, 1, 1e6, 0), []event{{2, 0, 0}}},
		{"both", subscription(subscription(nil, 1, 0, 1, 1e6, 0), 2, 0, 1, 1e6, 0), []event{{1, 0, 0}, {2, 0, 0}}},
		{"unknown clock", subscription(nil, 7, 0, 9, hour, 0), []event{{7, inval, 0}}},
		{"unknown kind", subscription(nil, 7, 3, 0, 0, 0), []event{{7, inval, 3}}},
		{"standard input", subscription(nil, 7, 1, 0, 0, 0), []event{{7, 0, 1}}},
		{"standard error", subscription(nil, 7, 2, 2, 0, 0), []event{{7, 0, 2}}},
		{"other descriptor", subscription(nil, 7, 1, 3, 0, 0), []event{{7, badf, 1}}},
		{"stream before clock", subscription(subscription(nil, 1, 0, 1, hour, 0), 2, 2, 1, 0, 0), []event{{2, 0, 2}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := poll(t, test.subs)
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("event %d: got %v, want %v", i, got[i], test.want[i])
				}
			}
		})
	}
}

func TestPollEndsWithTheInvocation(t *testing.T) {
	for _, f := range wasi.Unit().Native {
		if f.Name != "poll_oneoff" {
			continue
		}
		g := guest()
		copy(g.Mem, subscription(nil, 7, 0, 1, math.MaxUint64, 0))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := f.Call(ctx, g, []uint64{0, 4096, 1, 8192}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	}
}

func TestProcExit(t *testing.T) {
	for _, f := range wasi.Unit().Native {
		if f.Name != "proc_exit" {
			continue
		}
		if _, err := f.Call(context.Background(), guest(), []uint64{0}); !errors.Is(err, capability.ErrExit) {
			t.Errorf("got %v, want %v", err, capability.ErrExit)
		}
	}
}
