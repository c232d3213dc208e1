// Code generated from the lists of package abi by go generate. DO NOT EDIT.

//go:build wasip1

package hostcall

import "unsafe"

//go:wasmimport wasmoor_v1 request_head
//go:noescape
func requestHead(buf unsafe.Pointer, bufLen uint32) int64

// RequestHead reads the request head (SPEC.md, 4). It returns: size of the
// request head.
func RequestHead(buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return requestHead(bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 request_body
//go:noescape
func requestBody(offset int64, buf unsafe.Pointer, bufLen uint32) int64

// RequestBody copies bytes of the request body from offset on. It returns:
// bytes copied, 0 = end. Errors: abi.Invalid.
func RequestBody(offset int64, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return requestBody(offset, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 response_head
//go:noescape
func responseHead(head unsafe.Pointer, headLen uint32) int64

// ResponseHead sets status and header, in the layout of a response head. The
// last accepted call stands. It returns: ok. Errors: abi.Invalid, abi.Limit.
func ResponseHead(head []byte) int64 {
	headPtr, headLen := pointer(head)
	return responseHead(headPtr, headLen)
}

//go:wasmimport wasmoor_v1 response_write
//go:noescape
func responseWrite(data unsafe.Pointer, dataLen uint32) int64

// ResponseWrite appends to the response body. It returns: ok. Errors:
// abi.Limit.
func ResponseWrite(data []byte) int64 {
	dataPtr, dataLen := pointer(data)
	return responseWrite(dataPtr, dataLen)
}

//go:wasmimport wasmoor_v1 route_set
//go:noescape
func routeSet(pattern string) int64

// RouteSet reports the pattern that the guest's own router matched. Empty:
// none. It returns: ok. Errors: abi.Invalid, abi.Limit.
func RouteSet(pattern string) int64 {
	return routeSet(pattern)
}

//go:wasmimport wasmoor_v1 outcome_set
func outcomeSet(outcome uint32) int64

// OutcomeSet decides whether the effects commit. The last call stands. It
// returns: ok. Errors: abi.Invalid.
func OutcomeSet(outcome uint32) int64 {
	return outcomeSet(outcome)
}

//go:wasmimport wasmoor_v1 kv_get
//go:noescape
func kvGet(key string, buf unsafe.Pointer, bufLen uint32) int64

// KVGet reads a value. It returns: size of the value. Errors: abi.NotFound,
// abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVGet(key string, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return kvGet(key, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 kv_get_snapshot
//go:noescape
func kvGetSnapshot(key string, buf unsafe.Pointer, bufLen uint32) int64

// KVGetSnapshot reads a value without depending on it: the attempt does not
// conflict when another changes it. It returns: size of the value. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVGetSnapshot(key string, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return kvGetSnapshot(key, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 kv_set
//go:noescape
func kvSet(key string, value unsafe.Pointer, valueLen uint32, ttlMS int64) int64

// KVSet writes a value, which is absent ttl_ms milliseconds after the
// invocation started. 0: it stays. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func KVSet(key string, value []byte, ttlMS int64) int64 {
	valuePtr, valueLen := pointer(value)
	return kvSet(key, valuePtr, valueLen, ttlMS)
}

//go:wasmimport wasmoor_v1 kv_set_versionstamped
//go:noescape
func kvSetVersionstamped(key string, value unsafe.Pointer, valueLen uint32, keyOffset int64, valueOffset int64, ttlMS int64) int64

// KVSetVersionstamped writes a value as kv_set does. At the offsets in key and
// value, the commit writes its versionstamp over 8 bytes. -1: nowhere. It
// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied.
func KVSetVersionstamped(key string, value []byte, keyOffset int64, valueOffset int64, ttlMS int64) int64 {
	valuePtr, valueLen := pointer(value)
	return kvSetVersionstamped(key, valuePtr, valueLen, keyOffset, valueOffset, ttlMS)
}

//go:wasmimport wasmoor_v1 kv_delete
//go:noescape
func kvDelete(key string) int64

// KVDelete removes a key, present or not. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func KVDelete(key string) int64 {
	return kvDelete(key)
}

//go:wasmimport wasmoor_v1 kv_add
//go:noescape
func kvAdd(key string, delta int64) int64

// KVAdd adds to a counter without reading it. An absent one starts from 0. It
// returns: ok. Errors: abi.Invalid, abi.Limit, abi.Denied, abi.WrongType.
func KVAdd(key string, delta int64) int64 {
	return kvAdd(key, delta)
}

//go:wasmimport wasmoor_v1 kv_list
//go:noescape
func kvList(prefix string, after string, limit uint32, flags uint32, buf unsafe.Pointer, bufLen uint32) int64

// KVList reads a page of at most limit keys that start with prefix and follow
// after in the order of the list. limit 0: as many as fit. after empty: from
// the start. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
// abi.Denied, abi.WrongType.
func KVList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return kvList(prefix, after, limit, flags, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 config_get
//go:noescape
func configGet(name string, buf unsafe.Pointer, bufLen uint32) int64

// ConfigGet reads a variable of the plugin. It returns: size of the value.
// Errors: abi.NotFound.
func ConfigGet(name string, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return configGet(name, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 log_write
//go:noescape
func logWrite(level uint32, message string, attrs unsafe.Pointer, attrsLen uint32) int64

// LogWrite writes a line to the plugin's log, with attributes (a list of pairs,
// or no bytes). It returns: ok. Errors: abi.Invalid, abi.Limit.
func LogWrite(level uint32, message string, attrs []byte) int64 {
	attrsPtr, attrsLen := pointer(attrs)
	return logWrite(level, message, attrsPtr, attrsLen)
}

//go:wasmimport wasmoor_v1 clock_now
func clockNow() int64

// ClockNow reads the clock: nanoseconds since 1970-01-01 UTC. It returns:
// nanoseconds.
func ClockNow() int64 {
	return clockNow()
}

//go:wasmimport wasmoor_v1 random_fill
//go:noescape
func randomFill(buf unsafe.Pointer, bufLen uint32) int64

// RandomFill fills the buffer with bytes from a cryptographic source. It
// returns: bytes filled.
func RandomFill(buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return randomFill(bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 http_open
//go:noescape
func httpOpen(head unsafe.Pointer, headLen uint32) int64

// HTTPOpen begins a call to another service, in the layout of an HTTP request.
// Nothing is sent. It returns: a handle. Errors: abi.Invalid, abi.Limit,
// abi.Denied.
func HTTPOpen(head []byte) int64 {
	headPtr, headLen := pointer(head)
	return httpOpen(headPtr, headLen)
}

//go:wasmimport wasmoor_v1 http_write
//go:noescape
func httpWrite(handle uint32, data unsafe.Pointer, dataLen uint32) int64

// HTTPWrite appends to the body of a call's request. It returns: ok. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func HTTPWrite(handle uint32, data []byte) int64 {
	dataPtr, dataLen := pointer(data)
	return httpWrite(handle, dataPtr, dataLen)
}

//go:wasmimport wasmoor_v1 http_send
//go:noescape
func httpSend(handles unsafe.Pointer, handlesLen uint32) int64

// HTTPSend sends calls at once, and waits until each has the head of a response
// or has failed. It returns: how many have a response. Errors: abi.NotFound,
// abi.Invalid, abi.Limit, abi.Denied.
func HTTPSend(handles []byte) int64 {
	handlesPtr, handlesLen := pointer(handles)
	return httpSend(handlesPtr, handlesLen)
}

//go:wasmimport wasmoor_v1 http_head
//go:noescape
func httpHead(handle uint32, buf unsafe.Pointer, bufLen uint32) int64

// HTTPHead reads what became of a call, in the layout of an HTTP response. It
// returns: size of the HTTP response. Errors: abi.NotFound, abi.Invalid,
// abi.Denied.
func HTTPHead(handle uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return httpHead(handle, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 http_read
//go:noescape
func httpRead(handle uint32, buf unsafe.Pointer, bufLen uint32) int64

// HTTPRead waits for the next bytes of a response's body and copies them. It
// returns: bytes copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied, abi.Timeout, abi.Unreachable.
func HTTPRead(handle uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return httpRead(handle, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 http_close
func httpClose(handle uint32) int64

// HTTPClose ends a call. Its handle is void. It returns: ok. Errors:
// abi.NotFound, abi.Denied.
func HTTPClose(handle uint32) int64 {
	return httpClose(handle)
}

//go:wasmimport wasmoor_v1 sql_exec
//go:noescape
func sqlExec(database string, statement string, args unsafe.Pointer, argsLen uint32, result unsafe.Pointer, resultLen uint32) int64

// SQLExec runs one statement of SQL in a database of the plugin, within the
// request's transaction. Rows that it finds are dropped. args: parameters
// (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted
// last, i64 both; a buffer that is smaller is invalid. It returns: 16, the size
// of the result. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SQLExec(database string, statement string, args []byte, result []byte) int64 {
	argsPtr, argsLen := pointer(args)
	resultPtr, resultLen := pointer(result)
	return sqlExec(database, statement, argsPtr, argsLen, resultPtr, resultLen)
}

//go:wasmimport wasmoor_v1 sql_query
//go:noescape
func sqlQuery(database string, statement string, args unsafe.Pointer, argsLen uint32) int64

// SQLQuery begins one statement of SQL, whose rows sql_rows reads. What it
// changes is done when the call returns. args: as with sql_exec. It returns: a
// handle of its rows. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SQLQuery(database string, statement string, args []byte) int64 {
	argsPtr, argsLen := pointer(args)
	return sqlQuery(database, statement, argsPtr, argsLen)
}

//go:wasmimport wasmoor_v1 sql_columns
//go:noescape
func sqlColumns(handle uint32, buf unsafe.Pointer, bufLen uint32) int64

// SQLColumns reads the columns of a query: pairs of a name and the type that
// the table declares. It returns: size of the list of columns. Errors:
// abi.NotFound.
func SQLColumns(handle uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return sqlColumns(handle, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 sql_rows
//go:noescape
func sqlRows(handle uint32, limit uint32, buf unsafe.Pointer, bufLen uint32) int64

// SQLRows reads the next rows of a query, whole ones, as many as fit and at
// most limit (0: any number). A first row that does not fit is read by the next
// call. It returns: size of the page. Errors: abi.NotFound, abi.Invalid,
// abi.Limit.
func SQLRows(handle uint32, limit uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return sqlRows(handle, limit, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 sql_close
func sqlClose(handle uint32) int64

// SQLClose ends a query. What its statement has changed stays, as it does of a
// query that stays open. Its handle is void. It returns: ok. Errors:
// abi.NotFound.
func SQLClose(handle uint32) int64 {
	return sqlClose(handle)
}

//go:wasmimport wasmoor_v1 sql_error
//go:noescape
func sqlError(buf unsafe.Pointer, bufLen uint32) int64

// SQLError reads why the last sql call that failed in this attempt did:
// SQLite's extended result code (u32, 0: none), and a text. It returns: size of
// the error. Errors: abi.NotFound.
func SQLError(buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return sqlError(bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 queue_send
//go:noescape
func queueSend(queue string, body unsafe.Pointer, bodyLen uint32, key string, delayMS int64, id string) int64

// QueueSend sends a message to a queue of the plugin, or with a name like
// stock/mail of a plugin that it may call, with the commit. It is handled
// delay_ms milliseconds after the invocation started, and after those before it
// that have its key. key empty: in no order. id empty: none; else it drops the
// message if one with that id was sent before. It returns: a result of
// queue_send. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func QueueSend(queue string, body []byte, key string, delayMS int64, id string) int64 {
	bodyPtr, bodyLen := pointer(body)
	return queueSend(queue, bodyPtr, bodyLen, key, delayMS, id)
}

//go:wasmimport wasmoor_v1 webhook_send
//go:noescape
func webhookSend(url string, body unsafe.Pointer, bodyLen uint32, secret string, account string) int64

// WebhookSend sends a webhook with the commit: a signed POST to a URL, tried
// again until it is taken. secret: the variable that has the key. account
// empty: that key signs; else one made of it and of account. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func WebhookSend(url string, body []byte, secret string, account string) int64 {
	bodyPtr, bodyLen := pointer(body)
	return webhookSend(url, bodyPtr, bodyLen, secret, account)
}

//go:wasmimport wasmoor_v1 socket_send
//go:noescape
func socketSend(socket string, data unsafe.Pointer, dataLen uint32, event string, flags uint32) int64

// SocketSend sends data on a socket of the plugin, with the commit. An event
// stream has the name of the event as well. event empty: none. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketSend(socket string, data []byte, event string, flags uint32) int64 {
	dataPtr, dataLen := pointer(data)
	return socketSend(socket, dataPtr, dataLen, event, flags)
}

//go:wasmimport wasmoor_v1 socket_close
//go:noescape
func socketClose(socket string, code uint32, reason string) int64

// SocketClose closes a socket of the plugin with the commit, after all that was
// sent on it. code 0: 1000. It returns: ok. Errors: abi.NotFound, abi.Invalid,
// abi.Limit, abi.Denied.
func SocketClose(socket string, code uint32, reason string) int64 {
	return socketClose(socket, code, reason)
}

//go:wasmimport wasmoor_v1 socket_follow
//go:noescape
func socketFollow(socket string, topic string) int64

// SocketFollow has a socket follow a topic from the commit on. It returns: ok.
// Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketFollow(socket string, topic string) int64 {
	return socketFollow(socket, topic)
}

//go:wasmimport wasmoor_v1 socket_unfollow
//go:noescape
func socketUnfollow(socket string, topic string) int64

// SocketUnfollow has a socket follow a topic no more, from the commit on. It
// returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketUnfollow(socket string, topic string) int64 {
	return socketUnfollow(socket, topic)
}

//go:wasmimport wasmoor_v1 socket_attach
//go:noescape
func socketAttach(socket string, data string) int64

// SocketAttach sets what the later events of a socket carry, with the commit.
// It returns: ok. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func SocketAttach(socket string, data string) int64 {
	return socketAttach(socket, data)
}

//go:wasmimport wasmoor_v1 publish
//go:noescape
func publish(topic string, data unsafe.Pointer, dataLen uint32, event string, flags uint32) int64

// Publish sends data on all sockets that follow a topic of the plugin, with the
// commit. event: as with socket_send. It returns: ok. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func Publish(topic string, data []byte, event string, flags uint32) int64 {
	dataPtr, dataLen := pointer(data)
	return publish(topic, dataPtr, dataLen, event, flags)
}

//go:wasmimport wasmoor_v1 topic_count
//go:noescape
func topicCount(topic string) int64

// TopicCount counts the sockets that follow a topic of the plugin at this
// moment. It returns: how many sockets follow the topic. Errors: abi.Invalid,
// abi.Limit, abi.Denied.
func TopicCount(topic string) int64 {
	return topicCount(topic)
}

//go:wasmimport wasmoor_v1 password_hash
//go:noescape
func passwordHash(password string, buf unsafe.Pointer, bufLen uint32) int64

// PasswordHash hashes a password with argon2id and a random salt, in PHC string
// format. It returns: size of the hash. Errors: abi.Invalid, abi.Limit.
func PasswordHash(password string, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return passwordHash(password, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 password_verify
//go:noescape
func passwordVerify(password string, hash string) int64

// PasswordVerify compares a password with an argon2id hash in PHC string
// format. hash empty: takes the time of one, and is no match. It returns: a
// result of password_verify. Errors: abi.Invalid, abi.Limit.
func PasswordVerify(password string, hash string) int64 {
	return passwordVerify(password, hash)
}

//go:wasmimport wasmoor_v1 blob_create
func blobCreate() int64

// BlobCreate begins a blob of pieces. It returns: a handle. Errors: abi.Limit,
// abi.Denied.
func BlobCreate() int64 {
	return blobCreate()
}

//go:wasmimport wasmoor_v1 blob_write
//go:noescape
func blobWrite(handle uint32, data unsafe.Pointer, dataLen uint32) int64

// BlobWrite appends to a blob that was begun. It returns: ok. Errors:
// abi.NotFound, abi.Limit, abi.Denied.
func BlobWrite(handle uint32, data []byte) int64 {
	dataPtr, dataLen := pointer(data)
	return blobWrite(handle, dataPtr, dataLen)
}

//go:wasmimport wasmoor_v1 blob_fetch
func blobFetch(handle uint32, call uint32) int64

// BlobFetch appends what is left of the body of a response, to a blob that was
// begun. call: a handle of http_open. It returns: bytes appended. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied, abi.Timeout,
// abi.Unreachable.
func BlobFetch(handle uint32, call uint32) int64 {
	return blobFetch(handle, call)
}

//go:wasmimport wasmoor_v1 blob_drop
func blobDrop(handle uint32) int64

// BlobDrop gives up a blob that was begun. Its handle is void. It returns: ok.
// Errors: abi.NotFound, abi.Denied.
func BlobDrop(handle uint32) int64 {
	return blobDrop(handle)
}

//go:wasmimport wasmoor_v1 blob_put
//go:noescape
func blobPut(handle uint32, name string, mediaType string, metadata unsafe.Pointer, metadataLen uint32) int64

// BlobPut ends a blob that was begun, and has the commit give it a name, in
// place of the blob that has it. handle 0: the body of the request. media_type:
// of the bytes, or empty. The handle is void, unless the call is invalid. It
// returns: size of the blob. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied.
func BlobPut(handle uint32, name string, mediaType string, metadata []byte) int64 {
	metadataPtr, metadataLen := pointer(metadata)
	return blobPut(handle, name, mediaType, metadataPtr, metadataLen)
}

//go:wasmimport wasmoor_v1 blob_stat
//go:noescape
func blobStat(name string, buf unsafe.Pointer, bufLen uint32) int64

// BlobStat reads what is known of the blob of a name (SPEC.md, 4). It returns:
// size of the blob head. Errors: abi.NotFound, abi.Invalid, abi.Limit,
// abi.Denied.
func BlobStat(name string, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return blobStat(name, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 blob_read
//go:noescape
func blobRead(name string, offset int64, buf unsafe.Pointer, bufLen uint32) int64

// BlobRead copies bytes of the blob of a name from offset on. It returns: bytes
// copied, 0 = end. Errors: abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func BlobRead(name string, offset int64, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return blobRead(name, offset, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 blob_list
//go:noescape
func blobList(prefix string, after string, limit uint32, flags uint32, buf unsafe.Pointer, bufLen uint32) int64

// BlobList reads a page of names as kv_list does. The value of an entry is the
// blob head. It returns: size of the page. Errors: abi.Invalid, abi.Limit,
// abi.Denied.
func BlobList(prefix string, after string, limit uint32, flags uint32, buf []byte) int64 {
	bufPtr, bufLen := pointer(buf)
	return blobList(prefix, after, limit, flags, bufPtr, bufLen)
}

//go:wasmimport wasmoor_v1 blob_delete
//go:noescape
func blobDelete(name string) int64

// BlobDelete has the commit remove a name, present or not. It returns: ok.
// Errors: abi.Invalid, abi.Limit, abi.Denied.
func BlobDelete(name string) int64 {
	return blobDelete(name)
}

//go:wasmimport wasmoor_v1 blob_answer
//go:noescape
func blobAnswer(name string, disposition string) int64

// BlobAnswer makes the blob of a name the body of the response. disposition:
// the Content-Disposition of the response, or empty. It returns: ok. Errors:
// abi.NotFound, abi.Invalid, abi.Limit, abi.Denied.
func BlobAnswer(name string, disposition string) int64 {
	return blobAnswer(name, disposition)
}
