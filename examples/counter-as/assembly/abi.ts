// Code generated from the lists of package abi by go generate. DO NOT EDIT.
//
// The numbers of the ABI (abi/SPEC.md) and its host functions as they are. A function returns a size, a count or a
// time if that is 0 or more, and else a status: those listed with it, or one of BAD_POINTER, UNAVAILABLE, INTERNAL.
// Pointers are addresses, lengths and capacities bytes.

// Statuses.
export const OK: i64 = 0;                // done; nothing to count
export const BAD_POINTER: i64 = -1;      // a range does not lie within memory
export const INVALID: i64 = -2;          // an argument breaks a rule of the function
export const NOT_FOUND: i64 = -3;        // no such key, name or handle
export const UNAVAILABLE: i64 = -4;      // the function cannot be called now (initialisation, warm-up)
export const DENIED: i64 = -5;           // the plugin has no grant for the capability
export const LIMIT: i64 = -6;            // the call would exceed a limit
export const WRONG_TYPE: i64 = -7;       // the value is not a counter, or the counter would overflow
export const INTERNAL: i64 = -8;         // the host failed; its log says why
export const TIMEOUT: i64 = -9;          // a call to another service took too long
export const UNREACHABLE: i64 = -10;     // a call to another service failed on its way: no connection, an untrusted certificate, an answer that is not HTTP

// Levels of log_write.
export const DEBUG: u32 = 0;
export const INFO: u32 = 1;
export const WARN: u32 = 2;
export const ERROR: u32 = 3;

// Outcomes of outcome_set.
export const BY_STATUS: u32 = 0;         // below 500 commits, 500 and above drops the effects
export const COMMIT: u32 = 1;            // whatever the status
export const ABORT: u32 = 2;             // whatever the status

// Flags of kv_list.
export const REVERSE: u32 = 1;           // from the highest key down
export const KEYS_ONLY: u32 = 2;         // without values
export const SNAPSHOT: u32 = 4;          // without depending on what is listed

// Flags of http_open.
export const NO_REDIRECT: u32 = 1;       // an answer of 3xx is given as it is
export const NO_CACHE: u32 = 2;          // neither read nor fill the response cache

// Results of password_verify.
export const PASSWORD_WRONG: u32 = 0;    // no match
export const PASSWORD_RIGHT: u32 = 1;    // a match
export const PASSWORD_STALE: u32 = 2;    // a match, with other parameters than those of password_hash: hash it again

// Types of SQL values.
export const SQL_NULL: u32 = 0;
export const SQL_INTEGER: u32 = 1;       // i64
export const SQL_FLOAT: u32 = 2;         // f64
export const SQL_TEXT: u32 = 3;          // UTF-8
export const SQL_BLOB: u32 = 4;          // bytes

// Results of queue_send.
export const QUEUE_SENT: u32 = 0;        // the message is in the commit
export const QUEUE_REPEATED: u32 = 1;    // a message with that id was sent before: this one is dropped

// Flags of socket_send and publish.
export const SOCKET_BINARY: u32 = 1;     // the data is no text, and need not be UTF-8

// Sizes in bytes.
export const COUNTER_SIZE: u32 = 8;      // of a counter's value
export const VERSIONSTAMP_SIZE: u32 = 8; // of the revision that a commit writes into a key or a value
export const PAGE_HEADER_SIZE: u32 = 5;  // of a page without entries
export const SQL_PAGE_HEADER_SIZE: u32 = 9; // of a page without rows
export const SQL_RESULT_SIZE: u32 = 16;  // of what sql_exec tells

/** Reads the request head (SPEC.md, 4). Returns: size of the request head. */
@external("wasmoor_v1", "request_head")
export declare function rawRequestHead(buf: usize, bufCap: u32): i64;

/** Copies bytes of the request body from offset on. Returns: bytes copied, 0 = end. Statuses: INVALID. */
@external("wasmoor_v1", "request_body")
export declare function rawRequestBody(offset: i64, buf: usize, bufCap: u32): i64;

/** Sets status and header, in the layout of a response head. The last accepted call stands. Returns: ok. Statuses:
 * INVALID, LIMIT. */
@external("wasmoor_v1", "response_head")
export declare function rawResponseHead(head: usize, headLen: u32): i64;

/** Appends to the response body. Returns: ok. Statuses: LIMIT. */
@external("wasmoor_v1", "response_write")
export declare function rawResponseWrite(data: usize, dataLen: u32): i64;

