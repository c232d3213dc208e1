// counter-as counts views of pages, and keeps a note for each that ends by itself.

import { body, kvAdd, kvCounter, kvGet, kvList, kvSet, Request, request, respond, respondBytes, route } from "./wasmoor";

const VIEWS = "views/";
const NOTES = "notes/";
const MAX_NAME = 64;
const MAX_NOTE: u64 = 16 * 1024; // bytes
const DEFAULT_TTL: i32 = 60 * 60; // seconds
const MAX_TTL: i32 = 366 * 24 * 60 * 60;
const PAGE = 100; // entries of the list in one answer

// ---- Answers ----

function notFound(what: string): void {
  respond(404, "no such " + what + "\n");
}

function noContent(): void {
  respond(204, "");
}

function notAllowed(allow: string): void {
  respond(405, "method not allowed\n", ["allow", allow]);
}

// ---- Text ----

/** isName tells whether text can name a page; what it allows needs no escape in a path, in a query or in JSON. */
function isName(text: string): bool {
  if (text.length == 0 || text.length > MAX_NAME) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const letter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
    const digit = c >= 0x30 && c <= 0x39;
    if (!letter && !digit && c != 0x2d && c != 0x5f) return false;
  }
  return true;
}

/** field gives the first field of that name in a query, null if there is none. Values here have nothing to unescape. */
function field(query: string, name: string): string | null {
  const fields = query.split("&");
  for (let i = 0; i < fields.length; i++) {
    if (fields[i].startsWith(name + "=")) return fields[i].substring(name.length + 1);
  }
  return null;
}

/** seconds reads a time to live; 0 = it is not one. */
function seconds(text: string): i32 {
  if (text.length == 0 || text.length > 8) return 0;
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    n = 10 * n + digit;
  }
  return n <= MAX_TTL ? n : 0;
}

// ---- Handlers ----

function list(r: Request): void {
  let after = field(r.query, "after");
  if (after !== null && !isName(after)) return respond(400, "after must be the next of the page before\n");
  const page = kvList(VIEWS, after === null ? "" : VIEWS + after, PAGE);
  const count = page.u32();
  const more = page.u8() != 0;
  let name = "";
  let text = '{"pages":{';
  for (let i: u32 = 0; i < count; i++) {
    name = page.text().substring(VIEWS.length);
    text += (i > 0 ? ',"' : '"') + name + '":' + page.counter().toString();
  }
  text += more ? '},"next":"' + name + '"}\n' : "}}\n";
  respond(200, text, ["content-type", "application/json"]);
}

function show(name: string): void {
  const views = kvCounter(VIEWS + name);
  if (views < 0) return notFound("page");
  respond(200, views.toString() + "\n");
}

function view(name: string): void {
  kvAdd(VIEWS + name, 1);
  noContent();
}

function showNote(name: string): void {
  const note = kvGet(NOTES + name);
  if (note === null) return notFound("note");
  // A note is any bytes of anybody: a browser must not take it for a page.
  respondBytes(200, ["content-type", "text/plain; charset=utf-8", "x-content-type-options", "nosniff"], note);
}

function writeNote(r: Request, name: string): void {
  const ttl = field(r.query, "ttl");
  const lives = ttl === null ? DEFAULT_TTL : seconds(ttl);
  if (lives == 0) return respond(400, "ttl must be whole seconds, from 1 to 366 days\n");
  if (r.bodySize > MAX_NOTE) return respond(413, "the note is too large\n");
  kvSet(NOTES + name, body(<i32>r.bodySize), <i64>lives * 1000);
  noContent();
}

// ---- Routes ----

function atRoot(r: Request, method: string): void {
  if (method != "GET") return notAllowed("GET, HEAD");
  route("GET /{$}");
  list(r);
}

function atPage(method: string, name: string): void {
  if (method == "GET") {
    route("GET /{page}");
    show(name);
  } else if (method == "POST") {
    route("POST /{page}");
    view(name);
  } else {
    notAllowed("GET, HEAD, POST");
  }
}

function atNote(r: Request, method: string, name: string): void {
  if (method == "GET") {
    route("GET /{page}/note");
    showNote(name);
  } else if (method == "PUT") {
    route("PUT /{page}/note");
    writeNote(r, name);
  } else {
    notAllowed("GET, HEAD, PUT");
  }
}

/** wasmoor_handle answers one request. */
export function wasmoor_handle(): i32 {
  const r = request();
  const method = r.method == "HEAD" ? "GET" : r.method; // the host drops the body
  const parts = r.path.split("/"); // the first is empty, as a path starts with a slash
  if (r.path == "/") atRoot(r, method);
  else if (parts.length > 3 || !isName(parts[1])) notFound("page");
  else if (parts.length == 2) atPage(method, parts[1]);
  else if (parts[2] == "note") atNote(r, method, parts[1]);
  else notFound("page");
  return 0;
}
