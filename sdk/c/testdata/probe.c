/* probe: makes the host calls that the body lists, with any arguments, and answers their results.
 *
 * The body: u32 count of calls; per call u8 function, then eight arguments, each u8 kind and i64 value. Functions are
 * in the order of SPEC 6; 254: what clock_now and random_fill gave during initialisation, 255: memory.grow. Kind 0: the value as it is;
 * 1: the address of the byte of that index in `bytes`; 2: the size of memory plus the value. What follows the calls is
 * copied to `bytes`. The answer: an i64 per call, then `bytes`. With the path "/quiet" there is no answer of its own,
 * with "/fail" the handler fails, with "/trap" it traps.
 */
#include "wasmoor.h"

#include "calls.h"

#define BYTES 4096u
#define MAX_CALLS 64u

static uint8_t bytes[BYTES];
static int64_t results[MAX_CALLS];
static int64_t at_start[2]; /* what host functions gave during initialisation */

WM_EXPORT(_initialize) void initialise(void) {
    at_start[0] = wm_raw_clock_now();
    at_start[1] = wm_raw_random_fill(bytes, 1);
}

static int64_t argument(wm_reader *r) {
    uint8_t kind = wm_read_u8(r);
    int64_t value = (int64_t)wm_read_u64(r);
    if (kind == 1) return value + (int64_t)(uintptr_t)bytes;
    if (kind == 2) return value + (int64_t)__builtin_wasm_memory_size(0) * 65536;
    return value;
}

/* make makes a host call, or does what only this program needs. */
static int64_t make(uint8_t function, const int64_t *a) {
    switch (function) {
    case 254: return at_start[a[0] & 1];
    case 255: return (int64_t)(int32_t)__builtin_wasm_memory_grow(0, (uint32_t)a[0]);
    }
    return call(function, a);
}

static int64_t answer(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t le[8];
        for (uint32_t j = 0; j < 8; j++) le[j] = (uint8_t)((uint64_t)results[i] >> (8 * j));
        int64_t n = wm_raw_response_write(le, 8);
        if (n < 0) return n;
    }
    return wm_raw_response_write(bytes, BYTES);
}

WM_HANDLER {
    wm_head head;
    wm_str script;
    int64_t n;
    if ((n = wm_request(&head)) < 0 || (n = wm_body(&head, &script)) < 0) return n;
    wm_reader r = wm_read(script);
    uint32_t count = wm_read_u32(&r);
    if (count > MAX_CALLS || r.left < count * 73) return WM_MALFORMED;
    wm_reader calls = r;
    wm_take(&r, count * 73);
    if (r.left > BYTES) return WM_MALFORMED;
    memcpy(bytes, r.ptr, r.left);
    for (uint32_t i = 0; i < count; i++) {
        int64_t a[8];
        uint8_t function = wm_read_u8(&calls);
        for (uint32_t j = 0; j < 8; j++) a[j] = argument(&calls);
        results[i] = make(function, a);
    }
    if (wm_equal(head.path, WM_STR("/fail"))) return 1;
    if (wm_equal(head.path, WM_STR("/trap"))) __builtin_trap();
    return wm_equal(head.path, WM_STR("/quiet")) ? 0 : answer(count);
}
