// Package fault is the host's one error type. Every package of host may import
// it; codes are mapped to HTTP in server/wire and server/public, and to exit codes in
// cmd/wasmoor, nowhere else.
package fault

import (
	"errors"
	"strings"
)

// Code says what kind of failure an error is. Codes are append-only: clients of
// the admin API see them.
type Code string

// The codes.
const (
	Internal        Code = "internal"        // a bug or a broken machine; details are for the operator
	Invalid         Code = "invalid"         // the input breaks a rule
	NotFound        Code = "not_found"       // no such thing
	Conflict        Code = "conflict"        // it collides with something that exists or changed meanwhile
	Unauthenticated Code = "unauthenticated" // no or wrong credentials
	Denied          Code = "denied"          // not granted
	TooLarge        Code = "too_large"       // over a size limit
	Exhausted       Code = "exhausted"       // a quota or capacity is used up; later may work
	Unavailable     Code = "unavailable"     // not now; nothing was done
	Deadline        Code = "deadline"        // out of time
	Trap            Code = "trap"            // the guest trapped or reported failure
	BadReply        Code = "bad_reply"       // the guest's answer breaks a rule
	Unknown         Code = "unknown"         // whether the effects are durable is unknown
	Mismatch        Code = "mismatch"        // an idempotency key that belongs to another request
	Diverged        Code = "diverged"        // a call to a service was made, and a re-run of its handler does not make it
	Done            Code = "done"            // carried out before; the answer of that time was not kept
	Left            Code = "left"            // the client left while its request waited; nothing was done
)

// Error is a failure with its code. Message is for a person and says what
// failed, where, and what to do next; it is safe to show to a client unless the
// code is Internal or Unknown.
type Error struct {
	Code    Code
	Op      string // what was being done, e.g. "deploy"
	Message string
	Err     error // cause, for the operator; may be nil
}

// New returns an Error without a cause.
func New(code Code, op, message string) *Error {
	return &Error{Code: code, Op: op, Message: message}
}

// Wrap returns an Error caused by err.
func Wrap(code Code, op, message string, err error) *Error {
	return &Error{Code: code, Op: op, Message: message, Err: err}
}

// Error returns "op: message: cause", leaving out what is empty.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first Error in err's chain; "" for nil and
// Internal for an error of another type.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// MessageOf returns the message a person may read: that of the first Error in
// err's chain, or err's text.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Message != "" {
		return e.Message
	}
	return err.Error()
}
