/* sql: uses the SQL of wasmoor.h. A POST inserts the words of its body as rows of t; a GET answers all rows. */
#include "wasmoor.h"

static int64_t refused(void) {
    uint32_t code;
    wm_str message;
    wm_writer w = wm_write(1024);
    int64_t n = wm_sql_error(&code, &message);
    if (n < 0) return n;
    wm_put_decimal(&w, code);
    wm_put_bytes(&w, WM_STR(" "));
    wm_put_bytes(&w, message);
    return wm_respond_text(409, wm_written(&w));
}

static int64_t insert(wm_str words) {
    int64_t changed, last, all = 0;
    wm_str word;
    while (words.len) {
        wm_cut(words, ' ', &word, &words);
        wm_sql_value args[] = {wm_sql_named(WM_STR("word"), wm_sql_text(word)), wm_sql_named(WM_STR("half"), wm_sql_float(0.5)),
                               wm_sql_named(WM_STR("bytes"), wm_sql_blob(word))};
        int64_t n = wm_sql_exec(WM_STR("main"), WM_STR("INSERT INTO t (word, half, bytes) VALUES (:word, :half, :bytes)"), args,
                                3, &changed, &last);
        if (n < 0) return refused();
        all += changed;
    }
    wm_writer w = wm_write(64);
    wm_put_decimal(&w, all);
    wm_put_bytes(&w, WM_STR(" rows, last "));
    wm_put_decimal(&w, last);
    return wm_respond_text(200, wm_written(&w));
}

static int64_t rows(wm_str query) {
    wm_sql_value args[] = {wm_sql_integer(0), wm_sql_null()}, row[4];
    wm_sql_rows found;
    wm_list columns;
    wm_pair column;
    wm_str padding = WM_STR("0");
    wm_query(query, WM_STR("padding"), &padding);
    args[1] = wm_sql_text(padding);
    wm_writer w = wm_write(16 * 1024);
    int64_t n = wm_sql_query(WM_STR("main"),
                             WM_STR("SELECT id, word, half, hex(zeroblob(?2)) FROM t WHERE id > ?1 AND bytes IS NOT NULL ORDER BY id"),
                             args, 2, &found);
    if (n < 0) return refused();
    if ((n = wm_sql_columns(&found, &columns)) < 0) return n;
    while (wm_next(&columns, &column)) {
        wm_put_bytes(&w, column.name);
        wm_put_bytes(&w, WM_STR(":"));
        wm_put_bytes(&w, column.value);
        wm_put_bytes(&w, WM_STR(" "));
    }
    int64_t count = 0, bytes = 0;
    while ((n = wm_sql_next(&found, row, 4)) > 0) {
        count++;
        bytes += row[3].bytes.len;
        if (row[0].integer != count || row[0].type != WM_SQL_INTEGER || row[2].real != 0.5) return 1;
        if (count < 3) wm_put_bytes(&w, row[1].bytes);
    }
    if (n < 0) return n;
    if ((n = wm_sql_close(&found)) < 0) return n;
    wm_put_bytes(&w, WM_STR(" "));
    wm_put_decimal(&w, count);
    wm_put_bytes(&w, WM_STR(" rows, "));
    wm_put_decimal(&w, bytes);
    return wm_respond_text(200, wm_written(&w));
}

WM_HANDLER {
    wm_head head;
    wm_str body;
    int64_t n;
    if ((n = wm_request(&head)) < 0 || (n = wm_body(&head, &body)) < 0) return n;
    return wm_equal(head.method, WM_STR("POST")) ? insert(body) : rows(head.query);
}
