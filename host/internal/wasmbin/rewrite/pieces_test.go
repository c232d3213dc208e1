package rewrite

import "github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"

// The pieces that modules of these tests are made of.
const (
	header   = wasmbintest.Header
	i32, i64 = wasmbintest.I32, wasmbintest.I64
	zero     = wasmbintest.Zero
	code     = wasmbintest.Code
	huge     = wasmbintest.Huge
)

var (
	section, vec, text, u = wasmbintest.Section, wasmbintest.Vec, wasmbintest.Text, wasmbintest.U
	funcType              = wasmbintest.FuncType
	function, withLocals  = wasmbintest.Function, wasmbintest.WithLocals
	guest                 = wasmbintest.Guest
)
