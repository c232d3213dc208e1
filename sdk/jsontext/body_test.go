package jsontext_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func echo(w *sdk.Response, r *sdk.Request) error {
	var o order
	if err := jsontext.Read(r, 1000, &o); err != nil {
		return err
	}
	return jsontext.Write(w, 201, &o)
}

// echoReflect does the same with package json.
func echoReflect(w *sdk.Response, r *sdk.Request) error {
	var o order
	if err := json.Read(r, 1000, &o); err != nil {
		return err
	}
	if o.Tags == nil {
		o.Tags = []string{}
	}
	if o.Lines == nil {
		o.Lines = []line{}
	}
	return json.Write(w, 201, o)
}

// TestReadAnswersAsPackageJSON has both packages answer the same to the same
// requests. They differ in the byte of a wrong kind: jsontext names the start of the
// value, the other the place where it was found out. Of an unknown field in another value, and of an element,
// only jsontext names the path.
func TestReadAnswersAsPackageJSON(t *testing.T) {
	own, like := sdktest.New(echo), sdktest.New(echoReflect)
	for _, c := range []struct{ contentType, body string }{
		{"application/json", short},
		{"application/json; charset=utf-8", " {}\n "},
		{"application/merge-patch+json", "{}"},
		{"text/plain", "{}"},
		{"", "{}"},
		{"application/json", ""},
		{"application/json", " "},
		{"application/json", `{"name":`},
		{"application/json", `{"name":"` + strings.Repeat("a", 1000) + `"}`},
		{"application/json", `{name}`},
		{"application/json", `{"a'":'1'}`},
		{"application/json", "{\"name\":\"a\nb\"}"},
		{"application/json", `{"name":"\x"}`},
		{"application/json", `{"name":"\u12G4"}`},
		{"application/json", `{"id":01}`},
		{"application/json", `{"id":-}`},
		{"application/json", `{"price":1.}`},
		{"application/json", `{"price":1e}`},
		{"application/json", `{"paid":trux}`},
		{"application/json", `{"tags":["a",]}`},
		{"application/json", `{"tags":["a" "b"]}`},
		{"application/json", `{"id":1,}`},
		{"application/json", `{"id" 1}`},
		{"application/json", "{\"id\":\xff}"},
		{"application/json", `{"nam":1}`},
		{"application/json", `{ "id":1, "nam" : [1] }`},
		{"application/json", `{"nam":tru}`},
		{"application/json", `{"name":1}`},
		{"application/json", `{"id":1.5}`},
		{"application/json", `{"id":9223372036854775808}`},
		{"application/json", `{"price":1e400}`},
		{"application/json", `{"buyer":{"age":"x"}}`},
		{"application/json", `{"paid":{}}`},
		{"application/json", `[]`},
		{"application/json", `"a"`},
		{"application/json", `{}{}`},
		{"application/json", `{}}`},
	} {
		got, want := own.Send("POST", "/", c.contentType, c.body), like.Send("POST", "/", c.contentType, c.body)
		if got.Status != want.Status || withoutByte(got.Text()) != withoutByte(want.Text()) {
			t.Errorf("%.50q: got  %v\nwant %v", c.body, got, want)
		}
	}
}

// withoutByte cuts the byte off a problem with a value's kind.
func withoutByte(problem string) string {
	if !strings.Contains(problem, "must not be a JSON") {
		return problem
	}
	cut, _, _ := strings.Cut(problem, " at byte ")
	return cut
}

func TestReadNamesTheValue(t *testing.T) {
	for body, says := range map[string]string{
		`{"name":1}`:                     `\"name\" must not be a JSON number at byte 9`,
		`{"tags":["a",2]}`:               `\"tags.1\" must not be a JSON number at byte 14`,
		`{"lines":[{},{"count":[]}]}`:    `\"lines.1.count\" must not be a JSON array at byte 23`,
		`{"lines":[{"counts":1}]}`:       `an unknown field \"lines.0.counts\" at byte 12`,
		`{"due":"yesterday"}`:            `\"due\" does not have the form that is asked for`,
		`{"buyer":{"name":"a"},"x\"":1}`: `an unknown field \"x\"\" at byte 23`,
	} {
		res := sdktest.New(echo).Send("POST", "/", "application/json", body)
		if res.Status != 400 || !strings.Contains(res.Text(), says) {
			t.Errorf("%s: got %v, want %s", body, res, says)
		}
	}
}

