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
