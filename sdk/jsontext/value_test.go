package jsontext_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

func TestValue(t *testing.T) {
	const v jsontext.Value = ` { "a" : {"b":[1,"x",null,{"c":true}]}, "n":-1.5, "s":"\u00e9", "s":"last", "big":9007199254740993 }`
	if got := v.Get("s").String(); got != "last" {
		t.Errorf("s is %q, want the last of that name", got)
	}
	if got := v.Get("big").Int(); got != 9007199254740993 {
		t.Errorf("big is %d", got)
	}
	if got := v.Get("n").Float64(); got != -1.5 {
		t.Errorf("n is %v", got)
	}
	var names []string
	for name := range v.Object() {
		names = append(names, name)
	}
	if want := []string{"a", "n", "s", "s", "big"}; !slices.Equal(names, want) {
		t.Errorf("names are %q, want %q", names, want)
	}
	var list []jsontext.Value
	for i, element := range v.Get("a", "b").Array() {
		if i != len(list) {
			t.Errorf("element %d has index %d", len(list), i)
		}
		list = append(list, element)
	}
	if want := []jsontext.Value{"1", `"x"`, "null", `{"c":true}`}; !slices.Equal(list, want) {
		t.Errorf("elements are %q, want %q", list, want)
	}
}

// TestValueOfAnotherKind asks values for what they are not, also such as are no
// JSON.
func TestValueOfAnotherKind(t *testing.T) {
	for _, v := range []jsontext.Value{"", "null", "-", `{"a":`, "[1", `[1,x]`, `{"b":1 2}`, "\x00"} {
		if v.String() != "" || v.Int() != 0 || v.Float64() != 0 || v.Bool() || v.Get("a") != "" || v.Get() != v || v.Get("b", "c") != "" {
			t.Errorf("%q is something", v)
		}
		for name, member := range v.Object() {
			if name != "b" || member != "1" {
				t.Errorf("%q has a member %q: %q", v, name, member)
			}
		}
		for i, element := range v.Array() {
			if i != 0 || element != "1" {
				t.Errorf("%q has an element %d: %q", v, i, element)
			}
		}
	}
}

// readFunc reads by a function.
type readFunc func(r *jsontext.Reader)

func (f readFunc) ReadJSON(r *jsontext.Reader) { f(r) }

// TestLoopsThatEndEarly leaves loops by break, and has what follows read all the
// same.
func TestLoopsThatEndEarly(t *testing.T) {
	for _, unread := range []bool{false, true} {
		var after int
		err := jsontext.Unmarshal(`{"a":[1,[2],{"x":[3]}],"b":{"c":1,"d":[{}]},"e":4}`, readFunc(func(r *jsontext.Reader) {
			for name := range r.Object() {
				switch name {
				case "a":
					for range r.Array() {
						if !unread {
							r.Skip()
						}
						break
					}
				case "b":
					for range r.Object() {
						if !unread {
							r.Skip()
						}
						break
					}
				case "e":
					after = r.Int()
				}
			}
		}))
		if err != nil || after != 4 {
			t.Errorf("unread %v: got %d, %v", unread, after, err)
		}
	}
	err := jsontext.Unmarshal(`{"a":[1,}`, readFunc(func(r *jsontext.Reader) {
		for range r.Object() {
			return
		}
	}))
	if err == nil {
		t.Error("what is not JSON passes after a loop that ended early")
	}
}

func TestRefuse(t *testing.T) {
	refusing := readFunc(func(r *jsontext.Reader) {
		for range r.Object() {
			for i := range r.Array() {
				if r.Int() > 1 {
					r.Refuse("must be at most 1")
					return
				}
				if i > 1 {
					t.Error("goes on after an error")
				}
			}
		}
	})
	for text, want := range map[string]string{
		`{"list":[0,2,3]}`:    `jsontext: "list.1" must be at most 1`,
		`{"list":[0,2,3] x`:   `jsontext: "list.1" must be at most 1`, // the first error counts
		`{"list":[0,"a",3]}`:  `jsontext: "list.1" must not be a JSON string at byte 12`,
		`{"list":[0,1`:        `jsontext: the text is not whole JSON: it ends at byte 12`,
		`{"list":[0,1]} null`: `jsontext: the text has more than one JSON value`,
	} {
		if err := jsontext.Unmarshal(text, refusing); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestErrorsAreShort has a client send what an error names.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	number := strings.Repeat("9", 100_000)
	for _, text := range []string{`{"` + long + `":1}`, `{"id":` + number + "}", `{"serial":` + number + "}", `{"price":` + number + "}", `{"name":` + number + "}"} {
		if err := jsontext.Unmarshal(text, new(order)); err == nil || len(err.Error()) > 300 {
			t.Errorf("%.20s: got %.400v", text, err)
		}
	}
}

func TestUnmarshalCopiesBytes(t *testing.T) {
	text := []byte(short)
	var o order
	if err := jsontext.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	clear(text)
	if o.Name != "a name of some length" || o.Tags[1] != "large" {
		t.Errorf("what was read changes with the bytes: %+v", o)
	}
}
