package abi

//go:generate go run ../sdk/internal/gen

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
	// Text is an In that holds a key, a name or a text: bindings pass it as a
	// string of their language.
	Text
)

// Param is one parameter of a host function as SPEC.md names it.
type Param struct {
	Name string
	Kind Kind
}

// Function is one host function. Every one returns an i64: below zero a status,
// else what Result says. Bindings, their comments and the table in SPEC.md are
// generated from it.
type Function struct {
	Name   string
	Params []Param
	Result string   // what a result of zero or more is
	Errors []Status // beside those that any function may return; see Always
	Doc    string   // what it does, with units; a sentence without a subject
}

// Always returns the statuses that f may return whatever it does.
func (f Function) Always() []Status {
	for _, p := range f.Params {
		if p.Kind == In || p.Kind == Text || p.Kind == Out {
			return []Status{BadPointer, Unavailable, Internal}
		}
	}
	return []Status{Unavailable, Internal}
}

// Types returns the WebAssembly parameter types of f.
func (f Function) Types() []Type {
	var types []Type
	for _, p := range f.Params {
		switch p.Kind {
		case In, Text, Out:
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
		{
			FnRequestHead,
			[]Param{{"buf", Out}},
			"size of the request head", nil,
			"Reads the request head (SPEC.md, 4).",
		},
		{
			FnRequestBody,
			[]Param{{"offset", S64}, {"buf", Out}},
			"bytes copied, 0 = end",
			[]Status{Invalid},
			"Copies bytes of the request body from offset on.",
		},
		{
			FnResponseHead,
			[]Param{{"head", In}},
			"ok",
			[]Status{Invalid, Limit},
			"Sets status and header, in the layout of a response head. The last accepted call stands.",
		},
		{
			FnResponseWrite,
			[]Param{{"data", In}},
			"ok",
			[]Status{Limit},
			"Appends to the response body.",
		},
		{
			FnRouteSet,
			[]Param{{"pattern", Text}},
			"ok",
			[]Status{Invalid, Limit},
			"Reports the pattern that the guest's own router matched. Empty: none.",
		},
		{
			FnOutcomeSet,
			[]Param{{"outcome", U32}},
			"ok",
			[]Status{Invalid},
			"Decides whether the effects commit. The last call stands.",
		},
		{
			FnKVGet,
			[]Param{{"key", Text}, {"buf", Out}},
			"size of the value",
			[]Status{NotFound, Invalid, Limit, Denied, WrongType},
			"Reads a value.",
		},
		{
			FnKVSet,
			[]Param{{"key", Text}, {"value", In}, {"ttl_ms", S64}},
			"ok",
			[]Status{Invalid, Limit, Denied},
			"Writes a value, which is absent ttl_ms milliseconds after the invocation started. 0: it stays.",
		},
		{
			FnKVDelete,
			[]Param{{"key", Text}},
			"ok",
			[]Status{Invalid, Limit, Denied},
			"Removes a key, present or not.",
		},
		{
			FnKVAdd,
			[]Param{{"key", Text}, {"delta", S64}},
			"ok",
			[]Status{Invalid, Limit, Denied, WrongType},
			"Adds to a counter without reading it. An absent one starts from 0.",
		},
		{
			FnKVList,
			[]Param{{"prefix", Text}, {"after", Text}, {"limit", U32}, {"flags", U32}, {"buf", Out}},
			"size of the page",
			[]Status{Invalid, Limit, Denied, WrongType},
			"Reads a page of at most limit keys that start with prefix and follow after in the order of the list. limit 0: as many as fit. after empty: from the start.",
		},
		{
			FnConfigGet,
			[]Param{{"name", Text}, {"buf", Out}},
			"size of the value",
			[]Status{NotFound},
			"Reads a variable of the plugin.",
		},
		{
			FnLogWrite,
			[]Param{{"level", U32}, {"message", Text}, {"attrs", In}},
			"ok",
			[]Status{Invalid, Limit},
			"Writes a line to the plugin's log, with attributes (a list of pairs, or no bytes).",
		},
		{
			FnClockNow, nil,
			"nanoseconds", nil,
			"Reads the clock: nanoseconds since 1970-01-01 UTC.",
		},
		{
			FnRandomFill,
			[]Param{{"buf", Out}},
			"bytes filled", nil,
			"Fills the buffer with bytes from a cryptographic source.",
		},
		{
			FnHTTPOpen,
			[]Param{{"head", In}},
			"a handle",
			[]Status{Invalid, Limit, Denied},
			"Begins a call to another service, in the layout of an HTTP request. Nothing is sent.",
		},
		{
			FnHTTPWrite,
			[]Param{{"handle", U32}, {"data", In}},
			"ok",
			[]Status{NotFound, Invalid, Limit, Denied},
			"Appends to the body of a call's request.",
		},
		{
			FnHTTPSend,
			[]Param{{"handles", In}},
			"how many have a response",
			[]Status{NotFound, Invalid, Limit, Denied},
			"Sends calls at once, and waits until each has the head of a response or has failed.",
		},
		{
			FnHTTPHead,
			[]Param{{"handle", U32}, {"buf", Out}},
			"size of the HTTP response",
			[]Status{NotFound, Invalid, Denied},
			"Reads what became of a call, in the layout of an HTTP response.",
		},
		{
			FnHTTPRead,
			[]Param{{"handle", U32}, {"buf", Out}},
			"bytes copied, 0 = end",
			[]Status{NotFound, Invalid, Limit, Denied, Timeout, Unreachable},
			"Waits for the next bytes of a response's body and copies them.",
		},
		{
			FnHTTPClose,
			[]Param{{"handle", U32}},
			"ok",
			[]Status{NotFound, Denied},
			"Ends a call. Its handle is void.",
		},
	}
}
