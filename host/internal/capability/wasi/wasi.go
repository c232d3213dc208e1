// Package wasi is WASI preview 1 for guests whose language needs it to start:
// a clock, randomness, the name of the program, and output that becomes log
// lines. There is no environment, there are no files and no sockets, and nothing
// here keeps state between calls, so that a guest's memory is all there is to
// reset.
// Engines and package capabilities import it.
//
// The functions and layouts are those of the snapshot_preview1 witx files
// (github.com/WebAssembly/WASI, legacy/preview1).
package wasi

import (
	"context"
	"encoding/binary"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
)

// Module is the import module of WASI preview 1.
const Module = "wasi_snapshot_preview1"

// errno is the result of a WASI function.
type errno uint32

// The errnos in use.
const (
	success errno = 0
	badf    errno = 8
	fault   errno = 21
	inval   errno = 28
	noent   errno = 44
	nosys   errno = 52
	notdir  errno = 54
	notsock errno = 57
	notsup  errno = 58
	rofs    errno = 69
	spipe   errno = 70
)

// handler is a function that returns an errno and does not wait.
type handler func(g *capability.Guest, args []uint64) errno

// Unit returns the capability.
func Unit() capability.Unit {
	return capability.Unit{Name: "wasi", Native: functions(), Extism: functions()}
}

// functions returns all functions of preview 1: those with nothing behind them
// say so when called, because toolchains import more than they use.
func functions() []capability.Func {
	return append(plain(),
		function("poll_oneoff", "iiii", pollOneoff),
		function("random_get", "ii", randomGet),
		capability.Func{
			Module: Module, Name: "proc_exit",
			Params: []abi.Type{abi.I32}, Call: procExit,
		},
	)
}

// plain lists the functions that return at once. A signature has a letter per
// parameter: i for i32, l for i64.
func plain() []capability.Func {
	funcs := make([]capability.Func, 0, 64)
	for _, f := range []struct {
		name, params string
		h            handler
	}{
		{"args_get", "ii", argsGet},
		{"args_sizes_get", "ii", argsSizesGet},
		{"environ_get", "ii", nothing},
		{"environ_sizes_get", "ii", noStrings},
		{"clock_res_get", "ii", clockResGet},
		{"clock_time_get", "ili", clockTimeGet},
		{"sched_yield", "", nothing},

		{"fd_advise", "illi", stdio(spipe)},
		{"fd_allocate", "ill", stdio(notsup)},
		{"fd_close", "i", stdio(success)},
		{"fd_datasync", "i", stdio(success)},
		{"fd_fdstat_get", "ii", fdstatGet},
		{"fd_fdstat_set_flags", "ii", stdio(notsup)},
		{"fd_fdstat_set_rights", "ill", stdio(notsup)},
		{"fd_filestat_get", "ii", filestatGet},
		{"fd_filestat_set_size", "il", stdio(notsup)},
		{"fd_filestat_set_times", "illi", stdio(notsup)},
		{"fd_pread", "iiili", stdio(spipe)},
		{"fd_prestat_get", "ii", noFile},
		{"fd_prestat_dir_name", "iii", noFile},
		{"fd_pwrite", "iiili", stdio(spipe)},
		{"fd_read", "iiii", fdRead},
		{"fd_readdir", "iiili", stdio(notdir)},
		{"fd_renumber", "ii", stdio(notsup)},
		{"fd_seek", "ilii", stdio(spipe)},
		{"fd_sync", "i", stdio(success)},
		{"fd_tell", "ii", stdio(spipe)},
		{"fd_write", "iiii", fdWrite},

		{"path_create_directory", "iii", path(0, 1, rofs)},
		{"path_filestat_get", "iiiii", path(0, 2, noent)},
		{"path_filestat_set_times", "iiiilli", path(0, 2, noent)},
		{"path_link", "iiiiiii", path(0, 2, noent)},
		{"path_open", "iiiiillii", pathOpen},
		{"path_readlink", "iiiiii", path(0, 1, noent)},
		{"path_remove_directory", "iii", path(0, 1, noent)},
		{"path_rename", "iiiiii", path(0, 1, noent)},
		{"path_symlink", "iiiii", path(2, 3, rofs)},
		{"path_unlink_file", "iii", path(0, 1, noent)},

		{"proc_raise", "i", notBuilt},
		{"sock_accept", "iii", socket},
		{"sock_recv", "iiiiii", socket},
		{"sock_send", "iiiii", socket},
		{"sock_shutdown", "ii", socket},
	} {
		h := f.h
		funcs = append(funcs, function(f.name, f.params,
			func(_ context.Context, g *capability.Guest, args []uint64) (uint64, error) {
				return uint64(h(g, args)), nil
			}))
	}
	return funcs
}

func function(name, params string, call capability.Call) capability.Func {
	types := make([]abi.Type, len(params))
	for i, p := range params {
		types[i] = abi.I32
		if p == 'l' {
			types[i] = abi.I64
		}
	}
	return capability.Func{
		Module: Module, Name: name,
		Params: types, Results: []abi.Type{abi.I32}, Call: call,
	}
}

// nothing does nothing, with success.
func nothing(*capability.Guest, []uint64) errno { return success }

// noFile is for functions of directories that are open at the start: none is.
func noFile(*capability.Guest, []uint64) errno { return badf }

// notBuilt is for what a guest cannot have here.
func notBuilt(*capability.Guest, []uint64) errno { return nosys }

// stdio answers e for the three standard streams, and badf for all others:
// nothing else is open.
func stdio(e errno) handler {
	return func(_ *capability.Guest, args []uint64) errno {
		if uint32(args[0]) > stderr {
			return badf
		}
		return e
	}
}

// argsSizesGet answers how long the one argument is, the name of the program.
func argsSizesGet(g *capability.Guest, args []uint64) errno {
	count, ok1 := g.Mem.Range(args[0], 4)
	size, ok2 := g.Mem.Range(args[1], 4)
	if !ok1 || !ok2 {
		return fault
	}
	clear(count)
	clear(size)
	if g.Program != "" {
		le.PutUint32(count, 1)
		le.PutUint32(size, uint32(len(g.Program)+1))
	}
	return success
}

// argsGet writes the argument, and where it is.
func argsGet(g *capability.Guest, args []uint64) errno {
	if g.Program == "" {
		return success
	}
	first, ok1 := g.Mem.Range(args[0], 4)
	text, ok2 := g.Mem.Range(args[1], uint64(len(g.Program)+1))
	if !ok1 || !ok2 {
		return fault
	}
	le.PutUint32(first, uint32(args[1]))
	text[copy(text, g.Program)] = 0
	return success
}

// noStrings answers that there are 0 strings in 0 bytes.
func noStrings(g *capability.Guest, args []uint64) errno {
	count, ok1 := g.Mem.Range(args[0], 4)
	size, ok2 := g.Mem.Range(args[1], 4)
	if !ok1 || !ok2 {
		return fault
	}
	clear(count)
	clear(size)
	return success
}

var le = binary.LittleEndian
