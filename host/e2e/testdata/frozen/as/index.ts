// A token drawn at the top level, as Math.random's seed is.
@external("wasi_snapshot_preview1", "random_get") declare function randomGet(buf: usize, len: u32): u32;
@external("wasmoor_v1", "response_write") declare function responseWrite(data: usize, len: i32): i64;

const token = new ArrayBuffer(8);
randomGet(changetype<usize>(token), 8);

export function wasmoor_handle(): i32 {
  const text = String.UTF8.encode(load<u64>(changetype<usize>(token)).toString(16));
  return responseWrite(changetype<usize>(text), text.byteLength) < 0 ? 1 : 0;
}
