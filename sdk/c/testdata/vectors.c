/* vectors: decodes the layout named by the path from the body with wasmoor.h, and answers what its writers make of the
 * values: for every vector of abi/testdata, the bytes it came from. 422 = the decoder refused. */
#include "wasmoor.h"

static void put_list(wm_writer *w, wm_list list) {
    wm_pair pair;
    while (wm_next(&list, &pair)) {
        wm_put_str(w, pair.name);
        if (!list.keys_only) wm_put_str(w, pair.value);
    }
}

static void put_pairs(wm_writer *w, wm_list list) {
    wm_put_u32(w, list.count);
    put_list(w, list);
}

static bool request_head(wm_str in, wm_writer *w) {
    wm_head h;
    if (!wm_decode_head(in, &h)) return false;
    wm_put_str(w, h.method);
    wm_put_str(w, h.path);
    wm_put_str(w, h.mount);
    wm_put_str(w, h.pattern);
    put_pairs(w, h.params);
    wm_put_str(w, h.query);
    put_pairs(w, h.headers);
    wm_put_str(w, h.scheme);
    wm_put_str(w, h.host);
    wm_put_str(w, h.remote);
    wm_put_str(w, h.request_id);
    wm_put_u32(w, h.attempt);
    wm_put_u64(w, h.body_size);
    wm_put_str(w, h.trigger);
    put_pairs(w, h.attributes);
    wm_put_u64(w, (uint64_t)h.deadline);
    return true;
}

static bool response_head(wm_str in, wm_writer *w) {
    wm_reader r = wm_read(in);
    uint32_t status = wm_read_u32(&r);
    wm_list headers = wm_read_list(&r, wm_read_u32(&r), false);
    wm_put_u32(w, status);
    put_pairs(w, headers);
    return !r.failed;
}

static bool page(wm_str in, bool keys_only, wm_writer *w) {
    wm_page p;
    if (!wm_decode_page(in, keys_only, &p)) return false;
    wm_put_u32(w, p.entries.count);
    wm_put_u8(w, p.more);
    put_list(w, p.entries);
    return true;
}

static bool attributes(wm_str in, wm_writer *w) {
    if (in.len == 0) return true;
    wm_reader r = wm_read(in);
    put_pairs(w, wm_read_list(&r, wm_read_u32(&r), false));
    return !r.failed;
}

static bool counter(wm_str in, wm_writer *w) {
    wm_reader r = wm_read(in);
    wm_put_u64(w, wm_read_u64(&r));
    return !r.failed;
}

static bool sql_page(wm_str in, wm_writer *w) {
    wm_sql_page p;
    if (!wm_decode_sql_page(in, &p)) return false;
    wm_put_u32(w, p.rows);
    wm_put_u8(w, p.more);
    wm_put_u32(w, p.columns);
    for (uint32_t i = 0; i < p.rows * p.columns; i++) {
        wm_sql_value v = wm_read_sql_value(&p.bytes);
        wm_put_sql_value(w, &v);
    }
    return true;
}

/* The library writes parameters and reads none, so they are read here. */
static bool sql_args(wm_str in, wm_writer *w) {
    static wm_sql_value args[16];
    wm_reader r = wm_read(in);
    uint32_t count = wm_read_u32(&r);
    if (count > 16) return false;
    for (uint32_t i = 0; i < count; i++) {
        wm_str name = wm_read_str(&r);
        args[i] = wm_sql_named(name, wm_read_sql_value(&r));
    }
    if (count == 0) wm_put_u32(w, 0);
    wm_put_sql_args(w, args, count);
    return !r.failed;
}

static bool recode(wm_str layout, wm_str in, wm_writer *w) {
    if (wm_equal(layout, WM_STR("/request_head")) || wm_equal(layout, WM_STR("/request_head_old"))) return request_head(in, w);
    if (wm_equal(layout, WM_STR("/response_head"))) return response_head(in, w);
    if (wm_equal(layout, WM_STR("/page"))) return page(in, false, w);
    if (wm_equal(layout, WM_STR("/page_keys"))) return page(in, true, w);
    if (wm_equal(layout, WM_STR("/attributes"))) return attributes(in, w);
    if (wm_equal(layout, WM_STR("/counter"))) return counter(in, w);
    if (wm_equal(layout, WM_STR("/sql_args"))) return sql_args(in, w);
    if (wm_equal(layout, WM_STR("/sql_columns"))) return attributes(in, w);
    if (wm_equal(layout, WM_STR("/sql_page"))) return sql_page(in, w);
    return false;
}

WM_HANDLER {
    wm_head head;
    wm_str in;
    int64_t n;
    if ((n = wm_request(&head)) < 0 || (n = wm_body(&head, &in)) < 0) return n;
    wm_writer w = wm_write(64 * 1024);
    if (!recode(head.path, in, &w)) return wm_respond_text(422, WM_STR("malformed\n"));
    if (w.failed) return WM_NO_ROOM;
    return wm_respond(200, NULL, 0, wm_written(&w));
}
