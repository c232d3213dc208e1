package field

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "x": true, "X-Api_Key.1": true, "!#$%&'*+-.^_`|~": true, "a b": false, "a:": false, "a\t": false, "a\r\nb": false,
		"a\x00": false, "a\x7f": false, "ä": false, "(a)": false, "a/b": false, "[a]": false, "\"a\"": false,
	} {
		if IsToken(s) != want || IsToken([]byte(s)) != want {
			t.Errorf("%q: %v as text, %v as bytes, want %v", s, IsToken(s), IsToken([]byte(s)), want)
		}
	}
}

func TestIsValue(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a b\tc": true, "größe": true, "\xff": true, "a\nb": false, "a\rb": false, "\x00": false, "\x1f": false, "\x7f": false,
	} {
		if IsValue(s) != want || IsValue([]byte(s)) != want {
			t.Errorf("%q: %v as text, %v as bytes, want %v", s, IsValue(s), IsValue([]byte(s)), want)
		}
	}
}

func TestIsHopByHop(t *testing.T) {
	for name, want := range map[string]bool{
		"connection": true, "Keep-Alive": true, "TE": true, "upgrade": true, "Content-Length": true,
		"Transfer-Encoding": true, "content-type": false, "t": false, "": false, "etag": false,
	} {
		if got := IsHopByHop(name); got != want {
			t.Errorf("IsHopByHop(%q): got %v, want %v", name, got, want)
		}
	}
}

