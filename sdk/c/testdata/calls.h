/* Code generated from the lists of package abi by go generate. DO NOT EDIT.
 *
 * call makes the host call of that number, counted from 0 in the order of the SPEC, with arguments as they stand in
 * WebAssembly.
 */
#define P(i) ((void *)(uintptr_t)(uint32_t)a[i])
#define U(i) ((uint32_t)a[i])

static int64_t call(uint8_t function, const int64_t *a) {
    switch (function) {
    case 0: return wm_raw_request_head(P(0), U(1));
    case 1: return wm_raw_request_body(a[0], P(1), U(2));
    case 2: return wm_raw_response_head(P(0), U(1));
    case 3: return wm_raw_response_write(P(0), U(1));
    case 4: return wm_raw_route_set(P(0), U(1));
    case 5: return wm_raw_outcome_set(U(0));
    case 6: return wm_raw_kv_get(P(0), U(1), P(2), U(3));
    case 7: return wm_raw_kv_get_snapshot(P(0), U(1), P(2), U(3));
    case 8: return wm_raw_kv_set(P(0), U(1), P(2), U(3), a[4]);
    case 9: return wm_raw_kv_set_versionstamped(P(0), U(1), P(2), U(3), a[4], a[5], a[6]);
    case 10: return wm_raw_kv_delete(P(0), U(1));
    case 11: return wm_raw_kv_add(P(0), U(1), a[2]);
    case 12: return wm_raw_kv_list(P(0), U(1), P(2), U(3), U(4), U(5), P(6), U(7));
    case 13: return wm_raw_config_get(P(0), U(1), P(2), U(3));
    case 14: return wm_raw_log_write(U(0), P(1), U(2), P(3), U(4));
    case 15: return wm_raw_clock_now();
    case 16: return wm_raw_random_fill(P(0), U(1));
    case 17: return wm_raw_http_open(P(0), U(1));
    case 18: return wm_raw_http_write(U(0), P(1), U(2));
    case 19: return wm_raw_http_send(P(0), U(1));
    case 20: return wm_raw_http_head(U(0), P(1), U(2));
    case 21: return wm_raw_http_read(U(0), P(1), U(2));
    case 22: return wm_raw_http_close(U(0));
    case 23: return wm_raw_sql_exec(P(0), U(1), P(2), U(3), P(4), U(5), P(6), U(7));
    case 24: return wm_raw_sql_query(P(0), U(1), P(2), U(3), P(4), U(5));
    case 25: return wm_raw_sql_columns(U(0), P(1), U(2));
    case 26: return wm_raw_sql_rows(U(0), U(1), P(2), U(3));
    case 27: return wm_raw_sql_close(U(0));
    case 28: return wm_raw_sql_error(P(0), U(1));
    case 29: return wm_raw_queue_send(P(0), U(1), P(2), U(3), P(4), U(5), a[6], P(7), U(8));
    case 30: return wm_raw_webhook_send(P(0), U(1), P(2), U(3), P(4), U(5), P(6), U(7));
    case 31: return wm_raw_socket_send(P(0), U(1), P(2), U(3), P(4), U(5), U(6));
    case 32: return wm_raw_socket_close(P(0), U(1), U(2), P(3), U(4));
    case 33: return wm_raw_socket_follow(P(0), U(1), P(2), U(3));
    case 34: return wm_raw_socket_unfollow(P(0), U(1), P(2), U(3));
    case 35: return wm_raw_socket_attach(P(0), U(1), P(2), U(3));
    case 36: return wm_raw_publish(P(0), U(1), P(2), U(3), P(4), U(5), U(6));
    case 37: return wm_raw_topic_count(P(0), U(1));
    case 38: return wm_raw_password_hash(P(0), U(1), P(2), U(3));
    case 39: return wm_raw_password_verify(P(0), U(1), P(2), U(3));
    case 40: return wm_raw_blob_create();
    case 41: return wm_raw_blob_write(U(0), P(1), U(2));
    case 42: return wm_raw_blob_fetch(U(0), U(1));
    case 43: return wm_raw_blob_drop(U(0));
    case 44: return wm_raw_blob_put(U(0), P(1), U(2), P(3), U(4), P(5), U(6));
    case 45: return wm_raw_blob_stat(P(0), U(1), P(2), U(3));
    case 46: return wm_raw_blob_read(P(0), U(1), a[2], P(3), U(4));
    case 47: return wm_raw_blob_list(P(0), U(1), P(2), U(3), U(4), U(5), P(6), U(7));
    case 48: return wm_raw_blob_delete(P(0), U(1));
    case 49: return wm_raw_blob_answer(P(0), U(1), P(2), U(3));
    }
    __builtin_trap();
}
