// Code generated from the lists of package abi by go generate. DO NOT EDIT.

//go:build !wasip1

package hostcall

// RequestHead reads the request head (SPEC.md, 4). It returns: size of the
// request head.
func RequestHead(buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RequestHead(buf) })
}

// RequestBody copies bytes of the request body from offset on. It returns:
// bytes copied, 0 = end. Errors: abi.Invalid.
func RequestBody(offset int64, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RequestBody(offset, buf) })
}

// ResponseHead sets status and header, in the layout of a response head. The
// last accepted call stands. It returns: ok. Errors: abi.Invalid, abi.Limit.
func ResponseHead(head []byte) int64 {
	return ask(func(h Host) int64 { return h.ResponseHead(head) })
}

// ResponseWrite appends to the response body. It returns: ok. Errors:
// abi.Limit.
func ResponseWrite(data []byte) int64 {
	return ask(func(h Host) int64 { return h.ResponseWrite(data) })
}

// RouteSet reports the pattern that the guest's own router matched. Empty:
// none. It returns: ok. Errors: abi.Invalid, abi.Limit.
func RouteSet(pattern string) int64 {
	return ask(func(h Host) int64 { return h.RouteSet(pattern) })
}

// OutcomeSet decides whether the effects commit. The last call stands. It
// returns: ok. Errors: abi.Invalid.
func OutcomeSet(outcome uint32) int64 {
	return ask(func(h Host) int64 { return h.OutcomeSet(outcome) })
}

// KVGet reads a value. It returns: size of the value. Errors: abi.NotFound,
// abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVGet(key string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.KVGet(key, buf) })
}

// KVGetSnapshot reads a value without depending on it: the attempt does not
// conflict when another changes it. It returns: size of the value. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVGetSnapshot(key string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.KVGetSnapshot(key, buf) })
}

// KVSet writes a value, which is absent ttl_ms milliseconds after the
// invocation started. 0: it stays. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func KVSet(key string, value []byte, ttlMS int64) int64 {
	return ask(func(h Host) int64 { return h.KVSet(key, value, ttlMS) })
}

// KVSetVersionstamped writes a value as kv_set does. At the offsets in key and
// value, the commit writes its versionstamp over 8 bytes. -1: nowhere. It
// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied.
func KVSetVersionstamped(key string, value []byte, keyOffset int64, valueOffset int64, ttlMS int64) int64 {
	return ask(func(h Host) int64 { return h.KVSetVersionstamped(key, value, keyOffset, valueOffset, ttlMS) })
}

// KVDelete removes a key, present or not. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func KVDelete(key string) int64 {
	return ask(func(h Host) int64 { return h.KVDelete(key) })
}

// KVAdd adds to a counter without reading it. An absent one starts from 0. It
// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVAdd(key string, delta int64) int64 {
	return ask(func(h Host) int64 { return h.KVAdd(key, delta) })
}

// KVList reads a page of at most limit keys that start with prefix and follow
// after in the order of the list. limit 0: as many as fit. after empty: from
// the start. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
// abi.Denied, abi.WrongType.
func KVList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.KVList(prefix, after, limit, flags, buf) })
}

// ConfigGet reads a variable of the plugin. It returns: size of the value.
// Errors: abi.NotFound.
func ConfigGet(name string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.ConfigGet(name, buf) })
}

// LogWrite writes a line to the plugin's log, with attributes (a list of pairs,
// or no bytes). It returns: ok. Errors: abi.Invalid, abi.Limit.
func LogWrite(level uint32, message string, attrs []byte) int64 {
	return ask(func(h Host) int64 { return h.LogWrite(level, message, attrs) })
}

// ClockNow reads the clock: nanoseconds since 1970-01-01 UTC. It returns:
// nanoseconds.
func ClockNow() int64 {
	return ask(func(h Host) int64 { return h.ClockNow() })
}

// RandomFill fills the buffer with bytes from a cryptographic source. It
// returns: bytes filled.
func RandomFill(buf []byte) int64 {
	return ask(func(h Host) int64 { return h.RandomFill(buf) })
}

// HTTPOpen begins a call to another service, in the layout of an HTTP request.
// Nothing is sent. It returns: a handle. Errors: abi.Invalid, abi.Limit,
// abi.Denied.
func HTTPOpen(head []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPOpen(head) })
}

