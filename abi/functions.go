package abi

// Type is the WebAssembly type of one parameter or result.
type Type byte

// The types used by host functions, with their encodings in a module.
const (
	I32 Type = 0x7f
	I64 Type = 0x7e
)

// Kind says what a parameter means, which fixes its WebAssembly types.
type Kind byte

// The kinds of parameter.
const (
	// In is a range of guest memory the host reads: (ptr i32, len i32).
	In Kind = iota
	// Out is a range of guest memory the host may write: (ptr i32, cap i32).
	Out
	// U32 is an unsigned number: i32.
	U32
	// S64 is a signed number: i64.
	S64
)

// Param is one parameter of a host function as SPEC.md names it.
type Param struct {
	Name string
	Kind Kind
}

// Function is one host function. Every one returns an i64.
type Function struct {
	Name   string
	Params []Param
}

// Types returns the WebAssembly parameter types of f.
func (f Function) Types() []Type {
	var types []Type
	for _, p := range f.Params {
		switch p.Kind {
		case In, Out:
			types = append(types, I32, I32)
		case U32:
			types = append(types, I32)
		case S64:
			types = append(types, I64)
		}
	}
	return types
}

// Names of the host functions.
const (
	FnRequestHead   = "request_head"
	FnRequestBody   = "request_body"
	FnResponseHead  = "response_head"
	FnResponseWrite = "response_write"
	FnRouteSet      = "route_set"
	FnOutcomeSet    = "outcome_set"
	FnKVGet         = "kv_get"
	FnKVSet         = "kv_set"
	FnKVDelete      = "kv_delete"
	FnKVAdd         = "kv_add"
	FnKVList        = "kv_list"
	FnConfigGet     = "config_get"
	FnLogWrite      = "log_write"
	FnClockNow      = "clock_now"
	FnRandomFill    = "random_fill"
	FnHTTPOpen      = "http_open"
	FnHTTPWrite     = "http_write"
	FnHTTPSend      = "http_send"
	FnHTTPHead      = "http_head"
	FnHTTPRead      = "http_read"
	FnHTTPClose     = "http_close"
)

// Functions returns the host functions of Module in the order of SPEC.md. The
// host links exactly these, and refuses a module that imports another or one of
// these with a different signature.
func Functions() []Function {
	return []Function{
		{FnRequestHead, []Param{{"buf", Out}}},
		{FnRequestBody, []Param{{"offset", S64}, {"buf", Out}}},
		{FnResponseHead, []Param{{"head", In}}},
		{FnResponseWrite, []Param{{"data", In}}},
		{FnRouteSet, []Param{{"pattern", In}}},
		{FnOutcomeSet, []Param{{"outcome", U32}}},
		{FnKVGet, []Param{{"key", In}, {"buf", Out}}},
		{FnKVSet, []Param{{"key", In}, {"value", In}, {"ttl_ms", S64}}},
		{FnKVDelete, []Param{{"key", In}}},
		{FnKVAdd, []Param{{"key", In}, {"delta", S64}}},
		{FnKVList, []Param{{"prefix", In}, {"after", In}, {"limit", U32}, {"flags", U32}, {"buf", Out}}},
		{FnConfigGet, []Param{{"name", In}, {"buf", Out}}},
		{FnLogWrite, []Param{{"level", U32}, {"message", In}, {"attrs", In}}},
		{FnClockNow, nil},
		{FnRandomFill, []Param{{"buf", Out}}},
		{FnHTTPOpen, []Param{{"head", In}}},
		{FnHTTPWrite, []Param{{"handle", U32}, {"data", In}}},
		{FnHTTPSend, []Param{{"handles", In}}},
		{FnHTTPHead, []Param{{"handle", U32}, {"buf", Out}}},
		{FnHTTPRead, []Param{{"handle", U32}, {"buf", Out}}},
		{FnHTTPClose, []Param{{"handle", U32}}},
	}
}
