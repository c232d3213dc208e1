// What this plugin needs of the guest ABI (abi/SPEC.md, version 1). Nothing is freed: every request starts from the
// memory that initialisation left, so the runtime is a stub that only allocates.

import {
  COUNTER_SIZE, ERROR, NOT_FOUND, rawKvAdd, rawKvGet, rawKvList, rawKvSet, rawLogWrite, rawRequestBody, rawRequestHead,
  rawResponseHead, rawResponseWrite, rawRouteSet,
} from "./abi";

/** The size of a first try with a buffer; a larger value takes a second call. */
const FIRST: i32 = 4096;

/** The same for a page, which ends early at the end of its buffer. */
const FIRST_PAGE: i32 = 16 * 1024;

// ---- Memory ----

function at(buffer: ArrayBuffer): usize {
  return changetype<usize>(buffer);
}

function bytes(text: string): ArrayBuffer {
  return String.UTF8.encode(text);
}

/** fail logs why and traps: the host drops the effects of the request and answers 502. */
function fail(what: string): void {
  const message = bytes(what);
  rawLogWrite(ERROR, at(message), message.byteLength, 0, 0);
  unreachable();
}

/** must gives the result of a host function, which is a size, and fails on a status, also on one that is not known. */
function must(result: i64, what: string): i32 {
  if (result < 0) fail(what + ": status " + result.toString());
  return <i32>result;
}

// ---- Layouts (§4): little-endian, nothing aligned ----

/** Reader reads a layout; each length is checked against the bytes left. */
export class Reader {
  private offset: i32 = 0;

  constructor(private buffer: ArrayBuffer) {}

  /** more tells whether bytes are left. */
  more(): bool { return this.offset < this.buffer.byteLength; }

  /** take moves over n bytes and gives their address. */
  private take(n: u32): usize {
    if (n > <u32>(this.buffer.byteLength - this.offset)) fail("a layout is cut short");
    const start = at(this.buffer) + this.offset;
    this.offset += <i32>n;
    return start;
  }

  u8(): u8 { return load<u8>(this.take(1)); }
  u32(): u32 { return load<u32>(this.take(4)); }
  u64(): u64 { return load<u64>(this.take(8)); }

  text(): string {
    const size = this.u32();
    return String.UTF8.decodeUnsafe(this.take(size), size);
  }

  /** counter reads a string that is the value of a counter. */
  counter(): i64 {
    if (this.u32() != COUNTER_SIZE) fail("a value is not a counter");
    return load<i64>(this.take(COUNTER_SIZE));
  }

  skipText(): void { this.take(this.u32()); }

  skipPairs(): void {
    for (let left = this.u32(); left > 0; left--) {
      this.skipText();
      this.skipText();
    }
  }
}

/** responseLayout encodes a response head; headers are names and values in turn. */
function responseLayout(status: u32, headers: string[]): ArrayBuffer {
  const parts = headers.map<ArrayBuffer>((text) => bytes(text));
  let size = 8;
  for (let i = 0; i < parts.length; i++) size += 4 + parts[i].byteLength;
  const head = new ArrayBuffer(size);
  store<u32>(at(head), status);
  store<u32>(at(head) + 4, parts.length / 2);
  let to = at(head) + 8;
  for (let i = 0; i < parts.length; i++) {
    store<u32>(to, parts[i].byteLength);
    memory.copy(to + 4, at(parts[i]), parts[i].byteLength);
    to += 4 + parts[i].byteLength;
  }
  return head;
}

// ---- Request and response ----

/** Request is the part of a request head that this plugin looks at. */
export class Request {
  method: string;
  path: string;
  query: string;
  bodySize: u64;
  /** Which way the request came, "http"; a host that does not say so ends the head before it. */
  trigger: string;

  constructor(r: Reader) {
    this.method = r.text();
    this.path = r.text();
    r.skipText(); // mount
    r.skipText(); // pattern
    r.skipPairs(); // params
    this.query = r.text();
    r.skipPairs(); // headers
    for (let i = 0; i < 4; i++) r.skipText(); // scheme, host, remote, request_id
    r.u32(); // attempt
    this.bodySize = r.u64();
    this.trigger = r.more() ? r.text() : "http";
    if (r.more()) r.skipPairs(); // attributes
  }
}

export function request(): Request {
  let buffer = new ArrayBuffer(FIRST);
  const size = must(rawRequestHead(at(buffer), FIRST), "read the request");
  if (size > FIRST) {
    buffer = new ArrayBuffer(size);
    must(rawRequestHead(at(buffer), size), "read the request");
  }
  return new Request(new Reader(buffer));
}

/** body reads the size bytes of the request's body, in as many calls as the host takes. */
export function body(size: i32): ArrayBuffer {
  const buffer = new ArrayBuffer(size);
  for (let read = 0; read < size; ) {
    const n = must(rawRequestBody(read, at(buffer) + read, size - read), "read the body");
    if (n == 0) fail("the body ended early");
    read += n;
  }
  return buffer;
}

/** respondBytes answers; headers are names and values in turn. */
export function respondBytes(status: u32, headers: string[], data: ArrayBuffer): void {
  const head = responseLayout(status, headers);
  must(rawResponseHead(at(head), head.byteLength), "set the response's head");
  must(rawResponseWrite(at(data), data.byteLength), "write the response");
}

/** respond is respondBytes for text. */
export function respond(status: u32, text: string, headers: string[] = []): void {
  respondBytes(status, headers, bytes(text));
}

/** route tells the host which pattern matched, for its log. */
export function route(pattern: string): void {
  const data = bytes(pattern);
  must(rawRouteSet(at(data), data.byteLength), "set the route");
}

// ---- Keys and values ----

/** kvGet gives the value of a key, null if there is none. */
export function kvGet(name: string): ArrayBuffer | null {
  const key = bytes(name);
  let value = new ArrayBuffer(FIRST);
  const found = rawKvGet(at(key), key.byteLength, at(value), FIRST);
  if (found == NOT_FOUND) return null;
  const size = must(found, "read " + name);
  if (size <= FIRST) return value.slice(0, size);
  value = new ArrayBuffer(size);
  must(rawKvGet(at(key), key.byteLength, at(value), size), "read " + name);
  return value;
}

/** kvSet writes a value that ends after ttlMs milliseconds; 0 = never. */
export function kvSet(name: string, value: ArrayBuffer, ttlMs: i64): void {
  const key = bytes(name);
  must(rawKvSet(at(key), key.byteLength, at(value), value.byteLength, ttlMs), "write " + name);
}

/** kvAdd adds to a counter without reading it, so that requests that only add never conflict. */
export function kvAdd(name: string, delta: i64): void {
  const key = bytes(name);
  must(rawKvAdd(at(key), key.byteLength, delta), "add to " + name);
}

/** kvCounter gives the value of a counter, -1 if there is none. */
export function kvCounter(name: string): i64 {
  const value = kvGet(name);
  if (value === null) return -1;
  if (value.byteLength != COUNTER_SIZE) fail(name + " is not a counter");
  return load<i64>(at(value));
}

/** kvList gives a page (§4) of at most limit keys with that prefix, after the key `after`; empty = from the start. */
export function kvList(prefix: string, after: string, limit: u32): Reader {
  const start = bytes(prefix);
  const cursor = bytes(after);
  let cap = FIRST_PAGE;
  while (true) {
    const page = new ArrayBuffer(cap);
    const size = must(
      rawKvList(at(start), start.byteLength, at(cursor), cursor.byteLength, limit, 0, at(page), cap), "list " + prefix,
    );
    if (size <= cap) return new Reader(page);
    cap = size;
  }
}