/** Reports the pattern that the guest's own router matched. Empty: none. Returns: ok. Statuses: INVALID, LIMIT. */
@external("wasmoor_v1", "route_set")
export declare function rawRouteSet(pattern: usize, patternLen: u32): i64;

/** Decides whether the effects commit. The last call stands. Returns: ok. Statuses: INVALID. */
@external("wasmoor_v1", "outcome_set")
export declare function rawOutcomeSet(outcome: u32): i64;

/** Reads a value. Returns: size of the value. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED, WRONG_TYPE. */
@external("wasmoor_v1", "kv_get")
export declare function rawKvGet(key: usize, keyLen: u32, buf: usize, bufCap: u32): i64;

/** Reads a value without depending on it: the attempt does not conflict when another changes it. Returns: size of
 * the value. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED, WRONG_TYPE. */
@external("wasmoor_v1", "kv_get_snapshot")
export declare function rawKvGetSnapshot(key: usize, keyLen: u32, buf: usize, bufCap: u32): i64;

/** Writes a value, which is absent ttl_ms milliseconds after the invocation started. 0: it stays. Returns: ok.
 * Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "kv_set")
export declare function rawKvSet(key: usize, keyLen: u32, value: usize, valueLen: u32, ttlMs: i64): i64;

/** Writes a value as kv_set does. At the offsets in key and value, the commit writes its versionstamp over 8
 * bytes. -1: nowhere. Returns: ok. Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "kv_set_versionstamped")
export declare function rawKvSetVersionstamped(key: usize, keyLen: u32, value: usize, valueLen: u32, keyOffset: i64,
  valueOffset: i64, ttlMs: i64): i64;

/** Removes a key, present or not. Returns: ok. Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "kv_delete")
export declare function rawKvDelete(key: usize, keyLen: u32): i64;

/** Adds to a counter without reading it. An absent one starts from 0. Returns: ok. Statuses: INVALID, LIMIT,
 * DENIED, WRONG_TYPE. */
@external("wasmoor_v1", "kv_add")
export declare function rawKvAdd(key: usize, keyLen: u32, delta: i64): i64;

/** Reads a page of at most limit keys that start with prefix and follow after in the order of the list. limit 0:
 * as many as fit. after empty: from the start. Returns: size of the page. Statuses: INVALID, LIMIT, DENIED,
 * WRONG_TYPE. */
@external("wasmoor_v1", "kv_list")
export declare function rawKvList(prefix: usize, prefixLen: u32, after: usize, afterLen: u32, limit: u32, flags: u32,
  buf: usize, bufCap: u32): i64;

/** Reads a variable of the plugin. Returns: size of the value. Statuses: NOT_FOUND. */
@external("wasmoor_v1", "config_get")
export declare function rawConfigGet(name: usize, nameLen: u32, buf: usize, bufCap: u32): i64;

/** Writes a line to the plugin's log, with attributes (a list of pairs, or no bytes). Returns: ok. Statuses:
 * INVALID, LIMIT. */
@external("wasmoor_v1", "log_write")
export declare function rawLogWrite(level: u32, message: usize, messageLen: u32, attrs: usize, attrsLen: u32): i64;

/** Reads the clock: nanoseconds since 1970-01-01 UTC. Returns: nanoseconds. */
@external("wasmoor_v1", "clock_now")
export declare function rawClockNow(): i64;

/** Fills the buffer with bytes from a cryptographic source. Returns: bytes filled. */
@external("wasmoor_v1", "random_fill")
export declare function rawRandomFill(buf: usize, bufCap: u32): i64;

/** Begins a call to another service, in the layout of an HTTP request. Nothing is sent. Returns: a handle.
 * Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "http_open")
export declare function rawHttpOpen(head: usize, headLen: u32): i64;

/** Appends to the body of a call's request. Returns: ok. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "http_write")
export declare function rawHttpWrite(handle: u32, data: usize, dataLen: u32): i64;

/** Sends calls at once, and waits until each has the head of a response or has failed. Returns: how many have a
 * response. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "http_send")
export declare function rawHttpSend(handles: usize, handlesLen: u32): i64;

/** Reads what became of a call, in the layout of an HTTP response. Returns: size of the HTTP response. Statuses:
 * NOT_FOUND, INVALID, DENIED. */
@external("wasmoor_v1", "http_head")
export declare function rawHttpHead(handle: u32, buf: usize, bufCap: u32): i64;