func TestSingle(t *testing.T) {
	header := []abi.Pair{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "c", Value: "2"}, {Name: "b", Value: "3"}, {Name: "a-b", Value: "4"}}
	for name, want := range map[string]string{"a": "1", "b": "", "c": "2", "d": "", "A": ""} {
		if got := Single(header, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestFramingOf(t *testing.T) {
	for f, want := range map[abi.Pair]Framing{
		{Name: "x", Value: "y"}: End, {Name: "Content-Type", Value: "chunked"}: End, {Name: "host", Value: "a"}: End,
		{Name: "Content-Length", Value: "no number"}: Length,
		{Name: "connection", Value: "close"}:         Harmless, {Name: "Keep-Alive", Value: "timeout=5"}: Harmless, {Name: "TE", Value: "trailers"}: Harmless,
		{Name: "trailer", Value: "x"}: Harmless, {Name: "proxy-connection", Value: "keep-alive"}: Harmless,
		{Name: "transfer-encoding", Value: "chunked"}: Harmless, {Name: "Transfer-Encoding", Value: " CHUNKED , "}: Harmless, {Name: "transfer-encoding", Value: ""}: Harmless,
		{Name: "transfer-encoding", Value: "gzip, chunked"}: Refused, {Name: "transfer-encoding", Value: "chunked;q=1"}: Refused, {Name: "transfer-encoding", Value: "identity, x"}: Refused, {Name: "transfer-encoding", Value: "identity"}: Harmless,
		{Name: "upgrade", Value: "h2c"}: Harmless, {Name: "Upgrade", Value: "h2,h2c"}: Harmless, {Name: "upgrade", Value: "websocket"}: Refused, {Name: "upgrade", Value: "h2c, websocket"}: Refused,
		{Name: "proxy-authenticate", Value: "Basic"}: Refused, {Name: "Proxy-Authorization", Value: "Basic eA=="}: Refused,
	} {
		if got := FramingOf(f.Name, f.Value); got != want {
			t.Errorf("%s: %s: got %v, want %v", f.Name, f.Value, got, want)
		}
	}
}

func TestIsLength(t *testing.T) {
	for value, want := range map[string]bool{
		"4": true, "04": true, "4, 4": true, " 4\t,4 ": true, "": false, "5": false, "4,5": false, "4,": false, "+4": false, "4 4": false, "0x4": false, "18446744073709551620": false,
	} {
		if got := IsLength(value, 4); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// TestEscapeLocation: the first of each pair is what browsers make of the second,
// but for the last three lines, where they leave a character that net/url does not take.
func TestEscapeLocation(t *testing.T) {
	for value, want := range map[string]string{
		"/a": "/a", "": "", "/a?b=c&d": "/a?b=c&d", "https://h:1/p%20q?%zz#x": "https://h:1/p%20q?%25zz",
		" /a\t/b ": "/a/b", "/a b?c d": "/a%20b?c%20d", "b c": "b%20c", "?a b": "?a%20b",
		"/größe?ü": "/gr%C3%B6%C3%9Fe?%C3%BC", "/\xff": "/%FF", "/a\x01\x7f": "/a%01%7F",
		`\a\b?c`: "/a/b?c", `http:\\h\a`: "http://h/a", `\\h\a`: "//h/a", `/\h`: "//h",
		"/\"<>`^{}": "/%22%3C%3E%60%5E%7B%7D", "/?\"<>'`{}": "/?%22%3C%3E%27`{}", "/[a]!$&'()*+,;=:@~": "/[a]!$&'()*+,;=:@~",
		"//a b/c d": "//a b/c%20d", "http://a b": "http://a b", "a:b c": "a:b%20c", "/x://a b": "/x://a%20b", "/100%": "/100%25",
		"/a|b": "/a%7Cb", "/%": "/%25", `/?\`: "/?%5C",
	} {
		if got := EscapeLocation(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func TestNominated(t *testing.T) {
	for options, want := range map[string]bool{"": false, "x": true, "close, X": true, "xy": false, "\tx ,": true} {
		if got := nominated(options, "x"); got != want {
			t.Errorf("%q: got %v, want %v", options, got, want)
		}
	}
}

func TestFrameResponse(t *testing.T) {
	pair := func(name, value string) abi.Pair { return abi.Pair{Name: name, Value: value} }
	type want struct {
		kept    string
		size    int64
		refused string
	}
	for name, tc := range map[string]struct {
		header []abi.Pair
		want   want
	}{
		"none":          {nil, want{"", -1, ""}},
		"the message's": {[]abi.Pair{pair("b", "1"), pair("a", "2"), pair("b", "3")}, want{"b=1 a=2 b=3 ", -1, ""}},
		"an upstream's": {[]abi.Pair{
			pair("Connection", "keep-alive, X-Hop"), pair("x-hop", "1"), pair("Keep-Alive", "timeout=5"), pair("Transfer-Encoding", "chunked"), pair("Content-Length", "5"),
			pair("etag", "x"), pair("Trailer", "digest"), pair("TE", "trailers"), pair("Proxy-Connection", "close"), pair("Proxy-Authenticate", "Basic"), pair("Upgrade", "websocket"),
		}, want{"etag=x ", 5, ""}},
		"named after it":     {[]abi.Pair{pair("x-hop", "1"), pair("a", "b"), pair("connection", "x-hop")}, want{"a=b ", -1, ""}},
		"identity":           {[]abi.Pair{pair("transfer-encoding", "identity")}, want{"", -1, ""}},
		"length twice":       {[]abi.Pair{pair("content-length", "5, 5"), pair("Content-Length", "05")}, want{"", 5, ""}},
		"two lengths":        {[]abi.Pair{pair("content-length", "5"), pair("Content-Length", "6")}, want{"", 0, "Content-Length=6 "}},
		"list of lengths":    {[]abi.Pair{pair("content-length", "5, 6")}, want{"", 0, "content-length=5, 6 "}},
		"no length":          {[]abi.Pair{pair("content-length", "")}, want{"", 0, "content-length= "}},
		"length with a sign": {[]abi.Pair{pair("content-length", "+5")}, want{"", 0, "content-length=+5 "}},
		"coding":             {[]abi.Pair{pair("transfer-encoding", "gzip, chunked")}, want{"", 0, "transfer-encoding=gzip, chunked "}},
	} {
		text := func(list []abi.Pair) (s string) {
			for _, h := range list {
				s += h.Name + "=" + h.Value + " "
			}
			return s
		}
		kept, size, refused := FrameResponse(tc.header)
		got := want{kept: text(kept), size: size}
		if refused != nil {
			got.refused = text([]abi.Pair{*refused})
		}
		if got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}
