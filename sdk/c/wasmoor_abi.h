/* Code generated from the lists of package abi by go generate. DO NOT EDIT.
 *
 * The numbers of the ABI and its host functions as they are, which wasmoor.h includes. A function returns a size, a
 * count or a time if that is 0 or more, and else a status: those listed with it, or one of WM_BAD_POINTER,
 * WM_UNAVAILABLE, WM_INTERNAL.
 */
#ifndef WASMOOR_ABI_H
#define WASMOOR_ABI_H

#include <stdint.h>

/* Statuses. */
enum {
    WM_OK = 0,               /* done; nothing to count */
    WM_BAD_POINTER = -1,     /* a range does not lie within memory */
    WM_INVALID = -2,         /* an argument breaks a rule of the function */
    WM_NOT_FOUND = -3,       /* no such key, name or handle */
    WM_UNAVAILABLE = -4,     /* the function cannot be called now (initialisation, warm-up) */
    WM_DENIED = -5,          /* the plugin has no grant for the capability */
    WM_LIMIT = -6,           /* the call would exceed a limit */
    WM_WRONG_TYPE = -7,      /* the value is not a counter, or the counter would overflow */
    WM_INTERNAL = -8,        /* the host failed; its log says why */
    WM_TIMEOUT = -9,         /* a call to another service took too long */
    WM_UNREACHABLE = -10,    /* a call to another service failed on its way: no connection, an untrusted certificate, an answer that is not HTTP */
};

/* Levels of log_write. */
enum {
    WM_DEBUG = 0,
    WM_INFO = 1,
    WM_WARN = 2,
    WM_ERROR = 3,
};

/* Outcomes of outcome_set. */
enum {
    WM_BY_STATUS = 0,        /* below 500 commits, 500 and above drops the effects */
    WM_COMMIT = 1,           /* whatever the status */
    WM_ABORT = 2,            /* whatever the status */
};

/* Flags of kv_list. */
enum {
    WM_REVERSE = 1,          /* from the highest key down */
    WM_KEYS_ONLY = 2,        /* without values */
    WM_SNAPSHOT = 4,         /* without depending on what is listed */
};

/* Flags of http_open. */
enum {
    WM_NO_REDIRECT = 1,      /* an answer of 3xx is given as it is */
    WM_NO_CACHE = 2,         /* neither read nor fill the response cache */
};

/* Results of password_verify. */
enum {
    WM_PASSWORD_WRONG = 0,   /* no match */
    WM_PASSWORD_RIGHT = 1,   /* a match */
    WM_PASSWORD_STALE = 2,   /* a match, with other parameters than those of password_hash: hash it again */
};

/* Types of SQL values. */
enum {
    WM_SQL_NULL = 0,
    WM_SQL_INTEGER = 1,      /* i64 */
    WM_SQL_FLOAT = 2,        /* f64 */
    WM_SQL_TEXT = 3,         /* UTF-8 */
    WM_SQL_BLOB = 4,         /* bytes */
};

/* Results of queue_send. */
enum {
    WM_QUEUE_SENT = 0,       /* the message is in the commit */
    WM_QUEUE_REPEATED = 1,   /* a message with that id was sent before: this one is dropped */
};

/* Flags of socket_send and publish. */
enum {
    WM_SOCKET_BINARY = 1,    /* the data is no text, and need not be UTF-8 */
};

/* Sizes in bytes. */
enum {
    WM_COUNTER_SIZE = 8,     /* of a counter's value */
    WM_VERSIONSTAMP_SIZE = 8, /* of the revision that a commit writes into a key or a value */
    WM_PAGE_HEADER_SIZE = 5, /* of a page without entries */
    WM_SQL_PAGE_HEADER_SIZE = 9, /* of a page without rows */
    WM_SQL_RESULT_SIZE = 16, /* of what sql_exec tells */
};

#define WM_IMPORT(name) __attribute__((import_module("wasmoor_v1"), import_name(#name)))

/* Reads the request head (SPEC.md, 4). Returns: size of the request head. */
WM_IMPORT(request_head)
int64_t wm_raw_request_head(void *buf, uint32_t buf_cap);

/* Copies bytes of the request body from offset on. Returns: bytes copied, 0 = end. Statuses: WM_INVALID. */
WM_IMPORT(request_body)
int64_t wm_raw_request_body(int64_t offset, void *buf, uint32_t buf_cap);

/* Sets status and header, in the layout of a response head. The last accepted call stands. Returns: ok. Statuses:
 * WM_INVALID, WM_LIMIT. */
WM_IMPORT(response_head)
int64_t wm_raw_response_head(const void *head, uint32_t head_len);

