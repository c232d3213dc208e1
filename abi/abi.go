// Package abi is the contract between the wasmoor host and its guests: names,
// status codes, the table of host functions and the binary layouts they carry.
// SPEC.md is the normative text; this package is its Go side.
//
// It is imported by both sides (host and sdk), so it stays within a small part
// of the standard library: no reflection, no fmt, no encoding/json, no net/http.
// A guest built on it stays near the size of an empty one.
package abi

// Module is the import module of every host function. The version is part of
// the name: a change that breaks guests gets a new name, an addition does not.
const Module = "wasmoor_v1"

// ModulePrefix starts the import module name of every version of this ABI.
const ModulePrefix = "wasmoor_v"

// Names of the guest's exports.
const (
	// ExportMemory is the linear memory every pointer refers to. Required.
	ExportMemory = "memory"
	// ExportInitialize runs once, before the first request, with no parameters
	// and no results. Optional. Host functions answer Unavailable in it.
	ExportInitialize = "_initialize"
	// ExportHandle serves one request: () -> i32, nonzero = the handler failed.
	// Required.
	ExportHandle = "wasmoor_handle"
)

// ManifestSection is the name of the custom section that carries a packed
// manifest (TOML text).
const ManifestSection = "wasmoor:manifest"

// MigrationsSection is the name of the custom section that carries the migrations of the
// module's databases: a list of pairs of a name like main/001_users.sql and its text.
const MigrationsSection = "wasmoor:migrations"

// Status is the negative part of a host function's result. A result >= 0 is a
// size or a count; a result < 0 is one of these. The numbers are append-only.
//
//nolint:errname // a number that is also an error, as syscall.Errno
type Status int64

// The status codes.
//
//nolint:errname // SPEC.md names them
const (
	// OK is the result of a call that has nothing to count.
	OK Status = 0
	// BadPointer: a pointer and its length do not lie within guest memory.
	BadPointer Status = -1
	// Invalid: an argument breaks a rule of its function.
	Invalid Status = -2
	// NotFound: no such key or name. An empty value is not absent.
	NotFound Status = -3
	// Unavailable: the function cannot be called now (during initialisation).
	Unavailable Status = -4
	// Denied: the plugin has no grant for the capability.
	Denied Status = -5
	// Limit: the call would exceed a limit; nothing was done.
	Limit Status = -6
	// WrongType: the stored value is not a counter, or the counter would overflow.
	WrongType Status = -7
	// Internal: the host failed; the operator's log says why.
	Internal Status = -8
	// Timeout: a call to another service took too long.
	Timeout Status = -9
	// Unreachable: a call to another service failed on its way: no connection, no
	// trust in its certificate, an answer that is not HTTP.
	Unreachable Status = -10
)

var statusNames = [...]string{
	"ok", "bad pointer", "invalid", "not found", "unavailable",
	"denied", "limit", "wrong type", "internal", "timeout", "unreachable",
}

// String returns the status's name in SPEC.md, in lower case.
func (s Status) String() string {
	if s > 0 || s <= -Status(len(statusNames)) {
		return "unknown status"
	}
	return statusNames[-s]
}

// Error makes a Status below zero usable as an error.
func (s Status) Error() string { return "wasmoor: " + s.String() }

// Triggers: which way a request came. SPEC.md names those of later hosts.
const (
	TriggerHTTP   = "http"   // from an HTTP client
	TriggerQueue  = "queue"  // as a message of a queue
	TriggerCron   = "cron"   // by a schedule
	TriggerCall   = "call"   // from a handler of another plugin
	TriggerSocket = "socket" // as an event of a socket
	TriggerUpload = "upload" // to begin an upload, or with one that is complete
)

// Log levels, the argument of log_write.
const (
	LogDebug uint32 = iota
	LogInfo
	LogWarn
	LogError
)

// Outcomes, the argument of outcome_set.
const (
	// OutcomeDefault leaves the decision to the response's status:
	// below 500 commits, 500 and above aborts.
	OutcomeDefault uint32 = iota
	// OutcomeCommit commits whatever the status.
	OutcomeCommit
	// OutcomeAbort drops every effect whatever the status.
	OutcomeAbort
)

// Flags of kv_list.
const (
	// ListReverse lists from the highest key down.
	ListReverse uint32 = 1 << iota
	// ListKeysOnly leaves values out.
	ListKeysOnly
	// ListSnapshot makes the attempt depend on nothing that it lists.
	ListSnapshot
)

// Flags of http_open.
const (
	// HTTPNoRedirect gives an answer of 3xx to the guest instead of following it.
	HTTPNoRedirect uint32 = 1 << iota
	// HTTPNoCache neither reads nor fills the response cache.
	HTTPNoCache
)

// Results of password_verify.
const (
	PasswordWrong int64 = iota
	PasswordRight
	// PasswordStale is a match whose hash has other parameters than new ones.
	PasswordStale
)

// Results of queue_send.
const (
	QueueSent int64 = iota
	// QueueRepeated is a message that was dropped for its id.
	QueueRepeated
)

// Flags of socket_send and publish.
const (
	// SocketBinary says that the data is no text.
	SocketBinary uint32 = 1 << iota
)

// CounterSize is the length of a counter's value: a little-endian i64.
const CounterSize = 8

// VersionstampSize is the length of a versionstamp: the revision of a commit, a
// big-endian u64.
const VersionstampSize = 8

// NoVersionstamp as an offset says that there is none.
const NoVersionstamp = -1
