/* count: keeps a number in the key space, as a plugin of Extism does. Each call answers one more, a digit. */
#include <stdint.h>

#define HOST(module, name) __attribute__((import_module("extism:host/" module), import_name(name)))

HOST("env", "alloc") uint64_t alloc(uint64_t len);
HOST("env", "load_u8") uint32_t load_u8(uint64_t at);
HOST("env", "store_u8") void store_u8(uint64_t at, uint32_t byte);
HOST("env", "output_set") void output_set(uint64_t at, uint64_t len);
HOST("user", "kv_get") int64_t kv_get(uint64_t key);
HOST("user", "kv_set") int64_t kv_set(uint64_t key, uint64_t value, int64_t ttl_ms);

__attribute__((export_name("run"))) int32_t run(void) {
    uint64_t key = alloc(1), value = alloc(1);
    store_u8(key, 'n');
    int64_t before = kv_get(key);
    store_u8(value, before > 0 ? load_u8((uint64_t)before) + 1 : '1');
    if (kv_set(key, value, 0) < 0) return 1;
    output_set(value, 1);
    return 0;
}
