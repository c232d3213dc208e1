// Code generated from the lists of package abi by go generate. DO NOT EDIT.

package hostcall

// Host answers the host functions in a native test. The methods mean what the
// functions of the same name do; slices are valid within the call only.
type Host interface {
	// RequestHead reads the request head (SPEC.md, 4). It returns: size of the
	// request head.
	RequestHead(buf []byte) int64
	// RequestBody copies bytes of the request body from offset on. It returns:
	// bytes copied, 0 = end. Errors: abi.Invalid.
	RequestBody(offset int64, buf []byte) int64
	// ResponseHead sets status and header, in the layout of a response head. The
	// last accepted call stands. It returns: ok. Errors: abi.Invalid, abi.Limit.
	ResponseHead(head []byte) int64
	// ResponseWrite appends to the response body. It returns: ok. Errors:
	// abi.Limit.
	ResponseWrite(data []byte) int64
	// RouteSet reports the pattern that the guest's own router matched. Empty:
	// none. It returns: ok. Errors: abi.Invalid, abi.Limit.
	RouteSet(pattern string) int64
	// OutcomeSet decides whether the effects commit. The last call stands. It
	// returns: ok. Errors: abi.Invalid.
	OutcomeSet(outcome uint32) int64
	// KVGet reads a value. It returns: size of the value. Errors: abi.NotFound,
	// abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
	KVGet(key string, buf []byte) int64
	// KVGetSnapshot reads a value without depending on it: the attempt does not
	// conflict when another changes it. It returns: size of the value. Errors:
	// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
	KVGetSnapshot(key string, buf []byte) int64
	// KVSet writes a value, which is absent ttl_ms milliseconds after the
	// invocation started. 0: it stays. It returns: ok. Errors: abi.Invalid,
	// abi.Limit, abi.Denied.
	KVSet(key string, value []byte, ttlMS int64) int64
	// KVSetVersionstamped writes a value as kv_set does. At the offsets in key and
	// value, the commit writes its versionstamp over 8 bytes. -1: nowhere. It
	// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied.
	KVSetVersionstamped(key string, value []byte, keyOffset int64, valueOffset int64, ttlMS int64) int64
	// KVDelete removes a key, present or not. It returns: ok. Errors: abi.Invalid,
	// abi.Limit, abi.Denied.
	KVDelete(key string) int64
	// KVAdd adds to a counter without reading it. An absent one starts from 0. It
	// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
	KVAdd(key string, delta int64) int64
	// KVList reads a page of at most limit keys that start with prefix and follow
	// after in the order of the list. limit 0: as many as fit. after empty: from
	// the start. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
	// abi.Denied, abi.WrongType.
	KVList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64
	// ConfigGet reads a variable of the plugin. It returns: size of the value.
	// Errors: abi.NotFound.
	ConfigGet(name string, buf []byte) int64
	// LogWrite writes a line to the plugin's log, with attributes (a list of pairs,
	// or no bytes). It returns: ok. Errors: abi.Invalid, abi.Limit.
	LogWrite(level uint32, message string, attrs []byte) int64
	// ClockNow reads the clock: nanoseconds since 1970-01-01 UTC. It returns:
	// nanoseconds.
	ClockNow() int64
	// RandomFill fills the buffer with bytes from a cryptographic source. It
	// returns: bytes filled.
	RandomFill(buf []byte) int64
	// HTTPOpen begins a call to another service, in the layout of an HTTP request.
	// Nothing is sent. It returns: a handle. Errors: abi.Invalid, abi.Limit,
	// abi.Denied.
	HTTPOpen(head []byte) int64
	// HTTPWrite appends to the body of a call's request. It returns: ok. Errors:
	// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	HTTPWrite(handle uint32, data []byte) int64
	// HTTPSend sends calls at once, and waits until each has the head of a response
	// or has failed. It returns: how many have a response. Errors: abi.NotFound,
	// abi.Invalid, abi.Limit, abi.Denied.
	HTTPSend(handles []byte) int64
	// HTTPHead reads what became of a call, in the layout of an HTTP response. It
	// returns: size of the HTTP response. Errors: abi.NotFound, abi.Invalid,
	// abi.Denied.
	HTTPHead(handle uint32, buf []byte) int64
	// HTTPRead waits for the next bytes of a response's body and copies them. It
	// returns: bytes copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit,
	// abi.Denied, abi.Timeout, abi.Unreachable.
	HTTPRead(handle uint32, buf []byte) int64
	// HTTPClose ends a call. Its handle is void. It returns: ok. Errors:
	// abi.NotFound, abi.Denied.
	HTTPClose(handle uint32) int64
	// SQLExec runs one statement of SQL in a database of the plugin, within the
	// request's transaction. Rows that it finds are dropped. args: parameters
	// (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted
	// last, i64 both; a buffer that is smaller is invalid. It returns: 16, the size
	// of the result. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SQLExec(database string, statement string, args []byte, result []byte) int64
	// SQLQuery begins one statement of SQL, whose rows sql_rows reads. What it
	// changes is done when the call returns. args: as with sql_exec. It returns: a
	// handle of its rows. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SQLQuery(database string, statement string, args []byte) int64
	// SQLColumns reads the columns of a query: pairs of a name and the type that
	// the table declares. It returns: size of the list of columns. Errors:
	// abi.NotFound.
	SQLColumns(handle uint32, buf []byte) int64
	// SQLRows reads the next rows of a query, whole ones, as many as fit and at
	// most limit (0: any number). A first row that does not fit is read by the next
	// call. It returns: size of the page. Errors: abi.NotFound, abi.Invalid,
	// abi.Limit.
	SQLRows(handle uint32, limit uint32, buf []byte) int64
	// SQLClose ends a query. What its statement has changed stays, as it does of a
	// query that stays open. Its handle is void. It returns: ok. Errors:
	// abi.NotFound.
	SQLClose(handle uint32) int64
	// SQLError reads why the last sql call that failed in this attempt did:
	// SQLite's extended result code (u32, 0: none), and a text. It returns: size of
	// the error. Errors: abi.NotFound.
	SQLError(buf []byte) int64
	// QueueSend sends a message to a queue of the plugin, or with a name like
	// stock/mail of a plugin that it may call, with the commit. It is handled
	// delay_ms milliseconds after the invocation started, and after those before it
	// that have its key. key empty: in no order. id empty: none; else it drops the
	// message if one with that id was sent before. It returns: a result of
	// queue_send. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	QueueSend(queue string, body []byte, key string, delayMS int64, id string) int64
	// WebhookSend sends a webhook with the commit: a signed POST to a URL, tried
	// again until it is taken. secret: the variable that has the key. account
	// empty: that key signs; else one made of it and of account. It returns: ok.
	// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	WebhookSend(url string, body []byte, secret string, account string) int64
	// SocketSend sends data on a socket of the plugin, with the commit. An event
	// stream has the name of the event as well. event empty: none. It returns: ok.
	// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SocketSend(socket string, data []byte, event string, flags uint32) int64
	// SocketClose closes a socket of the plugin with the commit, after all that was
	// sent on it. code 0: 1000. It returns: ok. Errors: abi.NotFound, abi.Invalid,
	// abi.Limit, abi.Denied.
	SocketClose(socket string, code uint32, reason string) int64
	// SocketFollow has a socket follow a topic from the commit on. It returns: ok.
	// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SocketFollow(socket string, topic string) int64
	// SocketUnfollow has a socket follow a topic no more, from the commit on. It
	// returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SocketUnfollow(socket string, topic string) int64
	// SocketAttach sets what the later events of a socket carry, with the commit.
	// It returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	SocketAttach(socket string, data string) int64
	// Publish sends data on all sockets that follow a topic of the plugin, with the
	// commit. event: as with socket_send. It returns: ok. Errors: abi.Invalid,
	// abi.Limit, abi.Denied.
	Publish(topic string, data []byte, event string, flags uint32) int64
	// TopicCount counts the sockets that follow a topic of the plugin at this
	// moment. It returns: how many sockets follow the topic. Errors: abi.Invalid,
	// abi.Limit, abi.Denied.
	TopicCount(topic string) int64
	// PasswordHash hashes a password with argon2id and a random salt, in PHC string
	// format. It returns: size of the hash. Errors: abi.Invalid, abi.Limit.
	PasswordHash(password string, buf []byte) int64
	// PasswordVerify compares a password with an argon2id hash in PHC string
	// format. hash empty: takes the time of one, and is no match. It returns: a
	// result of password_verify. Errors: abi.Invalid, abi.Limit.
	PasswordVerify(password string, hash string) int64
	// BlobCreate begins a blob of pieces. It returns: a handle. Errors: abi.Limit,
	// abi.Denied.
	BlobCreate() int64
	// BlobWrite appends to a blob that was begun. It returns: ok. Errors:
	// abi.NotFound, abi.Limit, abi.Denied.
	BlobWrite(handle uint32, data []byte) int64
	// BlobFetch appends what is left of the body of a response, to a blob that was
	// begun. call: a handle of http_open. It returns: bytes appended. Errors:
	// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.Timeout,
	// abi.Unreachable.
	BlobFetch(handle uint32, call uint32) int64
	// BlobDrop gives up a blob that was begun. Its handle is void. It returns: ok.
	// Errors: abi.NotFound, abi.Denied.
	BlobDrop(handle uint32) int64
	// BlobPut ends a blob that was begun, and has the commit give it a name, in
	// place of the blob that has it. handle 0: the body of the request. media_type:
	// of the bytes, or empty. The handle is void, unless the call is invalid. It
	// returns: size of the blob. Errors: abi.NotFound, abi.Invalid, abi.Limit,
	// abi.Denied.
	BlobPut(handle uint32, name string, mediaType string, metadata []byte) int64
	// BlobStat reads what is known of the blob of a name (SPEC.md, 4). It returns:
	// size of the blob head. Errors: abi.NotFound, abi.Invalid, abi.Limit,
	// abi.Denied.
	BlobStat(name string, buf []byte) int64
	// BlobRead copies bytes of the blob of a name from offset on. It returns: bytes
	// copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	BlobRead(name string, offset int64, buf []byte) int64
	// BlobList reads a page of names as kv_list does. The value of an entry is the
	// blob head. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
	// abi.Denied.
	BlobList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64
	// BlobDelete has the commit remove a name, present or not. It returns: ok.
	// Errors: abi.Invalid, abi.Limit, abi.Denied.
	BlobDelete(name string) int64
	// BlobAnswer makes the blob of a name the body of the response. disposition:
	// the Content-Disposition of the response, or empty. It returns: ok. Errors:
	// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
	BlobAnswer(name string, disposition string) int64
}