/** Waits for the next bytes of a response's body and copies them. Returns: bytes copied, 0 = end. Statuses:
 * NOT_FOUND, INVALID, LIMIT, DENIED, TIMEOUT, UNREACHABLE. */
@external("wasmoor_v1", "http_read")
export declare function rawHttpRead(handle: u32, buf: usize, bufCap: u32): i64;

/** Ends a call. Its handle is void. Returns: ok. Statuses: NOT_FOUND, DENIED. */
@external("wasmoor_v1", "http_close")
export declare function rawHttpClose(handle: u32): i64;

/** Runs one statement of SQL in a database of the plugin, within the request's transaction. Rows that it finds are
 * dropped. args: parameters (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted last, i64
 * both; a buffer that is smaller is invalid. Returns: 16, the size of the result. Statuses: NOT_FOUND, INVALID,
 * LIMIT, DENIED. */
@external("wasmoor_v1", "sql_exec")
export declare function rawSqlExec(database: usize, databaseLen: u32, statement: usize, statementLen: u32, args:
  usize, argsLen: u32, result: usize, resultCap: u32): i64;

/** Begins one statement of SQL, whose rows sql_rows reads. What it changes is done when the call returns. args: as
 * with sql_exec. Returns: a handle of its rows. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "sql_query")
export declare function rawSqlQuery(database: usize, databaseLen: u32, statement: usize, statementLen: u32, args:
  usize, argsLen: u32): i64;

/** Reads the columns of a query: pairs of a name and the type that the table declares. Returns: size of the list
 * of columns. Statuses: NOT_FOUND. */
@external("wasmoor_v1", "sql_columns")
export declare function rawSqlColumns(handle: u32, buf: usize, bufCap: u32): i64;

/** Reads the next rows of a query, whole ones, as many as fit and at most limit (0: any number). A first row that
 * does not fit is read by the next call. Returns: size of the page. Statuses: NOT_FOUND, INVALID, LIMIT. */
@external("wasmoor_v1", "sql_rows")
export declare function rawSqlRows(handle: u32, limit: u32, buf: usize, bufCap: u32): i64;

/** Ends a query. What its statement has changed stays, as it does of a query that stays open. Its handle is void.
 * Returns: ok. Statuses: NOT_FOUND. */
@external("wasmoor_v1", "sql_close")
export declare function rawSqlClose(handle: u32): i64;

/** Reads why the last sql call that failed in this attempt did: SQLite's extended result code (u32, 0: none), and
 * a text. Returns: size of the error. Statuses: NOT_FOUND. */
@external("wasmoor_v1", "sql_error")
export declare function rawSqlError(buf: usize, bufCap: u32): i64;

/** Sends a message to a queue of the plugin, or with a name like stock/mail of a plugin that it may call, with the
 * commit. It is handled delay_ms milliseconds after the invocation started, and after those before it that have
 * its key. key empty: in no order. id empty: none; else it drops the message if one with that id was sent before.
 * Returns: a result of queue_send. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "queue_send")
export declare function rawQueueSend(queue: usize, queueLen: u32, body: usize, bodyLen: u32, key: usize, keyLen: u32,
  delayMs: i64, id: usize, idLen: u32): i64;

/** Sends a webhook with the commit: a signed POST to a URL, tried again until it is taken. secret: the variable
 * that has the key. account empty: that key signs; else one made of it and of account. Returns: ok. Statuses:
 * NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "webhook_send")
export declare function rawWebhookSend(url: usize, urlLen: u32, body: usize, bodyLen: u32, secret: usize, secretLen:
  u32, account: usize, accountLen: u32): i64;

/** Sends data on a socket of the plugin, with the commit. An event stream has the name of the event as well. event
 * empty: none. Returns: ok. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "socket_send")
export declare function rawSocketSend(socket: usize, socketLen: u32, data: usize, dataLen: u32, event: usize,
  eventLen: u32, flags: u32): i64;

/** Closes a socket of the plugin with the commit, after all that was sent on it. code 0: 1000. Returns: ok.
 * Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "socket_close")
export declare function rawSocketClose(socket: usize, socketLen: u32, code: u32, reason: usize, reasonLen: u32): i64;

/** Has a socket follow a topic from the commit on. Returns: ok. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "socket_follow")
export declare function rawSocketFollow(socket: usize, socketLen: u32, topic: usize, topicLen: u32): i64;

/** Has a socket follow a topic no more, from the commit on. Returns: ok. Statuses: NOT_FOUND, INVALID, LIMIT,
 * DENIED. */
