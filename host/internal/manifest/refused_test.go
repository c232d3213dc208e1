package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	. "github.com/wasmoor/wasmoor/host/internal/manifest" // what the tables of capabilities hold is theirs, and they import it
)

const head = "manifest_version = 1\nname = \"a\"\n"

// refused holds texts with the whole message each of them gets, without the
// file's name. A line starts with line and column where the place is known.
var refused = []struct{ name, text, want string }{
	{
		"empty", "",
		`: manifest_version: it is missing; write manifest_version = 1`,
	},
	{
		"not toml", "manifest_version = 1\nname = guestbook\n",
		`2:8: unexpected character U+0067 'g' at start of value; write name = "guestbook"`,
	},
	{
		"control character", "manifest_version = 1\nname = \"a\x01\"\n",
		`2:10: basic strings cannot have control characters`,
	},
	{
		"key twice", head + "name = \"b\"\n",
		`3:1: key name is already defined`,
	},
	{
		"table twice", head + "[kv]\n[kv]\n",
		`4:2: table kv already exists`,
	},
	{
		"format of the future", "manifest_version = 2\nnovelty = true\n",
		`1:1: manifest_version: 2 is not supported; this host reads 1`,
	},
	{
		"format as text", "manifest_version = \"1\"\n",
		`1:1: manifest_version: it must be the number 1, not the string "1"; write manifest_version = 1`,
	},
	{
		"no name", "manifest_version = 1\n",
		`: name: it is missing; write e.g. name = "guestbook"`,
	},
	{
		"manifest of Extism", `{"wasm": [{"url": "https://example.com/a.wasm"}], "config": {}}`,
		`1:2: wasm: this is a manifest of Extism, which names modules by file or URL; this host fetches none: translate it for the one module with: wasmoor pack MODULE.wasm --extism FILE --name NAME -o packed.wasm`,
	},
	{
		"extism without routes", head + "abi = \"extism\"\n",
		`: route: it is missing; abi = "extism" needs routes that name exports, e.g. [[route]] pattern = "POST /count", export = "count_vowels"`,
	},
	{
		"extism route without an export", head + "abi = \"extism\"\n[[route]]\npattern = \"/\"\n",
		`4:3: route[0].export: write one of export = "NAME" (request body in, response body out) and handler = "NAME" (request and response as JSON)`,
	},
	{
		"extism route with both", head + "abi = \"extism\"\n[[route]]\npattern = \"/\"\nexport = \"a\"\nhandler = \"b\"\n",
		`6:1: route[0].export: write one of export = "NAME" (request body in, response body out) and handler = "NAME" (request and response as JSON)`,
	},
	{
		"type of a handler", head + "abi = \"extism\"\n[[route]]\npattern = \"/\"\nhandler = \"b\"\ncontent_type = \"text/plain\"\n",
		`7:1: route[0].content_type: a handler sets the content-type itself, among its headers`,
	},
	{
		"export of no name", head + "abi = \"extism\"\n[[route]]\npattern = \"/\"\nexport = \"\"\n",
		`6:1: route[0].export: use the name of an exported function, 1 to 256 bytes`,
	},
	{
		"no media type", head + "abi = \"extism\"\n[[route]]\npattern = \"/\"\nexport = \"a\"\ncontent_type = \"json;;\"\n",
		`7:1: route[0].content_type: "json;;" is not a media type: write e.g. "application/json"`,
	},
	{
		"export without extism", head + "[[route]]\npattern = \"/\"\nexport = \"a\"\ncontent_type = \"text/plain\"\n",
		"5:1: route[0].export: it needs abi = \"extism\"\n" +
			"6:1: route[0].content_type: it needs abi = \"extism\"",
	},
	{
		"bad name", "manifest_version = 1\nname = \"Guest Book\"\n",
		`2:1: name: plugin name "Guest Book" is not allowed: use 1 to 63 of a-z, 0-9 and -, not starting or ending with -`,
	},
	{
		"name of another type", "manifest_version = 1\nname = 7\n",
		`2:1: name: it must be a string, not the number 7; write name = "7"`,
	},
	{
		"label with a line end", head + "version = \"1\\n2\"\n",
		`3:1: version: label "1\n2" is not allowed: use up to 128 characters of text without control characters`,
	},
	{
		"abi", head + "abi = \"wasmoor_v9\"\n",
		`3:1: abi: "wasmoor_v9" is unknown; this host speaks wasmoor_v1, extism`,
	},
	{
		"isolation not a string", head + "isolation = 1\n",
		`3:1: isolation: it must be a string, not the number 1; write isolation = "request"`,
	},
	{
		"warm-up without a request", head + "[[warmup]]\nbody = \"a\"\n",
		`3:3: warmup[0].request: it is missing; write e.g. request = "GET /items/1"`,
	},
	{
		"warm-up of no request", head + "[[warmup]]\nrequest = \"/items\"\n",
		`4:1: warmup[0].request: "/items" is not a request, a method and a path below the mount; write request = "GET /items"`,
	},
	{
		"warm-up with a line break", head + "[[warmup]]\nrequest = \"GET /a\\r\\nb\"\n",
		`4:1: warmup[0].request: "GET /a\r\nb" is not a request, a method and a path below the mount; write request = "GET /items/1?full=yes"`,
	},
	{
		"warm-up of no route", head + "[[route]]\npattern = \"GET /a\"\n[[warmup]]\nrequest = \"POST /a\"\n",
		`6:1: warmup[0].request: no route of the manifest answers POST /a`,
	},
	{
		"warm-up with a bad header", head + "[[warmup]]\nrequest = \"GET /\"\nheaders = { \"a b\" = \"c\", d = \"e\\nf\" }\n",
		`5:13: warmup[0].headers."a b": it is not the name of a header
5:26: warmup[0].headers.d: a header's value has no control characters`,
	},
	{
		"isolation unknown", head + "isolation = \"none\"\n",
		`3:1: isolation: "none" is unknown; write "request", or "instance" to keep memory between requests`,
	},

	{
		"unknown key", head + "  namee = \"b\"\n",
		`3:3: namee: unknown key; did you mean "name"?`,
	},
	{
		"unknown key in a table", head + "[limits]\nmemroy = \"1MiB\"\n",
		`4:1: limits.memroy: unknown key; did you mean "memory"?`,
	},
	{
		"unknown key far from any", head + "[kv]\npurpose = 1\n",
		`4:1: kv.purpose: unknown key; known here: keys, bytes, reason`,
	},
	{
		"unknown dotted key", head + "limits.memroy = 1\n",
		`3:8: limits.memroy: unknown key; did you mean "memory"?`,
	},
	{
		"unknown key in an inline table", head + "config = { api_key = { requird = true } }\n",
		`3:24: config.api_key.requird: unknown key; did you mean "required"?`,
	},
	{
		"unknown table", head + "[limit]\nmemory = 1\n",
		`3:2: limit: unknown key; did you mean "limits"?`,
	},
	{
		"unknown quoted key", head + "\"a b\" = 1\n",
		`3:1: "a b": unknown key; known here: manifest_version, name, version, abi, isolation, isolation_reason, frozen, route, limits, kv, sql, blobs, queue, cron, socket, topic, upload, outbound, secrets, services, config, warmup, build`,
	},
	{
		"a reason that a terminal obeys", head + "[kv]\nreason = \"\\u001b[2J\"\n",
		`4:1: kv.reason: a reason is one line of 1 to 200 printable characters`,
	},
	{
		"a reason that turns its line around", head + "[kv]\nreason = \"to \\u202e evil\"\n",
		`4:1: kv.reason: a reason is one line of 1 to 200 printable characters`,
	},
	{
		"a reason of two lines", head + "isolation = \"instance\"\nisolation_reason = \"a\\nb\"\n",
		`4:1: isolation_reason: a reason is one line of 1 to 200 printable characters`,
	},
	{
		"an empty reason", head + "[kv]\nreason = \"\"\n",
		`4:1: kv.reason: a reason is one line of 1 to 200 printable characters`,
	},
	{
		"a long reason", head + "[kv]\nreason = \"" + strings.Repeat("a", 201) + "\"\n",
		`4:1: kv.reason: a reason is one line of 1 to 200 printable characters`,
	},
	{
		"a reason for what is not asked", head + "isolation_reason = \"a\"\n",
		`3:1: isolation_reason: it is the reason for isolation = "instance"; leave it out`,
	},
	{
		"unknown key of the second route", head + "[[route]]\npattern = \"/a\"\n[[route]]\npattern = \"/b\"\nmethod = \"GET\"\n",
		`7:1: route[1].method: unknown key; write pattern = "GET /b"`,
	},

	{
		"table as text", head + "limits = \"many\"\n",
		`3:1: limits: it must be a table, not the string "many"; write [limits]`,
	},
	{
		"route as table", head + "[route]\npattern = \"/\"\n",
		`3:2: route: it must be a list of tables, not a table; write [[route]]`,
	},
	{
		"route as text", head + "route = [ \"GET /\" ]\n",
		`3:1: route[0]: it must be a table, not the string "GET /"; write [[route]] and in it pattern = "GET /"`,
	},
	{
		"size as date", head + "[limits]\nmemory = 2020-01-01\n",
		`4:1: limits.memory: it must be a size like "64MiB", not a date or time`,
	},
	{
		"size as fraction", head + "[limits]\nmemory = 1.5\n",
		`4:1: limits.memory: it must be a size like "64MiB", not the number 1.5`,
	},
	{
		"size without a known unit", head + "[limits]\nmemory = \"64 megs\"\n",
		`4:1: limits.memory: "64 megs" is not a size: write bytes as a whole number, alone or with KiB, MiB, GiB, kB, MB or GB; write memory = "64MiB"`,
	},
	{
		"duration as number", head + "[limits]\ndeadline = 5\n",
		`4:1: limits.deadline: it must be a duration like "5s", not the number 5; write deadline = "5s"`,
	},
	{
		"duration without unit", head + "[limits]\ndeadline = \"5\"\n",
		`4:1: limits.deadline: "5" is not a duration; write deadline = "5s"`,
	},
	{
		"watch of another type", head + "[build]\nwatch = [\"*.go\", 1]\n",
		`4:1: build.watch[1]: it must be a string, not the number 1`,
	},

	{
		"memory over the maximum", head + "[limits]\nmemory = \"1GiB\"\n",
		`4:1: limits.memory: 1GiB is above the maximum of 512MiB`,
	},
	{
		"memory not in pages", head + "[limits]\nmemory = \"1000kB\"\n",
		`4:1: limits.memory: 1000000B is not a whole number of 64KiB pages; write memory = "1MiB"`,
	},
	{
		"deadline over the maximum", head + "[limits]\ndeadline = \"2m\"\n",
		`4:1: limits.deadline: 2m0s is above the maximum of 1m0s`,
	},
	{
		"deadline below zero", head + "[limits]\ndeadline = \"-1s\"\n",
		`4:1: limits.deadline: it must be at least 1ms, not -1s`,
	},
	{
		"answers kept too long", head + "[kv]\n[[route]]\npattern = \"/\"\nidempotency = \"169h\"\n",
		`6:1: route[0].idempotency: 169h0m0s is above the maximum of 168h0m0s`,
	},
	{
		"answers kept of what is repeated anyway", head + "[kv]\n[[route]]\npattern = \"GET /a\"\nidempotency = \"24h\"\n",
		`6:1: route[0].idempotency: it does nothing for GET; it is for POST, PUT, PATCH and DELETE`,
	},
	{
		"answers kept nowhere", head + "[[route]]\npattern = \"/\"\nidempotency = \"24h\"\n",
		`5:1: route[0].idempotency: answers are kept in the plugin's key space; add the table [kv]`,
	},
	{
		"body zero", head + "[limits]\nrequest_body = 0\n",
		`4:1: limits.request_body: it must be above zero`,
	},
	{
		"concurrency zero", head + "[limits]\nconcurrency = 0\n",
		`4:1: limits.concurrency: it must be at least 1, not 0`,
	},
	{
		"concurrency over the maximum", head + "[limits]\nconcurrency = 5000\n",
		`4:1: limits.concurrency: 5000 is above the maximum of 1024`,
	},
	{
		"keys below zero", head + "[kv]\nkeys = -1\n",
		`4:1: kv.keys: it must be at least 1, not -1`,
	},
	{
		"route's body over the maximum", head + "[[route]]\npattern = \"/\"\nrequest_body = \"65GiB\"\n",
		`5:1: route[0].request_body: 65GiB is above the maximum of 64GiB`,
	},

	{
		"no pattern", head + "[[route]]\ndeadline = \"1s\"\n",
		`3:3: route[0].pattern: it is missing; write e.g. pattern = "GET /entries/{id}"`,
	},
	{
		"bad pattern", head + "[[route]]\npattern = \"GET entries\"\n",
		`4:1: route[0].pattern: pattern "GET entries": at offset 4: a path starts with '/'; write "GET /entries"`,
	},
	{
		"pattern with a host", head + "[[route]]\npattern = \"GET example.org/x\"\n",
		`4:1: route[0].pattern: "GET example.org/x" names the host "example.org"; a route is relative to the mount, which has the host; write pattern = "GET /x"`,
	},
	{
		"patterns in conflict", head + "[[route]]\npattern = \"GET /{a}\"\n[[route]]\npattern = \"GET /{b}\"\n",
		`6:1: route[1].pattern: it conflicts with route[0].pattern: "GET /{b}" matches the same requests as "GET /{a}"`,
	},

	{
		"bad var name", head + "[config]\n\"api key\" = {}\n",
		`4:1: config."api key": use 1 to 64 letters, digits and _, not starting with a digit`,
	},
	{
		"var as text", head + "[config]\ngreeting = \"hello\"\n",
		`4:1: config.greeting: it must be a table, not the string "hello"; write greeting = { default = "hello" }`,
	},
	{
		"default of another type", head + "[config]\nx = { default = 1 }\n",
		`4:7: config.x.default: it must be a string, not the number 1; write default = "1"`,
	},
	{
		"required with a default", head + "[config]\nx = { required = true, default = \"1\" }\n",
		`4:1: config.x: required and default exclude each other; remove one`,
	},
	{
		"secret with a default", head + "[config.x]\nsecret = true\ndefault = \"1\"\n",
		`3:9: config.x: a secret has no default: everyone who has the module could read it`,
	},

	{
		"several, in the order of the text", "manifest_version = 1\nversion = 2\nname = \"-\"\n[limits]\nmemory = \"x\"\ndeadlin = \"1s\"\n",
		`2:1: version: it must be a string, not the number 2; write version = "2"
3:1: name: plugin name "-" is not allowed: use 1 to 63 of a-z, 0-9 and -, not starting or ending with -
5:1: limits.memory: "x" is not a size: write bytes as a whole number, alone or with KiB, MiB, GiB, kB, MB or GB
6:1: limits.deadlin: unknown key; did you mean "deadline"?`,
	},

	{
		"outbound without origins", head + "[outbound]\ncache = true\n",
		`3:2: outbound.allow: it names no origin; write e.g. allow = ["https://api.example.com"]`,
	},
	{
		"outbound with an empty list", head + "[outbound]\nallow = []\n",
		`4:1: outbound.allow: it names no origin; write e.g. allow = ["https://api.example.com"]`,
	},
	{
		"outbound with one string", head + "[outbound]\nallow = \"https://a.example\"\n",
		`4:1: outbound.allow: it must be a list of strings, not the string "https://a.example"; write allow = ["https://a.example"]`,
	},
	{
		"outbound key mistyped", head + "[outbound]\nallow = [\"https://a.example\"]\nidempotnet = true\n",
		`5:1: outbound.idempotnet: unknown key; did you mean "idempotent"?`,
	},
	{
		"outbound table mistyped", head + "[outbond]\n",
		`3:2: outbond: unknown key; did you mean "outbound"?`,
	},
	{
		"outbound to a path", head + "[outbound]\nallow = [\"https://a.example\", \"https://a.example/v1\"]\n",
		`4:1: outbound.allow[1]: "https://a.example/v1" is no origin: a path is not part of it, every path of the host is reached; ` +
			`write "https://a.example"`,
	},
	{
		"outbound to every host", head + "[outbound]\nallow = [\"https://*.com\"]\n",
		`4:1: outbound.allow[0]: "https://*.com" is no origin: a wildcard needs two labels after it, as in "https://*.example.com"; ` +
			`write e.g. "https://api.example.com", with :port where it is not the usual one`,
	},
	{
		"outbound over its maximum", head + "[outbound]\nallow = [\"https://a.example\"]\ntimeout = \"5m\"\ncalls = 101\nconcurrent = 0\n",
		"5:1: outbound.timeout: 5m0s is above the maximum of 1m0s\n" +
			"6:1: outbound.calls: 101 is above the maximum of 100\n" +
			"7:1: outbound.concurrent: it must be at least 1, not 0",
	},

	{
		"json: syntax", "{\n  \"manifest_version\": 1,\n  \"name\" \"a\"\n}",
		`3:10: invalid character '"' after object key`,
	},
	{
		"json: bad value", "{\n  \"name\":  tru,\n}",
		`2:12: invalid character ',' in literal true (expecting 'e')`,
	},
	{
		"json: cut off", "{\"manifest_version\": 1,",
		`1:24: the JSON ends too early`,
	},
	{
		"json: empty", "{",
		`1:2: the JSON ends too early`,
	},
	{
		"json: more behind", "{\"manifest_version\": 1, \"name\": \"a\"}\n{}",
		`2:1: there is more after the JSON object`,
	},
	{
		"json: key twice", "{\n  \"name\": \"a\",\n  \"name\": \"b\"\n}",
		`3:3: name: the key stands twice`,
	},
	{
		"json: unknown key", "{\"manifest_version\": 1,\n \"name\": \"a\", \"limits\": {\n  \"memroy\": 1}}",
		`3:3: limits.memroy: unknown key; did you mean "memory"?`,
	},
	{
		"json: null", "{\"manifest_version\": 1,\n \"name\": null}",
		`2:2: name: it must be a string, not null`,
	},
	{
		"json: number out of range", "{\"manifest_version\": 1, \"name\": \"a\",\n\"kv\": {\"keys\": 1e999}}",
		`2:8: kv.keys: it must be a whole number, not a number out of range`,
	},
	{
		"json: second route", "{\"manifest_version\": 1, \"name\": \"a\", \"route\": [\n{\"pattern\": \"/\"},\n{}]}",
		`3:1: route[1].pattern: it is missing; write e.g. pattern = "GET /entries/{id}"`,
	},
	{
		"json: nesting", "{\"x\": " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}",
		`1:15: more than 8 levels of nesting`,
	},
	{
		"json: nesting of objects", strings.Repeat("{\"x\":", 20) + "1" + strings.Repeat("}", 20),
		`1:42: more than 8 levels of nesting`,
	},
	{
		"json: long key", "{\"" + strings.Repeat("k", 65) + "\": 1}",
		`1:2: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk..." is longer than 64 bytes`,
	},

	{
		"nesting of a key", head + "a" + strings.Repeat(".a", 50_000) + " = 1\n",
		`3:17: more than 8 levels of nesting`,
	},
	{
		"nesting of a table", head + "[a" + strings.Repeat(".a", 50_000) + "]\n",
		`3:18: more than 8 levels of nesting`,
	},
	{
		"nesting of inline tables", head + "a = " + strings.Repeat("{a = ", 20) + "1" + strings.Repeat("}", 20) + "\n",
		`3:41: more than 8 levels of nesting`,
	},
	{
		"nesting of arrays", head + "limits = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		`3:1: limits: it must be a table, not a list; write [limits]`,
	},
	{
		"live of every method", head + "[[route]]\npattern = \"/a\"\nlive = true\n",
		`5:1: route[0].live: it is for GET alone; write the pattern as "GET /path"`,
	},
	{
		"live POST", head + "[[route]]\nlive = true\npattern = \"POST /a\"\n",
		`4:1: route[0].live: it is for GET alone; write the pattern as "GET /path"`,
	},
	{
		"live and private", head + "[[route]]\npattern = \"GET /a\"\nlive = true\nprivate = true\n",
		`5:1: route[0].live: a private route has no clients that could ask for it`,
	},
	{
		"live and stateful", head + "isolation = \"instance\"\n[[route]]\npattern = \"GET /a\"\nlive = true\n",
		`6:1: route[0].live: with isolation = "instance" an answer may rest on the memory of an instance, and nothing tells when that changes`,
	},
	{
		"live is no boolean", head + "[[route]]\npattern = \"GET /a\"\nlive = \"yes\"\n",
		`5:1: route[0].live: it must be true or false, not the string "yes"; write live = true`,
	},
	{
		"cache of every method", head + "[[route]]\npattern = \"/a\"\ncache = \"1h\"\n",
		`5:1: route[0].cache: it is for GET alone; write the pattern as "GET /path"`,
	},
	{
		"cache POST", head + "[[route]]\ncache = \"1h\"\npattern = \"POST /a\"\n",
		`4:1: route[0].cache: it is for GET alone; write the pattern as "GET /path"`,
	},
	{
		"cache and live", head + "[[route]]\npattern = \"GET /a\"\nlive = true\ncache = \"1h\"\n",
		`6:1: route[0].cache: live answers are shared already; leave one of both out`,
	},
	{
		"cache and private", head + "[[route]]\npattern = \"GET /a\"\ncache = \"1h\"\nprivate = true\n",
		`5:1: route[0].cache: a private route has no clients that could ask for it`,
	},
	{
		"cache and stateful", head + "isolation = \"instance\"\n[[route]]\npattern = \"GET /a\"\ncache = \"1h\"\n",
		`6:1: route[0].cache: with isolation = "instance" an answer may rest on the memory of an instance, and nothing tells when that changes`,
	},
	{
		"stale_while_revalidate of nothing", head + "[[route]]\npattern = \"GET /a\"\nstale_while_revalidate = \"1h\"\n",
		`5:1: route[0].stale_while_revalidate: it is for routes with cache, which says how long answers are kept`,
	},
	{
		"stale for a year", head + "[[route]]\npattern = \"GET /a\"\ncache = \"1h\"\nstale_while_revalidate = \"8760h\"\n",
		`6:1: route[0].stale_while_revalidate: 8760h0m0s is above the maximum of 168h0m0s`,
	},
	{
		"cache for a year", head + "[[route]]\npattern = \"GET /a\"\ncache = \"8760h\"\n",
		`5:1: route[0].cache: 8760h0m0s is above the maximum of 168h0m0s`,
	},
	{
		"cache without a duration", head + "[[route]]\npattern = \"GET /a\"\ncache = \"long\"\n",
		`5:1: route[0].cache: "long" is not a duration; write e.g. "500ms", "5s" or "1m30s"`,
	},
	{
		"cache ignores what it never minds", head + "[[route]]\npattern = \"GET /a\"\ncache = \"1h\"\ncache_ignores = [\"writes\"]\n",
		`6:1: route[0].cache_ignores[0]: it must be "calls", "clock" or "random"`,
	},
	{
		"nothing that ignores", head + "[[route]]\npattern = \"GET /a\"\ncache_ignores = [\"clock\"]\n",
		`5:1: route[0].cache_ignores: it is for routes with cache, which says how long answers are kept`,
	},
	{
		"long key", head + "[" + strings.Repeat("k", 65) + "]\n" + strings.Repeat("a.b = 1\n", 10),
		`3:2: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk..." is longer than 64 bytes`,
	},
}

func TestParseRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse([]byte(c.text), "f.toml", sections)
			if fault.CodeOf(err) != fault.Invalid || m != nil {
				t.Fatalf("Parse = %v, %v; want Invalid", m, err)
			}
			var want []string
			for line := range strings.SplitSeq(c.want, "\n") {
				want = append(want, "f.toml:"+strings.TrimPrefix(line, ":"))
			}
			if diff := cmp.Diff(strings.Join(want, "\n"), fault.MessageOf(err)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseRefusesReservedKeys: what a later version will do is not ignored, and
// not called unknown.
func TestParseRefusesReservedKeys(t *testing.T) {
	const says = "it is reserved for a later version; this host cannot do it yet, so leave it out"
	for _, c := range []struct{ key, text, at string }{
		{"static", "[static]\ndir = \"public\"\n", "3:2"},
		{"auth", "[auth.jwt]\n", "3:2"},
		{"route[0].auth", "[[route]]\npattern = \"/\"\nauth = \"jwt\"\n", "5:1"},
		{"route[0].rate", "[[route]]\nrate = \"100/m\"\npattern = \"/\"\n", "4:1"},
		{"route[0].rate_key", "[[route]]\npattern = \"/\"\nrate_key = \"ip\"\n", "5:1"},
		{"route[1].stream", "[[route]]\npattern = \"/a\"\n[[route]]\npattern = \"/\"\nstream = true\n", "7:1"},
	} {
		t.Run(c.key, func(t *testing.T) {
			_, err := Parse([]byte(head+c.text), "f.toml", sections)
			if want := "f.toml:" + c.at + ": " + c.key + ": " + says; fault.CodeOf(err) != fault.Invalid || fault.MessageOf(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestParseListsTenProblems(t *testing.T) {
	var text strings.Builder
	text.WriteString(head)
	for range 250 {
		text.WriteString("[[route]]\npattern = 1\n")
	}
	_, err := Parse([]byte(text.String()), "f.toml", sections)
	lines := strings.Split(fault.MessageOf(err), "\n")
	if len(lines) != 11 || lines[10] != "and more" {
		t.Errorf("got %d lines, the last %q; want 10 and a word of the rest", len(lines), lines[len(lines)-1])
	}
}

func TestParseBoundsLists(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"routes", head + strings.Repeat("[[route]]\npattern = \"/\"\n", MaxRoutes+1), "1001 routes are above the maximum of 1000"},
		{"vars", head + "[config]\n" + vars(MaxVars+1), "257 entries are above the maximum of 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), "f.toml", sections)
			if fault.CodeOf(err) != fault.Invalid || !strings.HasSuffix(fault.MessageOf(err), c.want) {
				t.Errorf("Parse: %v; want %q", err, c.want)
			}
		})
	}
}

func vars(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("v" + strings.Repeat("x", i%60) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + " = {}\n")
	}
	return b.String()
}
