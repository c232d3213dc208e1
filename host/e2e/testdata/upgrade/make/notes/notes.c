/* notes: values under keys. PUT /KEY?ttl=MS keeps the body, GET /KEY gives it, POST /count counts, GET / says which
 * version it is and how the operator greets. */
#include "wasmoor.h"

#ifndef VERSION
#define VERSION "1"
#endif

static int64_t home(void) {
    wm_str greeting;
    int64_t n = wm_config(WM_STR("greeting"), &greeting);
    if (n < 0) return n;
    wm_writer w = wm_write(256);
    wm_put_bytes(&w, WM_STR("notes " VERSION ": "));
    wm_put_bytes(&w, greeting);
    return wm_respond_text(200, wm_written(&w));
}

static int64_t count(void) {
    int64_t n, total;
    if ((n = wm_kv_add(WM_STR("count"), 1)) < 0) return n;
    if ((n = wm_kv_counter(WM_STR("count"), &total)) < 0) return n;
    wm_writer w = wm_write(32);
    wm_put_decimal(&w, total);
    return wm_respond_text(200, wm_written(&w));
}

static int64_t put(const wm_head *head, wm_str key) {
    wm_str body, text;
    uint64_t ttl = 0;
    int64_t n = wm_body(head, &body);
    if (n < 0) return n;
    if (wm_query(head->query, WM_STR("ttl"), &text) && !wm_parse_u64(text, &ttl)) return WM_INVALID;
    if ((n = wm_kv_set(key, body, (int64_t)ttl)) < 0) return n;
    return wm_respond(204, NULL, 0, WM_STR(""));
}

static int64_t get(wm_str key) {
    wm_str value;
    int64_t n = wm_kv_get(key, &value);
    if (n == WM_NOT_FOUND) return wm_respond_text(404, WM_STR("no such note"));
    return n < 0 ? n : wm_respond_text(200, value);
}

WM_HANDLER {
    wm_head head;
    int64_t n = wm_request(&head);
    if (n < 0) return n;
    wm_str key = {head.path.ptr + 1, head.path.len - 1};
    if (wm_equal(head.method, WM_STR("PUT"))) return put(&head, key);
    if (wm_equal(head.method, WM_STR("POST"))) return count();
    return key.len == 0 ? home() : get(key);
}