/* Appends to the response body. Returns: ok. Statuses: WM_LIMIT. */
WM_IMPORT(response_write)
int64_t wm_raw_response_write(const void *data, uint32_t data_len);

/* Reports the pattern that the guest's own router matched. Empty: none. Returns: ok. Statuses: WM_INVALID,
 * WM_LIMIT. */
WM_IMPORT(route_set)
int64_t wm_raw_route_set(const void *pattern, uint32_t pattern_len);

/* Decides whether the effects commit. The last call stands. Returns: ok. Statuses: WM_INVALID. */
WM_IMPORT(outcome_set)
int64_t wm_raw_outcome_set(uint32_t outcome);

/* Reads a value. Returns: size of the value. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED,
 * WM_WRONG_TYPE. */
WM_IMPORT(kv_get)
int64_t wm_raw_kv_get(const void *key, uint32_t key_len, void *buf, uint32_t buf_cap);

/* Reads a value without depending on it: the attempt does not conflict when another changes it. Returns: size of
 * the value. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED, WM_WRONG_TYPE. */
WM_IMPORT(kv_get_snapshot)
int64_t wm_raw_kv_get_snapshot(const void *key, uint32_t key_len, void *buf, uint32_t buf_cap);

/* Writes a value, which is absent ttl_ms milliseconds after the invocation started. 0: it stays. Returns: ok.
 * Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(kv_set)
int64_t wm_raw_kv_set(const void *key, uint32_t key_len, const void *value, uint32_t value_len, int64_t ttl_ms);

/* Writes a value as kv_set does. At the offsets in key and value, the commit writes its versionstamp over 8 bytes.
 * -1: nowhere. Returns: ok. Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(kv_set_versionstamped)
int64_t wm_raw_kv_set_versionstamped(const void *key, uint32_t key_len, const void *value, uint32_t value_len, int64_t
    key_offset, int64_t value_offset, int64_t ttl_ms);

/* Removes a key, present or not. Returns: ok. Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(kv_delete)
int64_t wm_raw_kv_delete(const void *key, uint32_t key_len);

/* Adds to a counter without reading it. An absent one starts from 0. Returns: ok. Statuses: WM_INVALID, WM_LIMIT,
 * WM_DENIED, WM_WRONG_TYPE. */
WM_IMPORT(kv_add)
int64_t wm_raw_kv_add(const void *key, uint32_t key_len, int64_t delta);

/* Reads a page of at most limit keys that start with prefix and follow after in the order of the list. limit 0: as
 * many as fit. after empty: from the start. Returns: size of the page. Statuses: WM_INVALID, WM_LIMIT, WM_DENIED,
 * WM_WRONG_TYPE. */
WM_IMPORT(kv_list)
int64_t wm_raw_kv_list(const void *prefix, uint32_t prefix_len, const void *after, uint32_t after_len, uint32_t limit,
    uint32_t flags, void *buf, uint32_t buf_cap);

/* Reads a variable of the plugin. Returns: size of the value. Statuses: WM_NOT_FOUND. */
WM_IMPORT(config_get)
int64_t wm_raw_config_get(const void *name, uint32_t name_len, void *buf, uint32_t buf_cap);

/* Writes a line to the plugin's log, with attributes (a list of pairs, or no bytes). Returns: ok. Statuses:
 * WM_INVALID, WM_LIMIT. */
WM_IMPORT(log_write)
int64_t wm_raw_log_write(uint32_t level, const void *message, uint32_t message_len, const void *attrs, uint32_t
    attrs_len);

/* Reads the clock: nanoseconds since 1970-01-01 UTC. Returns: nanoseconds. */
WM_IMPORT(clock_now)
int64_t wm_raw_clock_now(void);

/* Fills the buffer with bytes from a cryptographic source. Returns: bytes filled. */
WM_IMPORT(random_fill)
int64_t wm_raw_random_fill(void *buf, uint32_t buf_cap);

/* Begins a call to another service, in the layout of an HTTP request. Nothing is sent. Returns: a handle.
 * Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(http_open)
int64_t wm_raw_http_open(const void *head, uint32_t head_len);

/* Appends to the body of a call's request. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(http_write)
int64_t wm_raw_http_write(uint32_t handle, const void *data, uint32_t data_len);

/* Sends calls at once, and waits until each has the head of a response or has failed. Returns: how many have a
 * response. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(http_send)
int64_t wm_raw_http_send(const void *handles, uint32_t handles_len);

/* Reads what became of a call, in the layout of an HTTP response. Returns: size of the HTTP response. Statuses:
 * WM_NOT_FOUND, WM_INVALID, WM_DENIED. */
