/* wasmoor.h: a plugin library for freestanding C. It follows abi/SPEC.md, version 1, and needs no C library.
 *
 *   #include "wasmoor.h"
 *
 *   WM_HANDLER {
 *       wm_head head;
 *       if (wm_request(&head) < 0) return 1;
 *       return wm_respond_text(200, WM_STR("hello\n"));
 *   }
 *
 * Build with clang and wasm-ld alone; README.md has the command line.
 *
 * Results. A result >= 0 is a size, a count or a time; a result < 0 is a status: one of the host's (WM_NOT_FOUND ...),
 * an unknown one of a later host, or one of this library's own (WM_NO_ROOM, WM_MALFORMED). Test with `< 0`.
 *
 * Memory. Everything read from the host lies in one static arena of WM_ARENA bytes (default 256 KiB; define it before
 * the #include). WM_HANDLER empties it, nothing is freed before; what does not fit is WM_NO_ROOM. Nothing grows memory.
 *
 * Include it from one file of the plugin: the arena is static. The numbers of the ABI and its host functions are in
 * wasmoor_abi.h next to it, which is generated.
 */
#ifndef WASMOOR_H
#define WASMOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef WM_ARENA
#define WM_ARENA (256u * 1024u)
#endif

#include "wasmoor_abi.h"

/* ---- This library's own statuses, far from where the host's grow ---- */

enum {
    WM_NO_ROOM = -1000001,  /* the arena is spent, or a writer's buffer */
    WM_MALFORMED = -1000002 /* bytes are not the layout they should be */
};

#define WM_EXPORT(name) __attribute__((export_name(#name)))

/* ---- What the compiler may call even in freestanding code ---- */

#define WM_BUILTIN __attribute__((weak, no_builtin))

WM_BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    uint8_t *t = to;
    const uint8_t *f = from;
    while (n--) *t++ = *f++;
    return to;
}

WM_BUILTIN void *memmove(void *to, const void *from, size_t n) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t < f) {
        while (n--) *t++ = *f++;
    } else {
        while (n--) t[n] = f[n];
    }
    return to;
}

WM_BUILTIN void *memset(void *to, int value, size_t n) {
    uint8_t *t = to;
    while (n--) *t++ = (uint8_t)value;
    return to;
}

WM_BUILTIN int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (; n--; x++, y++) {
        if (*x != *y) return *x - *y;
    }
    return 0;
}

/* ---- Bytes ---- */

/* wm_str is bytes with a length: a view, never ended by NUL. */
typedef struct {
    const uint8_t *ptr;
    uint32_t len;
} wm_str;

/* WM_STR views a string literal; WM_STR_INIT does so in a static initialiser. */
#define WM_STR_INIT(literal) {(const uint8_t *)("" literal), sizeof(literal) - 1}
#define WM_STR(literal) ((wm_str)WM_STR_INIT(literal))

typedef struct {
    wm_str name, value;
} wm_pair;

static inline bool wm_equal(wm_str a, wm_str b) { return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0; }

/* wm_cut splits at the first sep: true and both halves, or false, all of s in *before and nothing in *after. */
static inline bool wm_cut(wm_str s, uint8_t sep, wm_str *before, wm_str *after) {
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != sep) continue;
        *before = (wm_str){s.ptr, i};
        *after = (wm_str){s.ptr + i + 1, s.len - i - 1};
        return true;
    }
    *before = s;
    *after = (wm_str){s.ptr + s.len, 0};
    return false;
}