@external("wasmoor_v1", "socket_unfollow")
export declare function rawSocketUnfollow(socket: usize, socketLen: u32, topic: usize, topicLen: u32): i64;

/** Sets what the later events of a socket carry, with the commit. Returns: ok. Statuses: NOT_FOUND, INVALID,
 * LIMIT, DENIED. */
@external("wasmoor_v1", "socket_attach")
export declare function rawSocketAttach(socket: usize, socketLen: u32, data: usize, dataLen: u32): i64;

/** Sends data on all sockets that follow a topic of the plugin, with the commit. event: as with socket_send.
 * Returns: ok. Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "publish")
export declare function rawPublish(topic: usize, topicLen: u32, data: usize, dataLen: u32, event: usize, eventLen:
  u32, flags: u32): i64;

/** Counts the sockets that follow a topic of the plugin at this moment. Returns: how many sockets follow the
 * topic. Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "topic_count")
export declare function rawTopicCount(topic: usize, topicLen: u32): i64;

/** Hashes a password with argon2id and a random salt, in PHC string format. Returns: size of the hash. Statuses:
 * INVALID, LIMIT. */
@external("wasmoor_v1", "password_hash")
export declare function rawPasswordHash(password: usize, passwordLen: u32, buf: usize, bufCap: u32): i64;

/** Compares a password with an argon2id hash in PHC string format. hash empty: takes the time of one, and is no
 * match. Returns: a result of password_verify. Statuses: INVALID, LIMIT. */
@external("wasmoor_v1", "password_verify")
export declare function rawPasswordVerify(password: usize, passwordLen: u32, hash: usize, hashLen: u32): i64;

/** Begins a blob of pieces. Returns: a handle. Statuses: LIMIT, DENIED. */
@external("wasmoor_v1", "blob_create")
export declare function rawBlobCreate(): i64;

/** Appends to a blob that was begun. Returns: ok. Statuses: NOT_FOUND, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_write")
export declare function rawBlobWrite(handle: u32, data: usize, dataLen: u32): i64;

/** Appends what is left of the body of a response, to a blob that was begun. call: a handle of http_open. Returns:
 * bytes appended. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED, TIMEOUT, UNREACHABLE. */
@external("wasmoor_v1", "blob_fetch")
export declare function rawBlobFetch(handle: u32, call: u32): i64;

/** Gives up a blob that was begun. Its handle is void. Returns: ok. Statuses: NOT_FOUND, DENIED. */
@external("wasmoor_v1", "blob_drop")
export declare function rawBlobDrop(handle: u32): i64;

/** Ends a blob that was begun, and has the commit give it a name, in place of the blob that has it. handle 0: the
 * body of the request. media_type: of the bytes, or empty. The handle is void, unless the call is invalid.
 * Returns: size of the blob. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_put")
export declare function rawBlobPut(handle: u32, name: usize, nameLen: u32, mediaType: usize, mediaTypeLen: u32,
  metadata: usize, metadataLen: u32): i64;

/** Reads what is known of the blob of a name (SPEC.md, 4). Returns: size of the blob head. Statuses: NOT_FOUND,
 * INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_stat")
export declare function rawBlobStat(name: usize, nameLen: u32, buf: usize, bufCap: u32): i64;

/** Copies bytes of the blob of a name from offset on. Returns: bytes copied, 0 = end. Statuses: NOT_FOUND,
 * INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_read")
export declare function rawBlobRead(name: usize, nameLen: u32, offset: i64, buf: usize, bufCap: u32): i64;

/** Reads a page of names as kv_list does. The value of an entry is the blob head. Returns: size of the page.
 * Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_list")
export declare function rawBlobList(prefix: usize, prefixLen: u32, after: usize, afterLen: u32, limit: u32, flags:
  u32, buf: usize, bufCap: u32): i64;

/** Has the commit remove a name, present or not. Returns: ok. Statuses: INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_delete")
export declare function rawBlobDelete(name: usize, nameLen: u32): i64;

/** Makes the blob of a name the body of the response. disposition: the Content-Disposition of the response, or
 * empty. Returns: ok. Statuses: NOT_FOUND, INVALID, LIMIT, DENIED. */
@external("wasmoor_v1", "blob_answer")
export declare function rawBlobAnswer(name: usize, nameLen: u32, disposition: usize, dispositionLen: u32): i64;
