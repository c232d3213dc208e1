package jsontext_test

import "strings"

// texts are texts that are JSON and texts that nearly are, after the kinds of
// "Parsing JSON is a Minefield" (Nicolas Seriot).
var texts = append([]string{
	short, whole,
	// Structure.
	``, ` `, `null`, `true`, `false`, `[]`, `{}`, `[ ]`, "{\t}", ` [1 , 2] `, "\n{\"a\"\r:\t1 }\n",
	`[`, `]`, `{`, `}`, `[[]`, `[]]`, `{}}`, `[}`, `{]`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1,,2]`, `[,]`, `[1 2]`, `[1:2]`, `[1;2]`,
	`{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a"::1}`, `{"a":1 "b":2}`, `{"a":1,,"b":2}`,
	`{a:1}`, `{1:1}`, `{null:1}`, `{'a':1}`, `{"a":1}{}`, `{} {}`, `[] null`, `1 2`, `{}/**/`, `{}//`, `{}#`, `/**/{}`, `{"a":/*x*/1}`,
	"\ufeff{}", "\xff\xfe{", "[\u00a0]", "[\u2028]", "[\v]", "[\f]", "\x00", "[\x00]", "1\x00", "{}\x00", `<null>`, `[<1>]`, `{"":0}`, `{"":{"":[]}}`,
	`{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `{"a":[1],"a":[2,3]}`, `{"\u0061":1,"a":2}`, `{"id":1,"id":2}`, `{"tags":["a"],"tags":["b"]}`,
	// Words.
	`nul`, `nulll`, `Null`, `NULL`, `tru`, `truE`, `True`, `fals`, `falsey`, `nan`, `NaN`, `Infinity`, `-Infinity`, `undefined`, `[nul]`, `[tru`, `[true`, `n`, `t`, `f`,
	// Numbers.
	`0`, `-0`, `0.0`, `-0.0`, `1`, `-1`, `10`, `01`, `00`, `-01`, `-00`, `+1`, `++1`, `--1`, `-`, `- 1`, `-a`, `.1`, `-.1`, `1.`, `1.e1`, `0.e1`, `1.5`, `1.5.5`,
	`1e`, `1e+`, `1e-`, `1E+2`, `1e-2`, `1e05`, `1e5.5`, `1e+-5`, `1eE2`, `1ee2`, `0e1`, `0e+1`, `1e400`, `-1e400`, `1e-400`, `1e9999999999`, `0x1`, `0b1`, `1_000`, `1,000`,
	`1a`, `1-`, `1+1`, `1/2`, `[1e]`, `[-]`, `[01]`, `１`, `9007199254740993`, `999999999999999`, `1000000000000000`, `9223372036854775807`, `9223372036854775808`,
	`-9223372036854775808`, `-9223372036854775809`, `18446744073709551615`, `18446744073709551616`, `0.1`, `123456789.123456789`, `1e22`, `1e23`, `5e-324`, `2e-324`, `1.7976931348623157e308`,
	`1.7976931348623159e308`, `0.30000000000000004`, `100000000000000000000000`, `1e1`, `1.0`,
	// Strings.
	`""`, `"`, `"a`, `"a"b"`, `"\"`, `"\`, `"\\"`, `"\/"`, `"\b\f\n\r\t"`, `"\a"`, `"\x41"`, `"\'"`, `"\0"`, `"\u"`, `"\u0"`, `"\u00"`, `"\u004"`, `"\u0041"`, `"\u004G"`, `"\uD83D\uDE00"`,
	`"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ud83d\n"`, `"\ud83d\u12"`, `"\uDE00\uD83D"`, `"\u0000"`, `"\u2028"`, `"\U0041"`, `"\u 041"`, `"\u+041"`,
	"\"\n\"", "\"\t\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"é😀\u2028\u2029\"", "\"\xff\"", "\"\xc3\"", "\"\xc3\\n\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc0\x80\"", "\"a\xe2\x80\"",
	"{\"\xff\":1}", `{"\ud800":1}`, `'a'`, "`a`", `"<script>&amp;"`, `{"<":"\u003c&"}`, `"a" "b"`, `["a" "b"]`, `["\u0022"]`, `"\\u0041"`, "\"\xe2\x80\xa8\"", "\"\xe2\x80\"",
	// Shapes.
	`{"id":1.0}`, `{"id":1e2}`, `{"id":"1"}`, `{"id":null}`, `{"id":-0}`, `{"id":9223372036854775808}`, `{"serial":-0}`, `{"serial":-1}`, `{"serial":0}`, `{"serial":18446744073709551616}`,
	`{"id":true}`, `{"id":[]}`, `{"id":{}}`, `{"name":1}`, `{"name":null}`, `{"name":"\ud800"}`, `{"price":"1"}`, `{"price":1e999}`, `{"price":-0.0}`, `{"price":-0}`, `{"price":null}`, `{"paid":1}`, `{"paid":"true"}`,
	`{"paid":null}`, `{"due":"2026-02-30T00:00:00Z"}`, `{"due":""}`, `{"due":null}`, `{"due":1}`, `{"due":"2026-11-29T05:00:00+01:00"}`, `{"due":"\u0032026-11-29T05:00:00Z"}`, `{"tags":null}`, `{"tags":[null]}`, `{"tags":[1]}`, `{"tags":{}}`,
	`{"tags":["a","b"],"tags":[]}`, `{"buyer":{}}`, `{"buyer":[]}`, `{"buyer":{"name":"a","age":"b"}}`, `{"buyer":{"street":1}}`, `{"lines":[{},{"item":"a"}]}`, `{"lines":[[]]}`, `{"lines":[null]}`,
	`{"unknown":1}`, `{"unknown":[1,{"a":2}],"id":1}`, `{"unknown":}`, `{"note":"a","note":null}`, `{"note":1}`, `{"id":"1","name":}`, `{"id":1,"price":2,"paid":true}`, `[{"id":1}]`,
}, large...)

// large are texts that cost a reader much if it lets them.
var large = []string{
	nested("[", "]", 10_000), nested("[", "]", 10_001), nested(`{"a":`, "}", 9_999), nested(`{"a":`, "}", 10_001),
	strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), strings.Repeat(`[{"a":`, 20_000), strings.Repeat("[[],", 20_000),
	strings.Repeat("9", 100_000), "0." + strings.Repeat("9", 100_000), "1e" + strings.Repeat("9", 1000), "-" + strings.Repeat("0", 1000),
	`"` + strings.Repeat("x", 1<<20) + `"`, `"` + strings.Repeat("\\u00e9", 100_000) + `"`, `"` + strings.Repeat("\xff", 100_000), `{"` + strings.Repeat("n", 100_000) + `":1}`,
	`{"name":"` + strings.Repeat("é", 100_000) + `"}`, strings.Repeat(" ", 100_000) + "1", `{"id":` + strings.Repeat("1", 100_000) + "}",
}

// nested returns a text whose arrays or objects are so deep.
func nested(begin, end string, depth int) string {
	inner := ""
	if begin != "[" {
		inner = "{}"
		depth--
	}
	return strings.Repeat(begin, depth) + inner + strings.Repeat(end, depth)
}
