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
	Result string   // the meaning of a result of zero or more
	Errors []Status // in addition to those that any function may return; see Always
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
	FnKVGetSnapshot = "kv_get_snapshot"
	FnKVSet         = "kv_set"
	FnKVSetStamped  = "kv_set_versionstamped"
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

	FnSQLExec    = "sql_exec"
	FnSQLQuery   = "sql_query"
	FnSQLColumns = "sql_columns"
	FnSQLRows    = "sql_rows"
	FnSQLClose   = "sql_close"
	FnSQLError   = "sql_error"

	FnQueueSend   = "queue_send"
	FnWebhookSend = "webhook_send"

	FnSocketSend     = "socket_send"
	FnSocketClose    = "socket_close"
	FnSocketFollow   = "socket_follow"
	FnSocketUnfollow = "socket_unfollow"
	FnSocketAttach   = "socket_attach"
	FnPublish        = "publish"
	FnTopicCount     = "topic_count"

	FnPasswordHash   = "password_hash"
	FnPasswordVerify = "password_verify"

	FnBlobCreate = "blob_create"
	FnBlobWrite  = "blob_write"
	FnBlobFetch  = "blob_fetch"
	FnBlobDrop   = "blob_drop"
	FnBlobPut    = "blob_put"
	FnBlobStat   = "blob_stat"
	FnBlobRead   = "blob_read"
	FnBlobList   = "blob_list"
	FnBlobDelete = "blob_delete"
	FnBlobAnswer = "blob_answer"
)

