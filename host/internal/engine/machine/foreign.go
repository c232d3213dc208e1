package machine

import "strings"

// Foreign says of an import that the host of another toolchain or platform provides
// where it comes from and what leaves it out; "" = it is not known.
func Foreign(module, name string) string { return adviceOf(foreign, module, name) }

// advice is what to do about imports whose names match.
type advice struct{ module, name, text string }

// adviceOf returns the text of the first that matches, "" if none does.
func adviceOf(list []advice, module, name string) string {
	for _, a := range list {
		if match(a.module, module) && match(a.name, name) {
			return a.text
		}
	}
	return ""
}

// match compares with a pattern, whose last character may be a star.
func match(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == pattern
}

// Advice that several imports get.
const (
	standalone = "a function of Emscripten's JavaScript; link with -sSTANDALONE_WASM --no-entry, and what reads files with -sFILESYSTEM=0"
	unwinding  = "a function by which Emscripten unwinds in JavaScript; build with -fno-exceptions and -sSUPPORT_LONGJMP=0"
	bindgen    = "wasm-bindgen's, which is for JavaScript; build for wasm32-wasip1 without it. " +
		"Some crates bring it: turn off the features wasmbind of chrono, js of getrandom and uuid, and wasm-bindgen of instant"
	dynamic  = "the module is to be linked when it is loaded; link statically: without -shared, -fPIC, --experimental-pic and -sSIDE_MODULE"
	browser  = "Go's for GOOS=js, which runs in a browser; build with GOOS=wasip1 GOARCH=wasm -buildmode=c-shared, in TinyGo with -target=wasip1 -buildmode=c-shared"
	preview2 = "WASI preview 2's; build for preview 1: in Rust for wasm32-wasip1, in TinyGo with -target=wasip1, in C with the target wasm32-wasip1"
	other    = "of another platform, which only its own host has; port the plugin to an SDK of this one"
)

// javaScript is where C, Emscripten and AssemblyScript import from what is not WASI:
// two of them may mean different things by a name.
const javaScript = "env"

// foreign is looked through from the top.
var foreign = []advice{
	{"gojs", "*", browser},
	{"go", "*", browser},
	{"env", "syscall/js.*", browser},

	{"wbg", "*", bindgen},
	{"__wbindgen_*", "*", bindgen},
	{"./*", "__wb*", bindgen},

	{"env", "invoke_*", unwinding},
	{"env", "__cxa_*", unwinding},
	{"env", "llvm_eh_*", unwinding},
	{"env", "_emscripten_throw_longjmp", unwinding},
	{"env", "emscripten_longjmp", unwinding},
	{"env", "getTempRet0", unwinding},
	{"env", "setTempRet0", unwinding},
	{"env", "__resumeException", unwinding},
	{"env", "setjmp", "setjmp, which was not linked; setjmp of wasi-libc needs exception handling, which guests do not have: build without it"},
	{"env", "longjmp", "longjmp, which was not linked; setjmp of wasi-libc needs exception handling, which guests do not have: build without it"},
	{"env", "__syscall_*", standalone},
	{"env", "__call_sighandler", standalone},
	{"env", "__assert_fail", standalone},
	{"env", "emscripten_*", standalone},
	{"env", "_emscripten_*", standalone},
	{"env", "em_*", standalone},
	{"env", "_embind_*", standalone},
	{"env", "_abort_js", standalone},
	{"env", "_mmap_js", standalone},
	{"env", "_munmap_js", standalone},
	{"env", "_tzset_js", standalone},
	{"env", "_localtime_js", standalone},
	{"env", "_gmtime_js", standalone},
	{"env", "abort", "a function of Emscripten's JavaScript, or C's abort, which was not linked; link with -sSTANDALONE_WASM --no-entry, in C with wasi-libc"},
	{"a", "*", "a name that Emscripten shortened; link with -sSTANDALONE_WASM --no-entry"},
	{"asm2wasm", "*", standalone},

	{"wasi", "thread-spawn", "of WASI's threads, which guests do not have; build without -pthread, in Rust for wasm32-wasip1"},
	{"wasi:*", "*", preview2},
	{"wasi_unstable", "*", "WASI preview 0's; build with a toolchain of preview 1, which is called wasi_snapshot_preview1"},
	{"wasi_snapshot_preview1", "sock_*", "a socket of WasmEdge or WASIX; call HTTP services by the functions of this host, which its SDKs wrap"},
	{"wasix_*", "*", "WASIX's; build with wasi-sdk, or in Rust for wasm32-wasip1 and not with cargo wasix"},
	{"wasi_*", "*", "a part of WASI that this host does not have; it has the functions of wasi_snapshot_preview1: build for WASI preview 1"},

	{"env", "process.*", "AssemblyScript's for Node; take arguments and output out, or give it another function with --use"},
	{"env", "performance.*", "AssemblyScript's for browsers; use Date.now()"},
	{"env", "crypto.*", "AssemblyScript's for browsers; use the host's random_fill"},
	{"env", "console.*", "a function of JavaScript's console; log, debug, info, warn and error are here, with a string each"},
	{"javy_quickjs_provider_*", "*", "Javy's, whose engine is a module of its own; build with javy build without -C dynamic"},

	{"env", "proxy_*", other},
	{"env", "fd_*", standalone},
	{"http_handler", "*", other},
	{"spin*", "*", other},
	{"fermyon*", "*", other},
	{"fastly_*", "*", other},
	{"wasmcloud*", "*", other},
	{"wapc", "*", other},
	{"wasmbus", "*", other},
	{"shopify_*", "*", other},
	{"kong_*", "*", other},

	{"env", "*", "a function that was declared and not linked; find its library, and link without --allow-undefined to have the linker name such functions"},
}

// parts are about memories, tables and globals, of which a guest has its own.
var parts = []advice{
	{"*", "memory", "link without --import-memory, in AssemblyScript without --importMemory, in Emscripten without -sIMPORTED_MEMORY"},
	{"*", "__indirect_function_table", "link without --import-table"},
	{"*", "table", "link without --import-table, in AssemblyScript without --importTable"},
	{"env", "__*", dynamic},
	{"GOT.*", "*", dynamic},
	{"*", "*", "link it without importing them"},
}
