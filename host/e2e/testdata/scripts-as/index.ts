// The probe of sdk/c/testdata/probe.c, which says what stands in the body and in the answer.
import { rawRequestBody, rawResponseWrite } from "./abi";
import { call } from "./calls";

const BYTES: u32 = 64 * 1024;
const MAX_CALLS: u32 = 256;
const CALL_SIZE: u32 = 82;
const SCRIPT: u32 = 96 * 1024;

const FAIL: u32 = 2;

const bytes = memory.data(65536);
const results = memory.data(2048);
const script = memory.data(98304);

/** body reads the body and gives its size. */
function body(): u32 {
  let size: u32 = 0;
  while (true) {
    const n = rawRequestBody(size, script + size, SCRIPT - size);
    if (n <= 0) return size;
    size += <u32>n;
  }
}

function argument(at: usize): i64 {
  const kind = load<u8>(at);
  const value = load<i64>(at + 1);
  if (kind == 1) return value + <i64>bytes;
  if (kind == 2) return value + (<i64>memory.size() << 16);
  if (kind == 3) return load<i64>(results + <usize>(value * 8));
  return value;
}

/** make makes a host call, or does what only this program needs. */
function make(n: u32, a: StaticArray<i64>): i64 {
  if (n == 253) {
    store<u32>(<usize>a[0], <u32>a[1]);
    return 0;
  }
  if (n == 255) return <i64>memory.grow(<i32>a[0]);
  return call(n, a);
}

export function wasmoor_handle(): i32 {
  const size = body();
  const count = load<u32>(script);
  const flags = load<u32>(script, 4);
  const from = load<u32>(script, 8);
  const room = load<u32>(script, 12);
  let at = script + 16;
  const texts = at + count * CALL_SIZE;
  if (count > MAX_CALLS || texts > script + size || script + size - texts > BYTES || from + room > BYTES) return 1;
  memory.copy(bytes, texts, script + size - texts);
  const a = new StaticArray<i64>(9);
  for (let i: u32 = 0; i < count; i++) {
    const n: u32 = load<u8>(at++);
    for (let j = 0; j < 9; j++, at += 9) a[j] = argument(at);
    store<i64>(results + i * 8, make(n, a));
  }
  if (flags & FAIL) return 1;
  return rawResponseWrite(results, count * 8) < 0 || rawResponseWrite(bytes + from, room) < 0 ? 1 : 0;
}