// HTTPWrite appends to the body of a call's request. It returns: ok. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func HTTPWrite(handle uint32, data []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPWrite(handle, data) })
}

// HTTPSend sends calls at once, and waits until each has the head of a response
// or has failed. It returns: how many have a response. Errors: abi.NotFound,
// abi.Invalid, abi.Limit, abi.Denied.
func HTTPSend(handles []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPSend(handles) })
}

// HTTPHead reads what became of a call, in the layout of an HTTP response. It
// returns: size of the HTTP response. Errors: abi.NotFound, abi.Invalid,
// abi.Denied.
func HTTPHead(handle uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPHead(handle, buf) })
}

// HTTPRead waits for the next bytes of a response's body and copies them. It
// returns: bytes copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied, abi.Timeout, abi.Unreachable.
func HTTPRead(handle uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.HTTPRead(handle, buf) })
}

// HTTPClose ends a call. Its handle is void. It returns: ok. Errors:
// abi.NotFound, abi.Denied.
func HTTPClose(handle uint32) int64 {
	return ask(func(h Host) int64 { return h.HTTPClose(handle) })
}

// SQLExec runs one statement of SQL in a database of the plugin, within the
// request's transaction. Rows that it finds are dropped. args: parameters
// (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted
// last, i64 both; a buffer that is smaller is invalid. It returns: 16, the size
// of the result. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SQLExec(database string, statement string, args []byte, result []byte) int64 {
	return ask(func(h Host) int64 { return h.SQLExec(database, statement, args, result) })
}

// SQLQuery begins one statement of SQL, whose rows sql_rows reads. What it
// changes is done when the call returns. args: as with sql_exec. It returns: a
// handle of its rows. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SQLQuery(database string, statement string, args []byte) int64 {
	return ask(func(h Host) int64 { return h.SQLQuery(database, statement, args) })
}

// SQLColumns reads the columns of a query: pairs of a name and the type that
// the table declares. It returns: size of the list of columns. Errors:
// abi.NotFound.
func SQLColumns(handle uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.SQLColumns(handle, buf) })
}

// SQLRows reads the next rows of a query, whole ones, as many as fit and at
// most limit (0: any number). A first row that does not fit is read by the next
// call. It returns: size of the page. Errors: abi.NotFound, abi.Invalid,
// abi.Limit.
func SQLRows(handle uint32, limit uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.SQLRows(handle, limit, buf) })
}

// SQLClose ends a query. What its statement has changed stays, as it does of a
// query that stays open. Its handle is void. It returns: ok. Errors:
// abi.NotFound.
func SQLClose(handle uint32) int64 {
	return ask(func(h Host) int64 { return h.SQLClose(handle) })
}

// SQLError reads why the last sql call that failed in this attempt did:
// SQLite's extended result code (u32, 0: none), and a text. It returns: size of
// the error. Errors: abi.NotFound.
func SQLError(buf []byte) int64 {
	return ask(func(h Host) int64 { return h.SQLError(buf) })
}

// QueueSend sends a message to a queue of the plugin, or with a name like
// stock/mail of a plugin that it may call, with the commit. It is handled
// delay_ms milliseconds after the invocation started, and after those before it
// that have its key. key empty: in no order. id empty: none; else it drops the
// message if one with that id was sent before. It returns: a result of
// queue_send. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func QueueSend(queue string, body []byte, key string, delayMS int64, id string) int64 {
	return ask(func(h Host) int64 { return h.QueueSend(queue, body, key, delayMS, id) })
}

// WebhookSend sends a webhook with the commit: a signed POST to a URL, tried
// again until it is taken. secret: the variable that has the key. account
// empty: that key signs; else one made of it and of account. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func WebhookSend(url string, body []byte, secret string, account string) int64 {
	return ask(func(h Host) int64 { return h.WebhookSend(url, body, secret, account) })
}

// SocketSend sends data on a socket of the plugin, with the commit. An event
// stream has the name of the event as well. event empty: none. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketSend(socket string, data []byte, event string, flags uint32) int64 {
	return ask(func(h Host) int64 { return h.SocketSend(socket, data, event, flags) })
}

// SocketClose closes a socket of the plugin with the commit, after all that was
// sent on it. code 0: 1000. It returns: ok. Errors: abi.NotFound, abi.Invalid,
// abi.Limit, abi.Denied.
func SocketClose(socket string, code uint32, reason string) int64 {
	return ask(func(h Host) int64 { return h.SocketClose(socket, code, reason) })
}