WM_IMPORT(http_head)
int64_t wm_raw_http_head(uint32_t handle, void *buf, uint32_t buf_cap);

/* Waits for the next bytes of a response's body and copies them. Returns: bytes copied, 0 = end. Statuses:
 * WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED, WM_TIMEOUT, WM_UNREACHABLE. */
WM_IMPORT(http_read)
int64_t wm_raw_http_read(uint32_t handle, void *buf, uint32_t buf_cap);

/* Ends a call. Its handle is void. Returns: ok. Statuses: WM_NOT_FOUND, WM_DENIED. */
WM_IMPORT(http_close)
int64_t wm_raw_http_close(uint32_t handle);

/* Runs one statement of SQL in a database of the plugin, within the request's transaction. Rows that it finds are
 * dropped. args: parameters (SPEC.md, 4); empty: none. result: the rows changed, and the rowid inserted last, i64
 * both; a buffer that is smaller is invalid. Returns: 16, the size of the result. Statuses: WM_NOT_FOUND,
 * WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(sql_exec)
int64_t wm_raw_sql_exec(const void *database, uint32_t database_len, const void *statement, uint32_t statement_len,
    const void *args, uint32_t args_len, void *result, uint32_t result_cap);

/* Begins one statement of SQL, whose rows sql_rows reads. What it changes is done when the call returns. args: as
 * with sql_exec. Returns: a handle of its rows. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(sql_query)
int64_t wm_raw_sql_query(const void *database, uint32_t database_len, const void *statement, uint32_t statement_len,
    const void *args, uint32_t args_len);

/* Reads the columns of a query: pairs of a name and the type that the table declares. Returns: size of the list of
 * columns. Statuses: WM_NOT_FOUND. */
WM_IMPORT(sql_columns)
int64_t wm_raw_sql_columns(uint32_t handle, void *buf, uint32_t buf_cap);

/* Reads the next rows of a query, whole ones, as many as fit and at most limit (0: any number). A first row that
 * does not fit is read by the next call. Returns: size of the page. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT. */
WM_IMPORT(sql_rows)
int64_t wm_raw_sql_rows(uint32_t handle, uint32_t limit, void *buf, uint32_t buf_cap);

/* Ends a query. What its statement has changed stays, as it does of a query that stays open. Its handle is void.
 * Returns: ok. Statuses: WM_NOT_FOUND. */
WM_IMPORT(sql_close)
int64_t wm_raw_sql_close(uint32_t handle);

/* Reads why the last sql call that failed in this attempt did: SQLite's extended result code (u32, 0: none), and a
 * text. Returns: size of the error. Statuses: WM_NOT_FOUND. */
WM_IMPORT(sql_error)
int64_t wm_raw_sql_error(void *buf, uint32_t buf_cap);

/* Sends a message to a queue of the plugin, or with a name like stock/mail of a plugin that it may call, with the
 * commit. It is handled delay_ms milliseconds after the invocation started, and after those before it that have
 * its key. key empty: in no order. id empty: none; else it drops the message if one with that id was sent before.
 * Returns: a result of queue_send. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(queue_send)
int64_t wm_raw_queue_send(const void *queue, uint32_t queue_len, const void *body, uint32_t body_len, const void *key,
    uint32_t key_len, int64_t delay_ms, const void *id, uint32_t id_len);

/* Sends a webhook with the commit: a signed POST to a URL, tried again until it is taken. secret: the variable
 * that has the key. account empty: that key signs; else one made of it and of account. Returns: ok. Statuses:
 * WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(webhook_send)
int64_t wm_raw_webhook_send(const void *url, uint32_t url_len, const void *body, uint32_t body_len, const void
    *secret, uint32_t secret_len, const void *account, uint32_t account_len);

/* Sends data on a socket of the plugin, with the commit. An event stream has the name of the event as well. event
 * empty: none. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(socket_send)
int64_t wm_raw_socket_send(const void *socket, uint32_t socket_len, const void *data, uint32_t data_len, const void
    *event, uint32_t event_len, uint32_t flags);

/* Closes a socket of the plugin with the commit, after all that was sent on it. code 0: 1000. Returns: ok.
 * Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(socket_close)
int64_t wm_raw_socket_close(const void *socket, uint32_t socket_len, uint32_t code, const void *reason, uint32_t
    reason_len);

/* Has a socket follow a topic from the commit on. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT,
 * WM_DENIED. */
WM_IMPORT(socket_follow)
int64_t wm_raw_socket_follow(const void *socket, uint32_t socket_len, const void *topic, uint32_t topic_len);