// writeFunc writes by a function.
type writeFunc func(w *jsontext.Writer)

func (f writeFunc) WriteJSON(w *jsontext.Writer) { f(w) }

func TestWriteRefusesWhatIsNotJSON(t *testing.T) {
	for name, v := range map[string]jsontext.Writable{
		"NaN":             float(math.NaN()),
		"infinity":        float(math.Inf(-1)),
		"a broken Value":  jsontext.Value(`{"a":}`),
		"an absent Value": jsontext.Value(""),
		"a year of 5":     writeFunc(func(w *jsontext.Writer) { w.Text(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)) }),
		"no value":        writeFunc(func(*jsontext.Writer) {}),
		"two values":      writeFunc(func(w *jsontext.Writer) { w.Null(); w.Null() }),
		"an open object":  writeFunc(func(w *jsontext.Writer) { w.BeginObject() }),
		"an open array":   writeFunc(func(w *jsontext.Writer) { w.BeginArray(); w.BeginArray(); w.EndArray() }),
		"an end":          writeFunc(func(w *jsontext.Writer) { w.EndObject() }),
		"another end":     writeFunc(func(w *jsontext.Writer) { w.BeginObject(); w.EndArray() }),
		"a missing name":  writeFunc(func(w *jsontext.Writer) { w.BeginObject(); w.Int(1); w.EndObject() }),
		"a missing value": writeFunc(func(w *jsontext.Writer) { w.BeginObject(); w.Name("a"); w.EndObject() }),
		"two names":       writeFunc(func(w *jsontext.Writer) { w.BeginObject(); w.Name("a").Name("b").Null(); w.EndObject() }),
		"a name alone":    writeFunc(func(w *jsontext.Writer) { w.Name("a").Null() }),
		"a name in an array": writeFunc(func(w *jsontext.Writer) {
			w.BeginArray()
			w.Name("a").Null()
			w.EndArray()
		}),
	} {
		res := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
			if err := w.Text(200, "kept"); err != nil {
				return err
			}
			if jsontext.Write(w, 201, v) == nil {
				t.Errorf("%s is written", name)
			}
			return nil
		}).Get("/")
		if res.Status != 200 || res.Text() != "kept" {
			t.Errorf("%s: got %v", name, res)
		}
		if text, err := jsontext.Marshal(v); err == nil {
			t.Errorf("%s: got %s", name, text)
		}
	}
}

// TestWriteDeep writes deeper than a Writer has room for at first.
func TestWriteDeep(t *testing.T) {
	const deep = 1000
	v := writeFunc(func(w *jsontext.Writer) {
		for range deep {
			w.BeginArray()
			w.BeginObject()
			w.Name("a")
		}
		w.Int(1)
		for range deep {
			w.EndObject()
			w.EndArray()
		}
	})
	text, err := jsontext.Marshal(v)
	want := strings.Repeat(`[{"a":`, deep) + "1" + strings.Repeat("}]", deep)
	if err != nil || string(text) != want {
		t.Errorf("got %v, %.50s", err, text)
	}
}

// TestWriteOfAnySize has bodies grow past what a response collects.
func TestWriteOfAnySize(t *testing.T) {
	for _, size := range []int{0, 1, 4000, 4092, 4093, 4094, 4095, 4096, 4097, 5000, 100_000} {
		res := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
			if _, err := w.WriteString("["); err != nil {
				return err
			}
			if err := jsontext.Write(w, 200, text(strings.Repeat("x", size))); err != nil {
				return err
			}
			_, err := w.WriteString("]")
			return err
		}).Get("/")
		if want := `["` + strings.Repeat("x", size) + "\"\n]"; res.Text() != want {
			t.Errorf("%d bytes: got %d bytes, want %d", size, len(res.Text()), len(want))
		}
	}
}
