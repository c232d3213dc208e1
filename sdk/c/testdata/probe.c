/* probe: makes the host calls that the body lists, with any arguments, and answers their results.
 *
 * The body: u32 count of calls, u32 flags, u32 from and u32 size of the part of `bytes` that is answered; per call u8
 * function, then nine arguments, each u8 kind and i64 value; the rest is copied to `bytes`. Functions are numbered in
 * the order of SPEC 6; 253 stores argument 1, a u32, at address 0; 254: what clock_now and random_fill gave during
 * initialisation; 255: memory.grow. Kind 0: the value as it is; 1: the address of the byte of that index in `bytes`;
 * 2: the size of memory plus the value; 3: the result of the call of that number. The answer, after what the calls
 * wrote: an i64 per call, then the part of `bytes`. Flags: 1 = no answer, 2 = the handler fails, 4 = it traps.
 */
#include "wasmoor.h"

#include "calls.h"

#define BYTES (64u * 1024u)
#define MAX_CALLS 256u
#define CALL_SIZE 82u

enum { QUIET = 1, FAIL = 2, TRAP = 4 };

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
    if (kind == 3) return results[value % MAX_CALLS];
    return value;
}

/* make makes a host call, or does what only this program needs. */
static int64_t make(uint8_t function, const int64_t *a) {
    switch (function) {
    case 253: memcpy((void *)(uintptr_t)(uint32_t)a[0], &a[1], 4); return 0;
    case 254: return at_start[a[0] & 1];
    case 255: return (int64_t)(int32_t)__builtin_wasm_memory_grow(0, (uint32_t)a[0]);
    }
    return call(function, a);
}

static int64_t answer(uint32_t count, uint32_t from, uint32_t size) {
    int64_t n = wm_raw_response_write(results, count * 8);
    return n < 0 ? n : wm_raw_response_write(bytes + from, size);
}

WM_HANDLER {
    wm_head head;
    wm_str script;
    int64_t n;
    if ((n = wm_request(&head)) < 0 || (n = wm_body(&head, &script)) < 0) return n;
    wm_reader r = wm_read(script);
    uint32_t count = wm_read_u32(&r), flags = wm_read_u32(&r), from = wm_read_u32(&r), size = wm_read_u32(&r);
    if (count > MAX_CALLS || r.left < count * CALL_SIZE || from > BYTES || size > BYTES - from) return WM_MALFORMED;
    wm_reader calls = r;
    wm_take(&r, count * CALL_SIZE);
    if (r.left > BYTES) return WM_MALFORMED;
    memcpy(bytes, r.ptr, r.left);
    for (uint32_t i = 0; i < count; i++) {
        int64_t a[9];
        uint8_t function = wm_read_u8(&calls);
        for (uint32_t j = 0; j < 9; j++) a[j] = argument(&calls);
        results[i] = make(function, a);
    }
    if (flags & FAIL) return 1;
    if (flags & TRAP) __builtin_trap();
    return flags & QUIET ? 0 : answer(count, from, size);
}