// Functions returns the host functions of Module in the order of SPEC.md. The
// host links exactly these, and refuses a module that imports another or one of
// these with a different signature.
func Functions() []Function {
	return []Function{
		{
			Name: FnRequestHead, Params: []Param{{"buf", Out}},
			Result: "size of the request head",
			Doc:    "Reads the request head (SPEC.md, 4).",
		},
		{
			Name: FnRequestBody, Params: []Param{{"offset", S64}, {"buf", Out}},
			Result: "bytes copied, 0 = end", Errors: []Status{Invalid},
			Doc: "Copies bytes of the request body from offset on.",
		},
		{
			Name: FnResponseHead, Params: []Param{{"head", In}},
			Result: "ok", Errors: []Status{Invalid, Limit},
			Doc: "Sets status and header, in the layout of a response head. The last accepted call stands.",
		},
		{
			Name: FnResponseWrite, Params: []Param{{"data", In}},
			Result: "ok", Errors: []Status{Limit},
			Doc: "Appends to the response body.",
		},
		{
			Name: FnRouteSet, Params: []Param{{"pattern", Text}},
			Result: "ok", Errors: []Status{Invalid, Limit},
			Doc: "Reports the pattern that the guest's own router matched. Empty: none.",
		},
		{
			Name: FnOutcomeSet, Params: []Param{{"outcome", U32}},
			Result: "ok", Errors: []Status{Invalid},
			Doc: "Decides whether the effects commit. The last call stands.",
		},
		{
			Name: FnKVGet, Params: []Param{{"key", Text}, {"buf", Out}},
			Result: "size of the value", Errors: []Status{NotFound, Invalid, Limit, Denied, WrongType},
			Doc: "Reads a value.",
		},
		{
			Name: FnKVGetSnapshot, Params: []Param{{"key", Text}, {"buf", Out}},
			Result: "size of the value", Errors: []Status{NotFound, Invalid, Limit, Denied, WrongType},
			Doc: "Reads a value without depending on it: the attempt does not conflict when another changes it.",
		},
		{
			Name: FnKVSet, Params: []Param{{"key", Text}, {"value", In}, {"ttl_ms", S64}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Writes a value, which is absent ttl_ms milliseconds after the invocation started. 0: it stays.",
		},
		{
			Name: FnKVSetStamped, Params: []Param{{"key", Text}, {"value", In}, {"key_offset", S64}, {"value_offset", S64}, {"ttl_ms", S64}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Writes a value as kv_set does. At the offsets in key and value, the commit writes its versionstamp over 8 bytes. -1: nowhere.",
		},
		{
			Name: FnKVDelete, Params: []Param{{"key", Text}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Removes a key, present or not.",
		},
		{
			Name: FnKVAdd, Params: []Param{{"key", Text}, {"delta", S64}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied, WrongType},
			Doc: "Adds to a counter without reading it. An absent one starts from 0.",
		},
		{
			Name: FnKVList, Params: []Param{{"prefix", Text}, {"after", Text}, {"limit", U32}, {"flags", U32}, {"buf", Out}},
			Result: "size of the page", Errors: []Status{Invalid, Limit, Denied, WrongType},
			Doc: "Reads a page of at most limit keys that start with prefix and follow after in the order of the list. limit 0: as many as fit. after empty: from the start.",
		},
		{
			Name: FnConfigGet, Params: []Param{{"name", Text}, {"buf", Out}},
			Result: "size of the value", Errors: []Status{NotFound},
			Doc: "Reads a variable of the plugin.",
		},
		{
			Name: FnLogWrite, Params: []Param{{"level", U32}, {"message", Text}, {"attrs", In}},
			Result: "ok", Errors: []Status{Invalid, Limit},
			Doc: "Writes a line to the plugin's log, with attributes (a list of pairs, or no bytes).",
		},
		{
			Name:   FnClockNow,
			Result: "nanoseconds",
			Doc:    "Reads the clock: nanoseconds since 1970-01-01 UTC.",
		},
		{
			Name: FnRandomFill, Params: []Param{{"buf", Out}},
			Result: "bytes filled",
			Doc:    "Fills the buffer with bytes from a cryptographic source.",
		},
		{
			Name: FnHTTPOpen, Params: []Param{{"head", In}},
			Result: "a handle", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Begins a call to another service, in the layout of an HTTP request. Nothing is sent.",
		},
		{
			Name: FnHTTPWrite, Params: []Param{{"handle", U32}, {"data", In}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Appends to the body of a call's request.",
		},
		{
			Name: FnHTTPSend, Params: []Param{{"handles", In}},
			Result: "how many have a response", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Sends calls at once, and waits until each has the head of a response or has failed.",
		},
		{
			Name: FnHTTPHead, Params: []Param{{"handle", U32}, {"buf", Out}},
			Result: "size of the HTTP response", Errors: []Status{NotFound, Invalid, Denied},
			Doc: "Reads what became of a call, in the layout of an HTTP response.",
		},
		{
			Name: FnHTTPRead, Params: []Param{{"handle", U32}, {"buf", Out}},
			Result: "bytes copied, 0 = end", Errors: []Status{NotFound, Invalid, Limit, Denied, Timeout, Unreachable},
			Doc: "Waits for the next bytes of a response's body and copies them.",
		},
		{
			Name: FnHTTPClose, Params: []Param{{"handle", U32}},
			Result: "ok", Errors: []Status{NotFound, Denied},
			Doc: "Ends a call. Its handle is void.",
		},
		{
			Name: FnSQLExec, Params: []Param{{"database", Text}, {"statement", Text}, {"args", In}, {"result", Out}},
			Result: "16, the size of the result", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Runs one statement of SQL in a database of the plugin, within the request's transaction. Rows that it finds are dropped. args: parameters (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted last, i64 both; a buffer that is smaller is invalid.",
		},
		{
			Name: FnSQLQuery, Params: []Param{{"database", Text}, {"statement", Text}, {"args", In}},
			Result: "a handle of its rows", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Begins one statement of SQL, whose rows " + FnSQLRows + " reads. What it changes is done when the call returns. args: as with " + FnSQLExec + ".",
		},
		{
			Name: FnSQLColumns, Params: []Param{{"handle", U32}, {"buf", Out}},
			Result: "size of the list of columns", Errors: []Status{NotFound},
			Doc: "Reads the columns of a query: pairs of a name and the type that the table declares.",
		},
		{
			Name: FnSQLRows, Params: []Param{{"handle", U32}, {"limit", U32}, {"buf", Out}},
			Result: "size of the page", Errors: []Status{NotFound, Invalid, Limit},
			Doc: "Reads the next rows of a query, whole ones, as many as fit and at most limit (0: any number). A first row that does not fit is read by the next call.",
		},
		{
			Name: FnSQLClose, Params: []Param{{"handle", U32}},
			Result: "ok", Errors: []Status{NotFound},
			Doc: "Ends a query. What its statement has changed stays, as it does of a query that stays open. Its handle is void.",
		},
		{
			Name: FnSQLError, Params: []Param{{"buf", Out}},
			Result: "size of the error", Errors: []Status{NotFound},
			Doc: "Reads why the last sql call that failed in this attempt did: SQLite's extended result code (u32, 0: none), and a text.",
		},
		{
			Name: FnQueueSend, Params: []Param{{"queue", Text}, {"body", In}, {"key", Text}, {"delay_ms", S64}, {"id", Text}},
			Result: "a result of " + FnQueueSend, Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Sends a message to a queue of the plugin, or with a name like stock/mail of a plugin that it may call, with the commit. It is handled delay_ms milliseconds after the invocation started, and after those before it that have its key. key empty: in no order. id empty: none; else it drops the message if one with that id was sent before.",
		},
		{
			Name: FnWebhookSend, Params: []Param{{"url", Text}, {"body", In}, {"secret", Text}, {"account", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Sends a webhook with the commit: a signed POST to a URL, tried again until it is taken. secret: the variable that has the key. account empty: that key signs; else one made of it and of account.",
		},
		{
			Name: FnSocketSend, Params: []Param{{"socket", Text}, {"data", In}, {"event", Text}, {"flags", U32}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Sends data on a socket of the plugin, with the commit. An event stream has the name of the event as well. event empty: none.",
		},
		{
			Name: FnSocketClose, Params: []Param{{"socket", Text}, {"code", U32}, {"reason", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Closes a socket of the plugin with the commit, after all that was sent on it. code 0: 1000.",
		},
		{
			Name: FnSocketFollow, Params: []Param{{"socket", Text}, {"topic", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Has a socket follow a topic from the commit on.",
		},
		{
			Name: FnSocketUnfollow, Params: []Param{{"socket", Text}, {"topic", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Has a socket follow a topic no more, from the commit on.",
		},
		{
			Name: FnSocketAttach, Params: []Param{{"socket", Text}, {"data", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Sets what the later events of a socket carry, with the commit.",
		},
		{
			Name: FnPublish, Params: []Param{{"topic", Text}, {"data", In}, {"event", Text}, {"flags", U32}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Sends data on all sockets that follow a topic of the plugin, with the commit. event: as with socket_send.",
		},
		{
			Name: FnTopicCount, Params: []Param{{"topic", Text}},
			Result: "how many sockets follow the topic", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Counts the sockets that follow a topic of the plugin at this moment.",
		},
		{
			Name: FnPasswordHash, Params: []Param{{"password", Text}, {"buf", Out}},
			Result: "size of the hash", Errors: []Status{Invalid, Limit},
			Doc: "Hashes a password with argon2id and a random salt, in PHC string format.",
		},
		{
			Name: FnPasswordVerify, Params: []Param{{"password", Text}, {"hash", Text}},
			Result: "a result of " + FnPasswordVerify, Errors: []Status{Invalid, Limit},
			Doc: "Compares a password with an argon2id hash in PHC string format. hash empty: takes the time of one, and is no match.",
		},
		{
			Name:   FnBlobCreate,
			Result: "a handle", Errors: []Status{Limit, Denied},
			Doc: "Begins a blob of pieces.",
		},
		{
			Name: FnBlobWrite, Params: []Param{{"handle", U32}, {"data", In}},
			Result: "ok", Errors: []Status{NotFound, Limit, Denied},
			Doc: "Appends to a blob that was begun.",
		},
		{
			Name: FnBlobFetch, Params: []Param{{"handle", U32}, {"call", U32}},
			Result: "bytes appended", Errors: []Status{NotFound, Invalid, Limit, Denied, Timeout, Unreachable},
			Doc: "Appends what is left of the body of a response, to a blob that was begun. call: a handle of http_open.",
		},
		{
			Name: FnBlobDrop, Params: []Param{{"handle", U32}},
			Result: "ok", Errors: []Status{NotFound, Denied},
			Doc: "Gives up a blob that was begun. Its handle is void.",
		},
		{
			Name: FnBlobPut, Params: []Param{{"handle", U32}, {"name", Text}, {"media_type", Text}, {"metadata", In}},
			Result: "size of the blob", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Ends a blob that was begun, and has the commit give it a name, in place of the blob that has it. handle 0: the body of the request. media_type: of the bytes, or empty. The handle is void, unless the call is invalid.",
		},
		{
			Name: FnBlobStat, Params: []Param{{"name", Text}, {"buf", Out}},
			Result: "size of the blob head", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Reads what is known of the blob of a name (SPEC.md, 4).",
		},
		{
			Name: FnBlobRead, Params: []Param{{"name", Text}, {"offset", S64}, {"buf", Out}},
			Result: "bytes copied, 0 = end", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Copies bytes of the blob of a name from offset on.",
		},
		{
			Name: FnBlobList, Params: []Param{{"prefix", Text}, {"after", Text}, {"limit", U32}, {"flags", U32}, {"buf", Out}},
			Result: "size of the page", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Reads a page of names as kv_list does. The value of an entry is the blob head.",
		},
		{
			Name: FnBlobDelete, Params: []Param{{"name", Text}},
			Result: "ok", Errors: []Status{Invalid, Limit, Denied},
			Doc: "Has the commit remove a name, present or not.",
		},
		{
			Name: FnBlobAnswer, Params: []Param{{"name", Text}, {"disposition", Text}},
			Result: "ok", Errors: []Status{NotFound, Invalid, Limit, Denied},
			Doc: "Makes the blob of a name the body of the response. disposition: the Content-Disposition of the response, or empty.",
		},
	}
}