/* wm_parse_u64 reads decimal digits alone; false for anything else and for what leaves 64 bits. */
static inline bool wm_parse_u64(wm_str s, uint64_t *out) {
    uint64_t n = 0;
    if (s.len == 0) return false;
    for (uint32_t i = 0; i < s.len; i++) {
        uint32_t digit = (uint32_t)s.ptr[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

/* ---- Arena ---- */

static uint8_t wm_arena[WM_ARENA];
static uint32_t wm_arena_used;

static inline void wm_reset(void) { wm_arena_used = 0; }
static inline uint8_t *wm_free_ptr(void) { return wm_arena + wm_arena_used; }
static inline uint32_t wm_free_len(void) { return WM_ARENA - wm_arena_used; }

/* wm_alloc takes n bytes until the handler is called again, unaligned; NULL if they are not there. */
static inline uint8_t *wm_alloc(uint32_t n) {
    if (n > wm_free_len()) return NULL;
    uint8_t *p = wm_free_ptr();
    wm_arena_used += n;
    return p;
}

/* wm_keep takes what the host wrote at wm_free_ptr(); a size above the room means that nothing was written. */
static inline int64_t wm_keep(int64_t size, wm_str *out) {
    *out = (wm_str){wm_free_ptr(), 0};
    if (size < 0) return size;
    if (size > (int64_t)wm_free_len()) return WM_NO_ROOM;
    out->len = (uint32_t)size;
    wm_arena_used += (uint32_t)size;
    return size;
}

/* wm_copy copies s into the arena. */
static inline int64_t wm_copy(wm_str s, wm_str *out) {
    uint8_t *p = wm_alloc(s.len);
    if (!p) return WM_NO_ROOM;
    memcpy(p, s.ptr, s.len);
    *out = (wm_str){p, s.len};
    return s.len;
}

/* ---- Reading layouts (SPEC 4): each length is checked against what is left; after a failure all reads give zero ---- */

typedef struct {
    const uint8_t *ptr;
    uint32_t left;
    bool failed;
} wm_reader;

static inline wm_reader wm_read(wm_str s) { return (wm_reader){s.ptr, s.len, false}; }

static inline const uint8_t *wm_take(wm_reader *r, uint32_t n) {
    if (r->failed || n > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->ptr;
    r->ptr += n;
    r->left -= n;
    return p;
}

static inline uint64_t wm_le(const uint8_t *p, uint32_t n) {
    uint64_t v = 0;
    while (p && n--) v = v << 8 | p[n];
    return v;
}

static inline uint8_t wm_read_u8(wm_reader *r) { return (uint8_t)wm_le(wm_take(r, 1), 1); }
static inline uint32_t wm_read_u32(wm_reader *r) { return (uint32_t)wm_le(wm_take(r, 4), 4); }
static inline uint64_t wm_read_u64(wm_reader *r) { return wm_le(wm_take(r, 8), 8); }

static inline wm_str wm_read_str(wm_reader *r) {
    uint32_t len = wm_read_u32(r);
    const uint8_t *p = wm_take(r, len);
    return (wm_str){p, p ? len : 0};
}

/* wm_list is a list that was checked as a whole: wm_next cannot run out of its bytes. */
typedef struct {
    uint32_t count; /* entries not yet taken */
    bool keys_only; /* entries have a name alone */
    wm_reader bytes;
} wm_list;

/* wm_next takes the next pair (of a page: key and value); false at the end. */
static inline bool wm_next(wm_list *list, wm_pair *out) {
    if (list->count == 0) return false;
    list->count--;
    out->name = wm_read_str(&list->bytes);
    out->value = list->keys_only ? (wm_str){out->name.ptr + out->name.len, 0} : wm_read_str(&list->bytes);
    return !list->bytes.failed;
}

/* wm_read_list walks count entries once, so that a later walk needs no check of its own. */
static inline wm_list wm_read_list(wm_reader *r, uint32_t count, bool keys_only) {
    wm_list list = {count, keys_only, *r}, walk = list;
    wm_pair pair;
    if (count > r->left / (keys_only ? 4u : 8u)) r->failed = true;
    while (!r->failed && walk.count) {
        if (!wm_next(&walk, &pair)) r->failed = true;
    }
    if (r->failed) return (wm_list){0, keys_only, *r};
    *r = walk.bytes;
    return list;
}

/* wm_find gives the value of the first pair of that name. False if there is none; *value is then as it was. */
static inline bool wm_find(wm_list list, wm_str name, wm_str *value) {
    wm_pair pair;
    while (wm_next(&list, &pair)) {
        if (!wm_equal(pair.name, name)) continue;
        *value = pair.value;
        return true;
    }
    return false;
}

/* wm_head is the request head; its text is as the SPEC says: path and query undecoded, header names in lower case. */
typedef struct {
    wm_str method, path, mount, pattern;
    wm_list params; /* of the manifest's pattern, decoded */
    wm_str query;
    wm_list headers;
    wm_str scheme, host, remote, request_id;
    uint32_t attempt;
    uint64_t body_size;
    wm_str trigger;     /* which way the request came: "http"; empty from a host that does not say so */
    wm_list attributes; /* what the host says of the request, never the client */
    int64_t deadline;   /* when the handler's time is over, as wm_now; 0 from a host that does not say so */
} wm_head;

static inline bool wm_decode_head(wm_str bytes, wm_head *h) {
    wm_reader r = wm_read(bytes);
    h->method = wm_read_str(&r);
    h->path = wm_read_str(&r);
    h->mount = wm_read_str(&r);
    h->pattern = wm_read_str(&r);
    h->params = wm_read_list(&r, wm_read_u32(&r), false);
    h->query = wm_read_str(&r);
    h->headers = wm_read_list(&r, wm_read_u32(&r), false);
    h->scheme = wm_read_str(&r);
    h->host = wm_read_str(&r);
    h->remote = wm_read_str(&r);
    h->request_id = wm_read_str(&r);
    h->attempt = wm_read_u32(&r);
    h->body_size = wm_read_u64(&r);
    h->trigger = (wm_str){r.ptr, 0};
    h->attributes = (wm_list){0, false, r};
    h->deadline = 0;
    if (r.left == 0) return !r.failed; /* a host that came before these fields */
    h->trigger = wm_read_str(&r);
    h->attributes = wm_read_list(&r, wm_read_u32(&r), false);
    if (r.left == 0) return !r.failed; /* one that came before the deadline */
    h->deadline = (int64_t)wm_read_u64(&r);
    return !r.failed;
}

/* wm_page is one page of a list. If more is set, list again with the last key as the cursor. */
typedef struct {
    bool more;
    wm_list entries;
} wm_page;

static inline bool wm_decode_page(wm_str bytes, bool keys_only, wm_page *page) {
    wm_reader r = wm_read(bytes);
    uint32_t count = wm_read_u32(&r);
    page->more = wm_read_u8(&r) != 0;
    page->entries = wm_read_list(&r, count, keys_only);
    return !r.failed;
}

/* ---- Writing layouts and text: what does not fit sets failed, and nothing more is written ---- */

typedef struct {
    uint8_t *ptr;
    uint32_t cap, len;
    bool failed;
} wm_writer;

/* wm_write takes cap bytes of the arena for a writer. */
static inline wm_writer wm_write(uint32_t cap) {
    uint8_t *p = wm_alloc(cap);
    return (wm_writer){p, p ? cap : 0, 0, p == NULL};
}

static inline wm_str wm_written(const wm_writer *w) { return (wm_str){w->ptr, w->failed ? 0 : w->len}; }

/* wm_put_bytes appends bytes as they are: the way to write text. */
static inline void wm_put_bytes(wm_writer *w, wm_str s) {
    if (w->failed || s.len > w->cap - w->len) {
        w->failed = true;
        return;
    }
    memcpy(w->ptr + w->len, s.ptr, s.len);
    w->len += s.len;
}

static inline void wm_put_le(wm_writer *w, uint64_t v, uint32_t n) {
    uint8_t bytes[8];
    for (uint32_t i = 0; i < n; i++) bytes[i] = (uint8_t)(v >> (8 * i));
    wm_put_bytes(w, (wm_str){bytes, n});
}

static inline void wm_put_u8(wm_writer *w, uint8_t v) { wm_put_le(w, v, 1); }
static inline void wm_put_u32(wm_writer *w, uint32_t v) { wm_put_le(w, v, 4); }
static inline void wm_put_u64(wm_writer *w, uint64_t v) { wm_put_le(w, v, 8); }

static inline void wm_put_str(wm_writer *w, wm_str s) {
    wm_put_u32(w, s.len);
    wm_put_bytes(w, s);
}

static inline void wm_put_pairs(wm_writer *w, const wm_pair *pairs, uint32_t count) {
    wm_put_u32(w, count);
    for (uint32_t i = 0; i < count; i++) {
        wm_put_str(w, pairs[i].name);
        wm_put_str(w, pairs[i].value);
    }
}

/* wm_put_decimal appends a number as text. */
static inline void wm_put_decimal(wm_writer *w, int64_t v) {
    uint8_t digits[20];
    uint32_t at = sizeof digits;
    uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do digits[--at] = (uint8_t)('0' + n % 10);
    while (n /= 10);
    if (v < 0) digits[--at] = '-';
    wm_put_bytes(w, (wm_str){digits + at, sizeof digits - at});
}

/* ---- Request ---- */

/* wm_request reads the head of the request. */
static inline int64_t wm_request(wm_head *head) {
    wm_str bytes;
    int64_t n = wm_keep(wm_raw_request_head(wm_free_ptr(), wm_free_len()), &bytes);
    if (n < 0) return n;
    return wm_decode_head(bytes, head) ? n : WM_MALFORMED;
}

/* wm_body reads the whole body; look at head.body_size first and refuse what is too large for you. */
static inline int64_t wm_body(const wm_head *head, wm_str *body) {
    if (head->body_size > wm_free_len()) return WM_NO_ROOM;
    uint32_t size = (uint32_t)head->body_size, at = 0;
    uint8_t *p = wm_alloc(size);
    while (at < size) {
        int64_t n = wm_raw_request_body(at, p + at, size - at);
        if (n < 0) return n;
        if (n == 0 || n > size - at) return WM_MALFORMED;
        at += (uint32_t)n;
    }
    *body = (wm_str){p, size};
    return size;
}

/* wm_query finds the first field of that name in a query and gives its value undecoded. False if there is
 * none; *value is then as it was. */
static inline bool wm_query(wm_str query, wm_str name, wm_str *value) {
    wm_str field, key, text;
    while (query.len) {
        wm_cut(query, '&', &field, &query);
        wm_cut(field, '=', &key, &text);
        if (!wm_equal(key, name)) continue;
        *value = text;
        return true;
    }
    return false;
}

static inline int wm_hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* wm_unescape decodes percent escapes, and + as a space if plus is set (queries); WM_MALFORMED for a broken escape. */
static inline int64_t wm_unescape(wm_str s, bool plus, wm_str *out) {
    if (s.len > wm_free_len()) return WM_NO_ROOM;
    uint8_t *p = wm_free_ptr();
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c == '%') {
            if (s.len - i < 3) return WM_MALFORMED;
            int high = wm_hex(s.ptr[i + 1]), low = wm_hex(s.ptr[i + 2]);
            if (high < 0 || low < 0) return WM_MALFORMED;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        p[n++] = c;
    }
    return wm_keep(n, out);
}

/* ---- Response ---- */

/* wm_respond sets status and header and writes the body; the last head stands, bodies add up. Return its result from
 * the handler if that is all there is to do: 0 = done. A head or body the host refuses fails the attempt. */
static inline int64_t wm_respond(uint32_t status, const wm_pair *headers, uint32_t count, wm_str body) {
    uint64_t size = 8;
    for (uint32_t i = 0; i < count; i++) size += 8 + (uint64_t)headers[i].name.len + headers[i].value.len;
    if (size > WM_ARENA) return WM_NO_ROOM;
    wm_writer w = wm_write((uint32_t)size);
    wm_put_u32(&w, status);
    wm_put_pairs(&w, headers, count);
    if (w.failed) return WM_NO_ROOM;
    int64_t n = wm_raw_response_head(w.ptr, w.len);
    return n < 0 ? n : wm_raw_response_write(body.ptr, body.len);
}

/* wm_respond_text answers with plain text. */
static inline int64_t wm_respond_text(uint32_t status, wm_str text) {
    const wm_pair type = {WM_STR_INIT("content-type"), WM_STR_INIT("text/plain; charset=utf-8")};
    return wm_respond(status, &type, 1, text);
}

/* wm_route reports the pattern that the plugin's own router matched, such as "GET /items/{id}". */
static inline int64_t wm_route(wm_str pattern) { return wm_raw_route_set(pattern.ptr, pattern.len); }

/* wm_outcome decides on the effects: WM_BY_STATUS, WM_COMMIT or WM_ABORT. */
static inline int64_t wm_outcome(uint32_t outcome) { return wm_raw_outcome_set(outcome); }

/* ---- Keys and values ---- */

/* wm_kv_get reads a value into the arena; WM_NOT_FOUND if the key is absent, 0 if its value is empty. */
static inline int64_t wm_kv_get(wm_str key, wm_str *value) {
    return wm_keep(wm_raw_kv_get(key.ptr, key.len, wm_free_ptr(), wm_free_len()), value);
}

/* wm_kv_get_snapshot is wm_kv_get without depending on the value: another's change to it is no conflict. */
static inline int64_t wm_kv_get_snapshot(wm_str key, wm_str *value) {
    return wm_keep(wm_raw_kv_get_snapshot(key.ptr, key.len, wm_free_ptr(), wm_free_len()), value);
}

/* wm_kv_size gives the size of a value without reading it; WM_NOT_FOUND if the key is absent. */
static inline int64_t wm_kv_size(wm_str key) { return wm_raw_kv_get(key.ptr, key.len, wm_arena, 0); }

/* wm_kv_set writes a value; ttl_ms 0 = it stays. */
static inline int64_t wm_kv_set(wm_str key, wm_str value, int64_t ttl_ms) {
    return wm_raw_kv_set(key.ptr, key.len, value.ptr, value.len, ttl_ms);
}

/* wm_kv_set_versionstamped writes a value as wm_kv_set does. When the invocation commits, the number of the commit
 * replaces the WM_VERSIONSTAMP_SIZE bytes at the offsets in key and value, the highest first; -1 = nowhere. The
 * invocation itself does not see a key with one, and writes at most 100. */
static inline int64_t wm_kv_set_versionstamped(wm_str key, wm_str value, int64_t key_offset, int64_t value_offset,
                                               int64_t ttl_ms) {
    return wm_raw_kv_set_versionstamped(key.ptr, key.len, value.ptr, value.len, key_offset, value_offset, ttl_ms);
}

/* wm_kv_delete removes a key, there or not. */
static inline int64_t wm_kv_delete(wm_str key) { return wm_raw_kv_delete(key.ptr, key.len); }

/* wm_kv_add adds to a counter without reading it, so it never makes invocations conflict. */
static inline int64_t wm_kv_add(wm_str key, int64_t delta) { return wm_raw_kv_add(key.ptr, key.len, delta); }

/* wm_kv_counter reads a counter; an absent one is 0. WM_WRONG_TYPE if the value is not 8 bytes. */
static inline int64_t wm_kv_counter(wm_str key, int64_t *out) {
    uint8_t bytes[WM_COUNTER_SIZE];
    *out = 0;
    int64_t n = wm_raw_kv_get(key.ptr, key.len, bytes, sizeof bytes);
    if (n == WM_NOT_FOUND) return WM_OK;
    if (n < 0) return n;
    if (n != sizeof bytes) return WM_WRONG_TYPE;
    *out = (int64_t)wm_le(bytes, sizeof bytes);
    return WM_OK;
}

/* wm_kv_list reads a page of the keys with a prefix into the arena: at most limit entries (0 = as many as there is
 * room for) after the cursor (empty = from the start). flags: WM_REVERSE, WM_KEYS_ONLY,
 * WM_SNAPSHOT. */
static inline int64_t wm_kv_list(wm_str prefix, wm_str after, uint32_t limit, uint32_t flags, wm_page *page) {
    wm_str bytes;
    int64_t n = wm_keep(wm_raw_kv_list(prefix.ptr, prefix.len, after.ptr, after.len, limit, flags, wm_free_ptr(),
                                       wm_free_len()),
                        &bytes);
    if (n < 0) return n;
    return wm_decode_page(bytes, flags & WM_KEYS_ONLY, page) ? n : WM_MALFORMED;
}

/* ---- SQL: the plugin's databases, in the request's transaction ---- */

/* wm_sql_value is a column of a row, or a parameter of a statement: the next without a name, else :name, @name or
 * $name. */
typedef struct {
    wm_str name;
    uint8_t type; /* WM_SQL_* */
    int64_t integer;
    double real;
    wm_str bytes; /* of WM_SQL_TEXT and WM_SQL_BLOB */
} wm_sql_value;

static inline wm_sql_value wm_sql_null(void) { return (wm_sql_value){.type = WM_SQL_NULL}; }
static inline wm_sql_value wm_sql_integer(int64_t v) { return (wm_sql_value){.type = WM_SQL_INTEGER, .integer = v}; }
static inline wm_sql_value wm_sql_float(double v) { return (wm_sql_value){.type = WM_SQL_FLOAT, .real = v}; }
static inline wm_sql_value wm_sql_text(wm_str v) { return (wm_sql_value){.type = WM_SQL_TEXT, .bytes = v}; }
static inline wm_sql_value wm_sql_blob(wm_str v) { return (wm_sql_value){.type = WM_SQL_BLOB, .bytes = v}; }

static inline wm_sql_value wm_sql_named(wm_str name, wm_sql_value v) {
    v.name = name;
    return v;
}

static inline void wm_put_sql_value(wm_writer *w, const wm_sql_value *v) {
    uint64_t bits;
    memcpy(&bits, &v->real, sizeof bits);
    wm_put_u8(w, v->type);
    if (v->type == WM_SQL_INTEGER) wm_put_u64(w, (uint64_t)v->integer);
    if (v->type == WM_SQL_FLOAT) wm_put_u64(w, bits);
    if (v->type == WM_SQL_TEXT || v->type == WM_SQL_BLOB) wm_put_str(w, v->bytes);
}

static inline wm_sql_value wm_read_sql_value(wm_reader *r) {
    wm_sql_value v = {.type = wm_read_u8(r)};
    uint64_t bits;
    switch (v.type) {
        case WM_SQL_NULL: break;
        case WM_SQL_INTEGER: v.integer = (int64_t)wm_read_u64(r); break;
        case WM_SQL_FLOAT:
            bits = wm_read_u64(r);
            memcpy(&v.real, &bits, sizeof bits);
            break;
        case WM_SQL_TEXT:
        case WM_SQL_BLOB: v.bytes = wm_read_str(r); break;
        default: r->failed = true;
    }
    return v;
}

/* wm_put_sql_args writes the layout of parameters; no bytes are none. */
static inline void wm_put_sql_args(wm_writer *w, const wm_sql_value *args, uint32_t count) {
    if (count == 0) return;
    wm_put_u32(w, count);
    for (uint32_t i = 0; i < count; i++) {
        wm_put_str(w, args[i].name);
        wm_put_sql_value(w, &args[i]);
    }
}

/* wm_sql_page is a page of rows that was checked as a whole. */
typedef struct {
    uint32_t rows, columns; /* rows not yet taken */
    bool more;
    wm_reader bytes;
} wm_sql_page;

static inline bool wm_decode_sql_page(wm_str bytes, wm_sql_page *page) {
    wm_reader r = wm_read(bytes);
    page->rows = wm_read_u32(&r);
    page->more = wm_read_u8(&r) != 0;
    page->columns = wm_read_u32(&r);
    page->bytes = r;
    if (page->columns > 32767 || (page->rows && !page->columns)) return false;
    if ((uint64_t)page->rows * page->columns > r.left) return false;
    for (uint32_t i = 0; i < page->rows * page->columns && !r.failed; i++) wm_read_sql_value(&r);
    return !r.failed;
}

/* wm_sql_exec runs one statement to its end. changed and last (of the row that was inserted last) may be NULL. A status
 * says that it has changed nothing; wm_sql_error says why. It gives the room it took back. */
static inline int64_t wm_sql_exec(wm_str database, wm_str statement, const wm_sql_value *args, uint32_t count,
                                  int64_t *changed, int64_t *last) {
    uint8_t result[WM_SQL_RESULT_SIZE];
    uint32_t mark = wm_arena_used;
    wm_writer w = wm_write(wm_free_len());
    wm_put_sql_args(&w, args, count);
    int64_t n = w.failed ? WM_NO_ROOM
                         : wm_raw_sql_exec(database.ptr, database.len, statement.ptr, statement.len, w.ptr, w.len,
                                           result, sizeof result);
    wm_arena_used = mark;
    if (n < 0) return n;
    if (changed) *changed = (int64_t)wm_le(result, 8);
    if (last) *last = (int64_t)wm_le(result + 8, 8);
    return WM_OK;
}

/* wm_sql_rows is a query that is open. */
typedef struct {
    uint32_t handle;
    uint32_t from, to; /* the page in the arena */
    wm_sql_page page;
} wm_sql_rows;

/* wm_sql_query begins one statement, whose rows wm_sql_next reads. Close it. */
static inline int64_t wm_sql_query(wm_str database, wm_str statement, const wm_sql_value *args, uint32_t count,
                                   wm_sql_rows *rows) {
    uint32_t mark = wm_arena_used;
    wm_writer w = wm_write(wm_free_len());
    wm_put_sql_args(&w, args, count);
    int64_t n = w.failed ? WM_NO_ROOM
                         : wm_raw_sql_query(database.ptr, database.len, statement.ptr, statement.len, w.ptr, w.len);
    wm_arena_used = mark;
    *rows = (wm_sql_rows){(uint32_t)n, mark, mark, {0, 0, true, {0}}};
    return n < 0 ? n : WM_OK;
}

/* wm_sql_columns reads the columns: pairs of a name and the type that the table declares. */
static inline int64_t wm_sql_columns(const wm_sql_rows *rows, wm_list *columns) {
    wm_str bytes;
    int64_t n = wm_keep(wm_raw_sql_columns(rows->handle, wm_free_ptr(), wm_free_len()), &bytes);
    if (n < 0) return n;
    wm_reader r = wm_read(bytes);
    *columns = wm_read_list(&r, wm_read_u32(&r), false);
    return r.failed ? WM_MALFORMED : columns->count;
}

/* wm_sql_next reads the next row into values, of which there are room: 1, or 0 at the end, or a status, which closes
 * the query. What a row has is good until the next call, if nothing else was read into the arena since; else until the
 * handler is called again. A page takes up to WM_SQL_PAGE bytes, more if a row does. */
#define WM_SQL_PAGE 8192u

static inline int64_t wm_sql_next(wm_sql_rows *rows, wm_sql_value *values, uint32_t room) {
    if (rows->page.rows == 0) {
        if (!rows->page.more) return 0;
        if (wm_arena_used == rows->to) wm_arena_used = rows->from; /* nothing came after the page before */
        rows->from = rows->to = wm_arena_used;
        uint32_t cap = wm_free_len() < WM_SQL_PAGE ? wm_free_len() : WM_SQL_PAGE;
        int64_t n = wm_raw_sql_rows(rows->handle, 0, wm_free_ptr(), cap);
        if (n > (int64_t)cap && n <= (int64_t)wm_free_len()) {
            n = wm_raw_sql_rows(rows->handle, 0, wm_free_ptr(), (uint32_t)n);
        }
        wm_str bytes;
        if ((n = wm_keep(n, &bytes)) < 0) return n;
        rows->to = wm_arena_used;
        if (!wm_decode_sql_page(bytes, &rows->page)) return WM_MALFORMED;
        if (rows->page.rows == 0) return 0;
    }
    if (rows->page.columns > room) return WM_NO_ROOM;
    rows->page.rows--;
    for (uint32_t i = 0; i < rows->page.columns; i++) values[i] = wm_read_sql_value(&rows->page.bytes);
    return 1;
}

/* wm_sql_close ends a query. What its statement has changed stays, whatever was read of the rows. */
static inline int64_t wm_sql_close(wm_sql_rows *rows) {
    rows->page.rows = 0;
    rows->page.more = false;
    return wm_raw_sql_close(rows->handle);
}

/* wm_sql_error reads why the last of these calls failed: SQLite's extended result code (0: it is not SQLite's) and what
 * it says. WM_NOT_FOUND if none has. */
static inline int64_t wm_sql_error(uint32_t *code, wm_str *message) {
    wm_str bytes;
    int64_t n = wm_keep(wm_raw_sql_error(wm_free_ptr(), wm_free_len()), &bytes);
    if (n < 0) return n;
    wm_reader r = wm_read(bytes);
    *code = wm_read_u32(&r);
    *message = wm_read_str(&r);
    return r.failed ? WM_MALFORMED : n;
}

/* ---- The rest ---- */

/* wm_config reads a variable of the plugin into the arena; WM_NOT_FOUND if the operator has not set it. */
static inline int64_t wm_config(wm_str name, wm_str *value) {
    return wm_keep(wm_raw_config_get(name.ptr, name.len, wm_free_ptr(), wm_free_len()), value);
}

/* wm_log writes a line with attributes; it gives the room it took back. */
static inline int64_t wm_log(uint32_t level, wm_str message, const wm_pair *attrs, uint32_t count) {
    uint32_t mark = wm_arena_used;
    wm_writer w = wm_write(wm_free_len());
    wm_put_pairs(&w, attrs, count);
    int64_t n = w.failed ? WM_NO_ROOM : wm_raw_log_write(level, message.ptr, message.len, w.ptr, w.len);
    wm_arena_used = mark;
    return n;
}

/* wm_now gives nanoseconds since 1970-01-01 UTC. */
static inline int64_t wm_now(void) { return wm_raw_clock_now(); }

/* wm_random fills n bytes from a cryptographic source. */
static inline int64_t wm_random(void *to, uint32_t n) { return wm_raw_random_fill(to, n); }

/* ---- The export ---- */

/* WM_HANDLER starts the function that answers a request; it returns 0 when done, anything else when failed. The arena
 * is emptied first: where an operator lets instances keep their memory, it is full of the request before. */
#define WM_HANDLER                                      \
    static int64_t wm_handle(void);                     \
    WM_EXPORT(wasmoor_handle) int32_t wm_entry(void) {  \
        wm_reset();                                     \
        return wm_handle() == 0 ? 0 : 1;                \
    }                                                   \
    static int64_t wm_handle(void)

#endif
