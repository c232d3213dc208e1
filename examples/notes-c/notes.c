/* notes: a plugin in C that keeps notes. README.md says what it answers; ../../sdk/c/wasmoor.h is all it needs.
 *
 * Keys: "n/" and the id hold a note; "c/created" and "c/deleted" are counters. Ids rise with time, so a list is in the
 * order of creation, and they are as long as each other, so a cursor is one id.
 */
#include "wasmoor.h"

enum {
    ID_BYTES = 12,               /* 6 of time in milliseconds, 6 random */
    ID_LEN = 2 * ID_BYTES,       /* as hex */
    MAX_NOTE = 64 * 1024,        /* bytes of a note, unless the variable max_bytes is lower */
    MAX_TTL = 366 * 24 * 60 * 60, /* seconds */
    PAGE_DEFAULT = 20,
    PAGE_MAX = 100,
};

#define NOTE_PREFIX WM_STR("n/")
#define CREATED WM_STR("c/created")
#define DELETED WM_STR("c/deleted")

typedef int64_t (*handler)(const wm_head *head, wm_str id);

/* ---- Answers ---- */

static const wm_pair json_type = {WM_STR_INIT("content-type"), WM_STR_INIT("application/json")};

static int64_t not_found(void) { return wm_respond_text(404, WM_STR("no such note\n")); }
static int64_t bad_request(wm_str why) { return wm_respond_text(400, why); }
static int64_t no_content(void) { return wm_respond(204, NULL, 0, WM_STR("")); }

static int64_t method_not_allowed(wm_str allow) {
    const wm_pair headers[] = {
        {WM_STR_INIT("allow"), allow},
        {WM_STR_INIT("content-type"), WM_STR_INIT("text/plain; charset=utf-8")},
    };
    return wm_respond(405, headers, 2, WM_STR("method not allowed\n"));
}

/* failed logs a status nobody planned for and fails the attempt: the host drops its effects and answers 502. */
static int64_t failed(wm_str what, int64_t status) {
    wm_writer w = wm_write(20);
    wm_put_decimal(&w, status);
    const wm_pair attr = {WM_STR_INIT("status"), wm_written(&w)};
    wm_log(WM_ERROR, what, &attr, 1);
    return status;
}

/* ---- Ids and keys ---- */

static void put_hex(wm_writer *w, const uint8_t *bytes, uint32_t n) {
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < n; i++) {
        wm_put_u8(w, (uint8_t)digits[bytes[i] >> 4]);
        wm_put_u8(w, (uint8_t)digits[bytes[i] & 15]);
    }
}

/* new_id draws an id: no read, so that two creations never conflict. */
static int64_t new_id(wm_str *id) {
    uint8_t bytes[ID_BYTES];
    int64_t now = wm_now();
    if (now < 0) return now;
    uint64_t ms = (uint64_t)now / 1000000;
    for (int i = 0; i < 6; i++) bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    int64_t n = wm_random(bytes + 6, ID_BYTES - 6);
    if (n < 0) return n;
    wm_writer w = wm_write(ID_LEN);
    put_hex(&w, bytes, ID_BYTES);
    *id = wm_written(&w);
    return w.failed ? WM_NO_ROOM : WM_OK;
}