// SocketFollow has a socket follow a topic from the commit on. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketFollow(socket string, topic string) int64 {
	return ask(func(h Host) int64 { return h.SocketFollow(socket, topic) })
}

// SocketUnfollow has a socket follow a topic no more, from the commit on. It
// returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketUnfollow(socket string, topic string) int64 {
	return ask(func(h Host) int64 { return h.SocketUnfollow(socket, topic) })
}

// SocketAttach sets what the later events of a socket carry, with the commit.
// It returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketAttach(socket string, data string) int64 {
	return ask(func(h Host) int64 { return h.SocketAttach(socket, data) })
}

// Publish sends data on all sockets that follow a topic of the plugin, with the
// commit. event: as with socket_send. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func Publish(topic string, data []byte, event string, flags uint32) int64 {
	return ask(func(h Host) int64 { return h.Publish(topic, data, event, flags) })
}

// TopicCount counts the sockets that follow a topic of the plugin at this
// moment. It returns: how many sockets follow the topic. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func TopicCount(topic string) int64 {
	return ask(func(h Host) int64 { return h.TopicCount(topic) })
}

// PasswordHash hashes a password with argon2id and a random salt, in PHC string
// format. It returns: size of the hash. Errors: abi.Invalid, abi.Limit.
func PasswordHash(password string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.PasswordHash(password, buf) })
}

// PasswordVerify compares a password with an argon2id hash in PHC string
// format. hash empty: takes the time of one, and is no match. It returns: a
// result of password_verify. Errors: abi.Invalid, abi.Limit.
func PasswordVerify(password string, hash string) int64 {
	return ask(func(h Host) int64 { return h.PasswordVerify(password, hash) })
}

// BlobCreate begins a blob of pieces. It returns: a handle. Errors: abi.Limit,
// abi.Denied.
func BlobCreate() int64 {
	return ask(func(h Host) int64 { return h.BlobCreate() })
}

// BlobWrite appends to a blob that was begun. It returns: ok. Errors:
// abi.NotFound, abi.Limit, abi.Denied.
func BlobWrite(handle uint32, data []byte) int64 {
	return ask(func(h Host) int64 { return h.BlobWrite(handle, data) })
}

// BlobFetch appends what is left of the body of a response, to a blob that was
// begun. call: a handle of http_open. It returns: bytes appended. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.Timeout,
// abi.Unreachable.
func BlobFetch(handle uint32, call uint32) int64 {
	return ask(func(h Host) int64 { return h.BlobFetch(handle, call) })
}

// BlobDrop gives up a blob that was begun. Its handle is void. It returns: ok.
// Errors: abi.NotFound, abi.Denied.
func BlobDrop(handle uint32) int64 {
	return ask(func(h Host) int64 { return h.BlobDrop(handle) })
}

// BlobPut ends a blob that was begun, and has the commit give it a name, in
// place of the blob that has it. handle 0: the body of the request. media_type:
// of the bytes, or empty. The handle is void, unless the call is invalid. It
// returns: size of the blob. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied.
func BlobPut(handle uint32, name string, mediaType string, metadata []byte) int64 {
	return ask(func(h Host) int64 { return h.BlobPut(handle, name, mediaType, metadata) })
}

// BlobStat reads what is known of the blob of a name (SPEC.md, 4). It returns:
// size of the blob head. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied.
func BlobStat(name string, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.BlobStat(name, buf) })
}

// BlobRead copies bytes of the blob of a name from offset on. It returns: bytes
// copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func BlobRead(name string, offset int64, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.BlobRead(name, offset, buf) })
}

// BlobList reads a page of names as kv_list does. The value of an entry is the
// blob head. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
// abi.Denied.
func BlobList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64 {
	return ask(func(h Host) int64 { return h.BlobList(prefix, after, limit, flags, buf) })
}

// BlobDelete has the commit remove a name, present or not. It returns: ok.
// Errors: abi.Invalid, abi.Limit, abi.Denied.
func BlobDelete(name string) int64 {
	return ask(func(h Host) int64 { return h.BlobDelete(name) })
}

// BlobAnswer makes the blob of a name the body of the response. disposition:
// the Content-Disposition of the response, or empty. It returns: ok. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func BlobAnswer(name string, disposition string) int64 {
	return ask(func(h Host) int64 { return h.BlobAnswer(name, disposition) })
}
