// Package sdk is for writing wasmoor plugins in Go: a plugin is a handler, the
// host runs it in a sandbox, and every request is one transaction.
//
//	package main
//
//	import "github.com/wasmoor/wasmoor/sdk"
//
//	func init() { sdk.Handle(routes().Serve) }
//
//	func routes() *sdk.Router {
//		r := sdk.NewRouter()
//		r.HandleFunc("GET /hello/{name}", hello)
//		return r
//	}
//
//	func hello(w *sdk.Response, r *sdk.Request) error {
//		return w.Text(200, "Hello, "+r.PathValue("name")+"!\n")
//	}
//
//	func main() {}
//
// It is built with the standard toolchain:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o plugin.wasm .
//
// # Transactions
//
// A request reads the store at one snapshot; its writes commit together before
// the response leaves. A handler that returns nil commits, unless its status is
// 500 or above. A handler that returns an error, panics or runs out of time
// aborts: every write is dropped. Commit and Abort decide otherwise. When
// another request changed what this one has read, the host runs the handler
// again on a new snapshot, so a handler has no effect but its writes and its
// response; Request.Attempt tells the runs apart.
//
// # Initialisation
//
// Package variables and init functions run before the first request, without
// host functions: no store, no config, no log. What they leave in memory may be
// frozen and serve every request of a version: build routers, tables and
// templates there; do not keep times, random numbers, caches or goroutines.
// A plugin starts every request in that same memory, and what a request stores
// in variables is gone after it.
//
// # Size and speed
//
// The package and its kv and log companions stay away from fmt, time, reflect
// and encoding/json, so that a small guest stays near the size of an empty one.
// A small request is served without an allocation of theirs, in one page of memory.
// The rest of the standard library works in a guest; it is the plugin's choice to
// pay.
//
// A request belongs to one goroutine at a time: neither Request and Response nor
// the functions of sdk, kv and log are safe for concurrent use.
//
// Plugins import it. Tests of plugins run natively with package sdktest.
package sdk

import (
	"errors"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
	"github.com/wasmoor/wasmoor/sdk/log"
)

// Handler answers a request. Returning nil sends the response. Returning an
// error aborts the request's writes and replaces the response: one made by
// Error goes to the client as it is, any other is logged and the client learns
// nothing but "500 Internal Server Error". w and r are the handler's until it
// returns.
type Handler func(w *Response, r *Request) error

// handler is the argument of Handle.
var handler Handler

// state holds the state of a request; an instance reuses it from one to the next.
var state = newInstance()

// instance has its buffers inside, so that a small request writes to one page of
// memory: the host may start every request from a copy of the memory as it was
// after initialisation, and puts back the pages that a request has written. It is
// a little smaller than 8 KiB, for which Go's allocator starts a page of its own,
// and the parts that every request writes come first.
type instance struct {
	request  Request
	response Response
	room     []byte // what is free of the memory for requests
	served   int    // requests, the one being served too

	params    [4]abi.Pair
	fields    [512]byte
	firstRoom [requestRoom]byte
	body      [bodyRoom]byte
}

// requestRoom is how much memory is taken at a time for heads and small bodies of
// requests. headRoom is how much of it a body leaves for heads.
const (
	requestRoom = 3 << 10
	headRoom    = 1 << 10
)

func newInstance() *instance {
	i := new(instance)
	i.request.params = i.params[:0]
	i.response.head, i.response.body = i.fields[:0], i.body[:0]
	i.room = i.firstRoom[:]
	stock()
	return i
}

// Handle makes h the plugin's handler. Call it once, in an init function: the
// main function of a plugin is not run.
func Handle(h Handler) {
	switch {
	case h == nil:
		panic("sdk.Handle: the handler is nil")
	case handler != nil:
		panic("sdk.Handle called twice: a plugin has one handler, let a Router share it out")
	}
	handler = h
}

// Results of wasmoor_handle.
const (
	served int32 = 0
	failed int32 = 1
)

// Serve runs h for the current request and returns what the export
// wasmoor_handle does: zero if there is a response. Plugins do not call it; it
// is there for package sdktest.
func Serve(h Handler) (code int32) {
	w, r := &state.response, &state.request
	state.served++
	r.reset()
	w.reset()
	defer func() {
		if p := recover(); p != nil {
			reportPanic(p)
			code = failed
		}
	}()
	if h == nil {
		log.Error("the plugin has no handler: call sdk.Handle in func init(); func main is never run")
		return failed
	}
	if err := h(w, r); err != nil && !answerError(err) {
		return failed
	}
	if err := w.finish(); err != nil {
		log.Error("the host refused the response", "error", err)
		return failed
	}
	return served
}

// answerError turns a handler's error into the response and reports whether it
// could: what was passed to the host already cannot be taken back.
func answerError(err error) bool {
	problem, intended := errors.AsType[*StatusError](err)
	if !intended {
		log.Error("the handler failed", reported(err.Error(), "error", err)...)
		problem = &StatusError{Status: 500}
		state.response.dropHeader()
	}
	if !intended || state.request.outcome == abi.OutcomeDefault {
		setOutcome(abi.OutcomeAbort)
	}
	if state.response.passed > 0 {
		log.Error("the handler failed in the middle of a large response", "error", err)
		return false
	}
	problem.write(&state.response)
	return true
}

// Commit makes the writes of this request commit whatever the response's
// status. The handler goes on; the last of Commit and Abort stands, but an
// error other than one made by Error always aborts.
func Commit() { setOutcome(abi.OutcomeCommit) }

// Abort drops the writes of this request whatever the response's status: the
// client gets the response, the store stays as it was. The handler goes on.
func Abort() { setOutcome(abi.OutcomeAbort) }

func setOutcome(outcome uint32) {
	state.request.outcome = outcome
	must("outcome_set", hostcall.OutcomeSet(outcome))
}

// must is for calls that fail only outside a request or with a broken host.
func must(function string, result int64) {
	if result < 0 {
		panic("wasmoor: " + function + ": " + abi.Status(result).String())
	}
}