static bool is_id(wm_str s) {
    if (s.len != ID_LEN) return false;
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

static wm_str note_key(wm_str id) {
    wm_writer w = wm_write(NOTE_PREFIX.len + id.len);
    wm_put_bytes(&w, NOTE_PREFIX);
    wm_put_bytes(&w, id);
    return wm_written(&w);
}

/* ---- The query ---- */

/* number reads a field of 0..max; *out stays as it is if the field is absent. */
static bool number(wm_str query, wm_str name, uint64_t max, uint64_t *out) {
    wm_str text;
    if (!wm_query(query, name, &text)) return true;
    return wm_parse_u64(text, out) && *out <= max;
}

static bool ttl_ms(wm_str query, int64_t *out) {
    uint64_t seconds = 0;
    if (!number(query, WM_STR("ttl"), MAX_TTL, &seconds)) return false;
    *out = (int64_t)seconds * 1000;
    return true;
}

/* ---- Handlers ---- */

/* max_bytes is the variable of that name, where the operator has set a lower one. */
static uint64_t max_bytes(void) {
    wm_str text;
    uint64_t max;
    if (wm_config(WM_STR("max_bytes"), &text) < 0 || !wm_parse_u64(text, &max)) return MAX_NOTE;
    return max < MAX_NOTE ? max : MAX_NOTE;
}

/* receive reads a note and its time to live. False: the request is answered, or *status is a failure. */
static bool receive(const wm_head *head, wm_str *note, int64_t *ttl, int64_t *status) {
    *status = WM_OK;
    if (!ttl_ms(head->query, ttl)) {
        *status = bad_request(WM_STR("ttl must be whole seconds, at most 366 days; 0 = forever\n"));
    } else if (head->body_size == 0) {
        *status = bad_request(WM_STR("the body is the note; it must not be empty\n"));
    } else if (head->body_size > max_bytes()) {
        *status = wm_respond_text(413, WM_STR("the note is too large\n"));
    } else {
        *status = wm_body(head, note);
        return *status >= 0;
    }
    return false;
}

static int64_t created(const wm_head *head, wm_str id) {
    wm_writer location = wm_write(head->mount.len + 1 + id.len);
    wm_put_bytes(&location, head->mount);
    wm_put_u8(&location, '/');
    wm_put_bytes(&location, id);
    wm_writer body = wm_write(64);
    wm_put_bytes(&body, WM_STR("{\"id\":\""));
    wm_put_bytes(&body, id);
    wm_put_bytes(&body, WM_STR("\"}\n"));
    if (location.failed || body.failed) return WM_NO_ROOM;
    const wm_pair headers[] = {json_type, {WM_STR_INIT("location"), wm_written(&location)}};
    return wm_respond(201, headers, 2, wm_written(&body));
}

static int64_t create(const wm_head *head, wm_str none) {
    (void)none;
    wm_str note, id;
    int64_t ttl, n;
    if (!receive(head, &note, &ttl, &n)) return n;
    if ((n = new_id(&id)) < 0) return failed(WM_STR("draw an id"), n);
    if ((n = wm_kv_set(note_key(id), note, ttl)) < 0) return failed(WM_STR("write a note"), n);
    if ((n = wm_kv_add(CREATED, 1)) < 0) return failed(WM_STR("count a note"), n);
    const wm_pair attr = {WM_STR_INIT("id"), id};
    wm_log(WM_INFO, WM_STR("note created"), &attr, 1);
    return created(head, id);
}

static int64_t get(const wm_head *head, wm_str id) {
    (void)head;
    wm_str note;
    int64_t n = wm_kv_get(note_key(id), &note);
    if (n == WM_NOT_FOUND) return not_found();
    if (n < 0) return failed(WM_STR("read a note"), n);
    /* A note is any bytes of anybody: a browser must not take it for a page. */
    static const wm_pair headers[] = {
        {WM_STR_INIT("content-type"), WM_STR_INIT("text/plain; charset=utf-8")},
        {WM_STR_INIT("x-content-type-options"), WM_STR_INIT("nosniff")},
    };
    return wm_respond(200, headers, 2, note);
}

static int64_t replace(const wm_head *head, wm_str id) {
    wm_str note;
    int64_t ttl, n = wm_kv_size(note_key(id));
    if (n == WM_NOT_FOUND) return not_found();
    if (n < 0) return failed(WM_STR("look for a note"), n);
    if (!receive(head, &note, &ttl, &n)) return n;
    if ((n = wm_kv_set(note_key(id), note, ttl)) < 0) return failed(WM_STR("write a note"), n);
    return no_content();
}

static int64_t delete(const wm_head *head, wm_str id) {
    (void)head;
    int64_t n = wm_kv_size(note_key(id));
    if (n == WM_NOT_FOUND) return not_found();
    if (n < 0) return failed(WM_STR("look for a note"), n);
    if ((n = wm_kv_delete(note_key(id))) < 0) return failed(WM_STR("delete a note"), n);
    if ((n = wm_kv_add(DELETED, 1)) < 0) return failed(WM_STR("count a note"), n);
    return no_content();
}

/* write_page gives {"notes":["id",...],"next":"id"}; next is there if there may be more. */
static int64_t write_page(const wm_page *page) {
    const uint32_t per_note = ID_LEN + 3;
    wm_writer w = wm_write(64 + (page->entries.count + 1) * per_note);
    wm_list notes = page->entries;
    wm_str id = WM_STR(""), comma = WM_STR("");
    wm_pair note;
    wm_put_bytes(&w, WM_STR("{\"notes\":["));
    while (wm_next(&notes, &note)) {
        id = (wm_str){note.name.ptr + NOTE_PREFIX.len, note.name.len - NOTE_PREFIX.len};
        wm_put_bytes(&w, comma);
        wm_put_u8(&w, '"');
        wm_put_bytes(&w, id);
        wm_put_u8(&w, '"');
        comma = WM_STR(",");
    }
    wm_put_u8(&w, ']');
    if (page->more) {
        wm_put_bytes(&w, WM_STR(",\"next\":\""));
        wm_put_bytes(&w, id);
        wm_put_u8(&w, '"');
    }
    wm_put_bytes(&w, WM_STR("}\n"));
    return w.failed ? WM_NO_ROOM : wm_respond(200, &json_type, 1, wm_written(&w));
}

static int64_t list(const wm_head *head, wm_str none) {
    (void)none;
    uint64_t size = PAGE_DEFAULT;
    wm_str after = WM_STR(""), order = WM_STR("oldest");
    if (!number(head->query, WM_STR("size"), PAGE_MAX, &size) || size == 0) {
        return bad_request(WM_STR("size must be 1 to 100\n"));
    }
    if (wm_query(head->query, WM_STR("after"), &after)) {
        if (!is_id(after)) return bad_request(WM_STR("after must be the next of the page before\n"));
        after = note_key(after);
    }
    wm_query(head->query, WM_STR("order"), &order);
    bool newest = wm_equal(order, WM_STR("newest"));
    if (!newest && !wm_equal(order, WM_STR("oldest"))) return bad_request(WM_STR("order must be oldest or newest\n"));
    wm_page page;
    uint32_t flags = WM_KEYS_ONLY | (newest ? WM_REVERSE : 0);
    int64_t n = wm_kv_list(NOTE_PREFIX, after, (uint32_t)size, flags, &page);
    return n < 0 ? failed(WM_STR("list notes"), n) : write_page(&page);
}

static int64_t stats(const wm_head *head, wm_str none) {
    (void)head, (void)none;
    int64_t made, gone, n;
    if ((n = wm_kv_counter(CREATED, &made)) < 0) return failed(WM_STR("read a counter"), n);
    if ((n = wm_kv_counter(DELETED, &gone)) < 0) return failed(WM_STR("read a counter"), n);
    wm_writer w = wm_write(96);
    wm_put_bytes(&w, WM_STR("{\"created\":"));
    wm_put_decimal(&w, made);
    wm_put_bytes(&w, WM_STR(",\"deleted\":"));
    wm_put_decimal(&w, gone);
    wm_put_bytes(&w, WM_STR("}\n"));
    return w.failed ? WM_NO_ROOM : wm_respond(200, &json_type, 1, wm_written(&w));
}

/* ---- Routes ---- */

typedef struct {
    wm_str method, pattern;
    handler handle;
} route;

typedef struct {
    wm_str allow;
    route routes[3];
    uint32_t count;
} resource;

static const resource collection = {
    WM_STR_INIT("GET, HEAD, POST"),
    {
        {WM_STR_INIT("GET"), WM_STR_INIT("GET /{$}"), list},
        {WM_STR_INIT("POST"), WM_STR_INIT("POST /{$}"), create},
    },
    2,
};

static const resource counters = {
    WM_STR_INIT("GET, HEAD"),
    {{WM_STR_INIT("GET"), WM_STR_INIT("GET /stats"), stats}},
    1,
};

static const resource item = {
    WM_STR_INIT("DELETE, GET, HEAD, PUT"),
    {
        {WM_STR_INIT("GET"), WM_STR_INIT("GET /{id}"), get},
        {WM_STR_INIT("PUT"), WM_STR_INIT("PUT /{id}"), replace},
        {WM_STR_INIT("DELETE"), WM_STR_INIT("DELETE /{id}"), delete},
    },
    3,
};

/* find gives the resource of a path and the id in it; NULL = there is none. Paths are compared as received: what
 * matters here has nothing to escape. */
static const resource *find(wm_str path, wm_str *id) {
    *id = (wm_str){path.ptr + 1, path.len - 1};
    if (path.len == 0 || path.ptr[0] != '/') return NULL;
    if (id->len == 0) return &collection;
    if (wm_equal(*id, WM_STR("stats"))) return &counters;
    return is_id(*id) ? &item : NULL;
}

WM_HANDLER {
    wm_head head;
    wm_str id;
    int64_t n = wm_request(&head);
    if (n < 0) return failed(WM_STR("read the request"), n);
    const resource *r = find(head.path, &id);
    if (!r) return not_found();
    /* HEAD is GET: the host drops the body. */
    wm_str method = wm_equal(head.method, WM_STR("HEAD")) ? WM_STR("GET") : head.method;
    for (uint32_t i = 0; i < r->count; i++) {
        if (!wm_equal(r->routes[i].method, method)) continue;
        wm_route(r->routes[i].pattern);
        return r->routes[i].handle(&head, id);
    }
    return method_not_allowed(r->allow);
}
