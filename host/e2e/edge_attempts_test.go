//go:build edge

package e2e

import (
	"fmt"
	"strings"
)

// attempt is what two programs may read as different requests. NAME in it stands
// for the name of the attempt.
type attempt struct{ name, request string }

// edgeAttempts are the known families: two lengths of a body, two framings of it,
// spellings of a framing, ends of lines, chunks, targets. The kinds and their
// spellings are those of the published work on request smuggling.
func edgeAttempts() []attempt {
	const inside = "GET /smuggled/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME-inside\r\n\r\n"
	last := "0\r\n\r\n"
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	post := func(fields, body string) string {
		return "POST /echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n" + fields + "\r\n" + body
	}
	// Both numbers depend on the name that is filled in later; as hidden requests
	// they may be cut anywhere, so these only need to be wrong for one reader.
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	const chunked = "Transfer-Encoding: chunked\r\n"
	attempts := []attempt{
		{"none", post(length(4), "body")},
		{"none, chunked", post(chunked, chunk("body")+last)},
		{"pipelined", post(length(4), "body") + inside},

		{"CL.TE", post(length(5)+chunked, last+inside)},
		{"CL.TE, length of all", post(length(len(last+inside))+chunked, last+inside)},
		{"CL.TE, zero", post(length(0)+chunked, last+inside)},
		{"TE.CL", post(chunked+length(4), chunk(inside)+last)},
		{"TE.CL, zero", post(chunked+length(0), chunk(inside)+last)},
		{"TE.CL, over the end", post(chunked+length(1000), chunk("x")+last)},

		{"two lengths, first short", post(length(0)+length(len(inside)), inside)},
		{"two lengths, first long", post(length(len(inside))+length(0), inside)},
		{"two equal lengths", post(length(0)+length(0), inside)},
		{"list of lengths", post("Content-Length: 0, 60\r\n", inside)},
		{"length with a sign", post("Content-Length: +0\r\n", inside)},
		{"negative length", post("Content-Length: -1\r\n", inside)},
		{"hexadecimal length", post("Content-Length: 0x10\r\n", inside)},
		{"length with a space inside", post("Content-Length: 0 60\r\n", inside)},
		{"length with an underscore", post("Content_Length: 60\r\n", inside)},
		{"length of 2^64", post("Content-Length: 18446744073709551616\r\n", inside)},
		{"GET with a body", "GET /echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n" + length(len(inside)) + "\r\n" + inside},
		{"GET with chunks", "GET /echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n" + chunked + "\r\n" + last + inside},
		{"HTTP/1.0 with chunks", "POST /echo/ HTTP/1.0\r\nHost: x\r\nX-Request-Id: NAME\r\n" + chunked + "\r\n" + last + inside},
		{"HTTP/1.0 kept alive", "POST /echo/ HTTP/1.0\r\nHost: x\r\nX-Request-Id: NAME\r\nConnection: keep-alive\r\n" + length(0) + "\r\n" + inside},
		{"length named in Connection", post("Connection: Content-Length\r\n"+length(len(inside)), inside)},
		{"framing named in Connection", post("Connection: close, Transfer-Encoding\r\n"+chunked, last+inside)},
		{"expectation", post("Expect: 100-continue\r\n"+length(4), "body"+inside)},
		{"upgrade", post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"+length(0), inside)},

		{"folded field", post("X: y\r\n Content-Length: 60\r\n", inside)},
		{"folded framing", post("Transfer-Encoding:\r\n chunked\r\n"+length(len(last+inside)), last+inside)},
		{"folded first field", "POST /echo/ HTTP/1.1\r\n Host: x\r\nHost: x\r\nX-Request-Id: NAME\r\n\r\n" + inside},
		{"bare LF behind a field", post("X: y\nContent-Length: 60\r\n", inside)},
		{"bare LF everywhere", "POST /echo/ HTTP/1.1\nHost: x\nX-Request-Id: NAME\nContent-Length: 0\n\n" + inside},
		{"bare LF before the body", "POST /echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n" + length(len(inside)) + "\n" + inside},
		{"bare CR in a field", post("X: y\rContent-Length: 60\r\n", inside)},
		{"NUL in a field", post("X: y\x00\r\n"+length(0), inside)},
		{"empty line before the request", "\r\n" + post(length(0), inside)},

		{"absolute form", "GET http://x/echo/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n\r\n" + inside},
		{"absolute form, other host", "GET http://y/smuggled/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n\r\n"},
		{"target with a request inside", "GET /echo/%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/smuggled/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n\r\n"},
		{"space in the target", "GET /echo/ /smuggled/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: NAME\r\n\r\n" + inside},
		{"two Hosts", "GET /echo/ HTTP/1.1\r\nHost: x\r\nHost: y\r\nX-Request-Id: NAME\r\n\r\n" + inside},

		{"chunk extension", post(chunked, "4;a=b\r\nbody\r\n"+last+inside)},
		{"chunk extension with a quoted end", post(chunked, "4;a=\"\r\n0\r\n\r\n\"\r\nbody\r\n"+last+inside)},
		{"chunk extension with a bare LF", post(chunked, "4;a\nbody\r\n"+last+inside)},
		{"chunk extension with a bare CR", post(chunked, "4;a\rb\r\nbody\r\n"+last+inside)},
		{"chunk extension with an escaped quote", post(chunked, "4;a=\"\\\"\r\n0\r\n\r\n"+inside+"\"\r\nbody\r\n"+last+inside)},
		{"chunk extension of 20 KB", post(chunked, "4;a="+strings.Repeat("b", 20_000)+"\r\nbody\r\n"+last+inside)},
		{"white space after a chunk size", post(chunked, "4 \r\nbody\r\n"+last+inside)},
		{"chunk size with a prefix", post(chunked, "0x4\r\nbody\r\n"+last+inside)},
		{"chunk size of 2^64", post(chunked, "10000000000000004\r\nbody\r\n"+last+inside)},
		{"chunk size with an underscore", post(chunked, "0_4\r\nbody\r\n"+last+inside)},
		{"negative chunk size", post(chunked, "-4\r\nbody\r\n"+last+inside)},
		{"chunk longer than its size", post(chunked, "2\r\nbody\r\n"+last+inside)},
		{"chunks end with a bare LF", post(chunked, "4\nbody\n0\n\n"+inside)},
		{"trailer that frames", post(chunked, "0\r\nContent-Length: 60\r\n\r\n"+inside)},
		{"trailer with a bare LF", post(chunked, "0\r\nA: b\nContent-Length: 60\r\n\r\n"+inside)},
		{"trailer folded over the end", post(chunked, "0\r\nA: b\r\n \r\n\r\n"+inside)},
		{"trailer that is a request", post(chunked, "0\r\n"+inside)},
	}
	for _, spelling := range []struct{ name, field string }{
		{"space before the colon", "Transfer-Encoding : chunked\r\n"},
		{"tab behind the colon", "Transfer-Encoding:\tchunked\r\n"},
		{"vertical tab", "Transfer-Encoding: \x0bchunked\r\n"},
		{"no space", "Transfer-Encoding:chunked\r\n"},
		{"capitals", "TRANSFER-ENCODING: CHUNKED\r\n"},
		{"unknown coding", "Transfer-Encoding: xchunked\r\n"},
		{"identity", "Transfer-Encoding: identity\r\n"},
		{"chunked, identity", "Transfer-Encoding: chunked, identity\r\n"},
		{"two fields", chunked + "Transfer-Encoding: identity\r\n"},
		{"two fields, first unknown", "Transfer-Encoding: x\r\n" + chunked},
		{"quoted", "Transfer-Encoding: \"chunked\"\r\n"},
		{"comma first", "Transfer-Encoding: ,chunked\r\n"},
		{"underscore", "Transfer_Encoding: chunked\r\n"},
		{"behind a bare LF", "X: y\nTransfer-Encoding: chunked\r\n"},
		{"NUL behind", "Transfer-Encoding: chunked\x00\r\n"},
		{"parameter", "Transfer-Encoding: chunked;x=y\r\n"},
		{"content coding", "Content-Encoding: chunked\r\n"},
	} {
		attempts = append(attempts,
			attempt{"TE.TE, " + spelling.name, post(spelling.field+length(len(last+inside)), last+inside)},
			attempt{"TE.TE alone, " + spelling.name, post(spelling.field, last+inside)})
	}
	return attempts
}
