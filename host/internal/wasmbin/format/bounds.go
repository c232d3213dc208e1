package format

// Bounds of a module. Each is far above what toolchains make and far below what
// harms an engine; the size of the module is the caller's to bound.
const (
	MaxTypes     = 10_000
	MaxParams    = 1_000   // and results, of one type, as in the WebAssembly JavaScript API
	MaxSignature = 100_000 // parameters and results of all types, which engines keep as text too
	MaxImports   = 10_000
	MaxFunctions = 100_000 // 100,000 compile in 0.3 s
	MaxTables    = 100
	MaxTable     = 200_000 // elements of a table at the start; Go has one per function
	MaxMemories  = 1       // as in WebAssembly 2.0
	MaxGlobals   = 100_000
	MaxExports   = 10_000
	MaxElements  = 100_000 // segments
	MaxData      = 100_000 // segments; Go's linker makes up to as many
	MaxBody      = 1 << 20 // bytes of a function, unless the host has another max_function; compile time grows faster than size
	MaxLocals    = 5_000   // of a function; 28 bytes can declare 2^32
	MaxPages     = 1 << 16 // of a memory: 4 GiB
)

// Bounds of what costs a compiler more than its bytes: without them 8 kB of
// nested loops compile for 23 s, and 27 kB of a branch table for 16 s; within
// them the worst module found takes 15 s, more than a build gets. In brackets the most in Go's
// own tools, QuickJS, and modules made by TinyGo, Rust, Zig and Haskell.
const (
	MaxDepth      = 5_000      // open blocks (1,152)
	MaxLoopDepth  = 32         // open loops (6)
	MaxTargets    = 25_000     // targets of all branch tables of a function (5,490)
	MaxCalls      = 25_000     // calls in a function (2,327)
	MaxWork       = 2_000_000  // see cost.work (850,000)
	MaxModuleWork = 20_000_000 // of all functions, and one for each byte of the module (13,700,000 in 59 MB of Go)
	MaxCarried    = 2_000_000  // values that all blocks, branches and calls carry (130,000)
	MaxReloads    = 5_000_000  // calls times mutable globals, which each call may change (600,000)
	MaxLowered    = 25_000     // instructions of a function that are written out, some 25 times as long
)

// MaxResetGlobals is how many mutable globals an instance may have to be put
// back: each costs a call. Go has eight.
const MaxResetGlobals = 1_000