/* Has a socket follow a topic no more, from the commit on. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID,
 * WM_LIMIT, WM_DENIED. */
WM_IMPORT(socket_unfollow)
int64_t wm_raw_socket_unfollow(const void *socket, uint32_t socket_len, const void *topic, uint32_t topic_len);

/* Sets what the later events of a socket carry, with the commit. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID,
 * WM_LIMIT, WM_DENIED. */
WM_IMPORT(socket_attach)
int64_t wm_raw_socket_attach(const void *socket, uint32_t socket_len, const void *data, uint32_t data_len);

/* Sends data on all sockets that follow a topic of the plugin, with the commit. event: as with socket_send.
 * Returns: ok. Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(publish)
int64_t wm_raw_publish(const void *topic, uint32_t topic_len, const void *data, uint32_t data_len, const void *event,
    uint32_t event_len, uint32_t flags);

/* Counts the sockets that follow a topic of the plugin at this moment. Returns: how many sockets follow the topic.
 * Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(topic_count)
int64_t wm_raw_topic_count(const void *topic, uint32_t topic_len);

/* Hashes a password with argon2id and a random salt, in PHC string format. Returns: size of the hash. Statuses:
 * WM_INVALID, WM_LIMIT. */
WM_IMPORT(password_hash)
int64_t wm_raw_password_hash(const void *password, uint32_t password_len, void *buf, uint32_t buf_cap);

/* Compares a password with an argon2id hash in PHC string format. hash empty: takes the time of one, and is no
 * match. Returns: a result of password_verify. Statuses: WM_INVALID, WM_LIMIT. */
WM_IMPORT(password_verify)
int64_t wm_raw_password_verify(const void *password, uint32_t password_len, const void *hash, uint32_t hash_len);

/* Begins a blob of pieces. Returns: a handle. Statuses: WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_create)
int64_t wm_raw_blob_create(void);

/* Appends to a blob that was begun. Returns: ok. Statuses: WM_NOT_FOUND, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_write)
int64_t wm_raw_blob_write(uint32_t handle, const void *data, uint32_t data_len);

/* Appends what is left of the body of a response, to a blob that was begun. call: a handle of http_open. Returns:
 * bytes appended. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED, WM_TIMEOUT, WM_UNREACHABLE. */
WM_IMPORT(blob_fetch)
int64_t wm_raw_blob_fetch(uint32_t handle, uint32_t call);

/* Gives up a blob that was begun. Its handle is void. Returns: ok. Statuses: WM_NOT_FOUND, WM_DENIED. */
WM_IMPORT(blob_drop)
int64_t wm_raw_blob_drop(uint32_t handle);

/* Ends a blob that was begun, and has the commit give it a name, in place of the blob that has it. handle 0: the
 * body of the request. media_type: of the bytes, or empty. The handle is void, unless the call is invalid.
 * Returns: size of the blob. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_put)
int64_t wm_raw_blob_put(uint32_t handle, const void *name, uint32_t name_len, const void *media_type, uint32_t
    media_type_len, const void *metadata, uint32_t metadata_len);

/* Reads what is known of the blob of a name (SPEC.md, 4). Returns: size of the blob head. Statuses: WM_NOT_FOUND,
 * WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_stat)
int64_t wm_raw_blob_stat(const void *name, uint32_t name_len, void *buf, uint32_t buf_cap);

/* Copies bytes of the blob of a name from offset on. Returns: bytes copied, 0 = end. Statuses: WM_NOT_FOUND,
 * WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_read)
int64_t wm_raw_blob_read(const void *name, uint32_t name_len, int64_t offset, void *buf, uint32_t buf_cap);

/* Reads a page of names as kv_list does. The value of an entry is the blob head. Returns: size of the page.
 * Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_list)
int64_t wm_raw_blob_list(const void *prefix, uint32_t prefix_len, const void *after, uint32_t after_len, uint32_t
    limit, uint32_t flags, void *buf, uint32_t buf_cap);

/* Has the commit remove a name, present or not. Returns: ok. Statuses: WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_delete)
int64_t wm_raw_blob_delete(const void *name, uint32_t name_len);

/* Makes the blob of a name the body of the response. disposition: the Content-Disposition of the response, or
 * empty. Returns: ok. Statuses: WM_NOT_FOUND, WM_INVALID, WM_LIMIT, WM_DENIED. */
WM_IMPORT(blob_answer)
int64_t wm_raw_blob_answer(const void *name, uint32_t name_len, const void *disposition, uint32_t disposition_len);

#endif
