/* C's srand(time(0)) and rand(), without a library. */
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wasi_snapshot_preview1", "clock_time_get") int32_t clock_time_get(int32_t clock, int64_t precision, uint64_t *time);
IMPORT("wasmoor_v1", "response_write") int64_t response_write(const void *data, int32_t len);

static uint64_t seed;

static uint64_t next(void) { return (seed = 6364136223846793005u * seed + 1) >> 33; }

EXPORT("_initialize") void initialize(void) {
    uint64_t now;
    clock_time_get(0, 1, &now);
    seed = now / 1000 - 1; /* of a clock in microseconds, so that two requests do not share a second */
}

EXPORT("wasmoor_handle") int32_t handle(void) {
    uint64_t numbers[2] = {next(), next()};
    char text[32];
    for (int i = 0; i < 32; i++) text[i] = "0123456789abcdef"[numbers[i / 16] >> (4 * (i % 16)) & 15];
    return response_write(text, sizeof text) < 0;
}
