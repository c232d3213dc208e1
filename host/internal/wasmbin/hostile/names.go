package hostile

import "github.com/wasmoor/wasmoor/abi"

// names are modules that import and export what they may not, or in a way that
// should mislead.
func names() []Module {
	exporting := func(entries ...string) func() []byte {
		return func() []byte {
			p := guest()
			p.exports = append(p.exports, entries...)
			return p.bytes()
		}
	}
	only := func(entries ...string) func() []byte {
		return func() []byte {
			p := guest()
			p.exports = entries
			return p.bytes()
		}
	}
	function := func(name string) string { return text(name) + "\x00\x00" }
	const memory = "\x06memory\x02\x00"
	handle := function(abi.ExportHandle)
	return []Module{
		{Name: "the host's global", Upload: invalid, Says: "wasmoor:", Make: exporting(function("wasmoor:global:0"))},
		{Name: "the host's start", Upload: invalid, Says: "wasmoor:", Make: exporting(function("wasmoor:start-section"))},
		{Name: "the host's prefix", Upload: invalid, Says: "wasmoor:", Make: exporting(function("wasmoor:"))},
		{Name: "one name twice", Upload: invalid, Says: "twice", Make: exporting(handle)},
		{Name: "not UTF-8", Upload: invalid, Says: "UTF-8", Make: exporting(function("\xc0\x80"))},
		{Name: "half of a surrogate pair", Upload: invalid, Says: "UTF-8", Make: exporting(function("\xed\xa0\x80"))},
		{Name: "NUL and more", Upload: taken, Request: served, Make: exporting(function("memory\x00"), function("\x00"), function(""))},
		{Name: "escapes of a terminal", Upload: taken, Request: served, Make: exporting(function("\x1b]0;owned\x07\x1b[2J\u202e"))},
		{Name: "1 MiB long", Upload: taken, Request: served, Make: exporting(function(many(1<<20, "n")))},
		{Name: "a file", Upload: taken, Request: served, Make: exporting(function("../../../etc/passwd"), function("meta"), function("cache/code"), function("/proc/self/mem"))},
		{Name: "a command", Upload: invalid, Says: "_start", Make: only(memory, function("_start"))},
		{Name: "no handler", Upload: invalid, Says: abi.ExportHandle, Make: only(memory)},
		{Name: "no memory", Upload: invalid, Says: "memory", Make: only(handle)},
		{Name: "a handler that is a memory", Upload: invalid, Says: "must be a function", Make: only(memory, text(abi.ExportHandle)+"\x02\x00")},
		{Name: "a memory that is a function", Upload: invalid, Says: "memory", Make: only(function("memory"), handle)},
		{Name: "a handler of another type", Upload: invalid, Says: "must be", Make: func() []byte {
			p := guest()
			p.functions = []string{u(p.typed(many(900, i32), i32))}
			return p.bytes()
		}},
		{Name: "an initialiser of another type", Upload: invalid, Says: "must be", Make: exporting(function(abi.ExportInitialize))},
		{Name: "a handler that starts the guest too", Upload: invalid, Says: "start function", Make: func() []byte {
			p := guest()
			p.start = "\x00"
			return p.bytes()
		}},
	}
}

// imports are modules that ask the host for what it does not give.
func imports() []Module {
	importing := func(entries ...string) func() []byte {
		return func() []byte {
			p := guest()
			p.memories, p.functions, p.codes, p.exports = nil, nil, nil, nil
			p.imports = entries
			return p.bytes()
		}
	}
	function := func(module, name string) string { return text(module) + text(name) + "\x00\x01" }
	var all []Module
	add := func(name, says string, make func() []byte) {
		all = append(all, Module{Name: name, Upload: invalid, Says: says, Make: make})
	}
	for _, name := range []string{
		"path_open", "path_unlink_file", "path_symlink", "fd_read", "fd_readdir", "sock_open", "sock_connect", "sock_accept", "sock_send",
		"proc_raise", "proc_exec", "thread-spawn",
	} {
		add("WASI "+name, name, importing(function("wasi_snapshot_preview1", name)))
	}
	for _, module := range []string{
		"wasi_unstable", "wasi", "wasi:filesystem/types@0.2.0", "wasix_32v1", "env", "go", "host", "extism:host/env", "extism:host/user", "wasmoor_v0", "wasmoor_v2",
	} {
		add("module "+module, "imports", importing(function(module, "open")))
	}
	add("the host's interrupt", "wasmoor:", importing(function("wasmoor:interrupt", "check")))
	add("a function of the host's prefix", "wasmoor:", importing(function(abi.Module, "wasmoor:x")))
	add("a function of another type", "", importing(function(abi.Module, abi.FnResponseWrite)))
	add("a memory", "", importing(text("env")+text("memory")+"\x02\x00\x01"))
	add("a memory of 4 GiB", "", importing(text("env")+text("memory")+"\x02\x00"+u(65536)))
	add("a table", "", importing(text("env")+text("table")+"\x01"+funcRef+"\x00\x01"))
	add("a table of 2^32 - 1 elements", "limit", importing(text("env")+text("table")+"\x01"+funcRef+"\x00\xff\xff\xff\xff\x0f"))
	add("a global", "", importing(text("env")+text("global")+"\x03"+i32+"\x01"))
	add("an exception", "kind 4", importing(text("env")+text("tag")+"\x04\x00\x01"))
	add("a name of 1 MiB", "imports", importing(function(many(1<<20, "m"), many(1<<20, "n"))))
	add("a name that is not UTF-8", "UTF-8", importing(function("\xff", "\xfe")))
	add("a name of escapes of a terminal", "imports", importing(function("\x1b[2J\x00\r\n", "\u202e\x07")))
	add("a name that is a file", "imports", importing(function("/etc/passwd", "../../admin.token")))
	add("100,000 functions", "limit", importing(items(100_000, function("env", "x"))...))
	return all
}
