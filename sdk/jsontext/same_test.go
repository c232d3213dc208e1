package jsontext_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

// theirs decodes as package json does: one value, without unknown fields.
func theirs(text string, v any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return io.ErrNoProgress
	}
	return nil
}

// walk returns what encoding/json makes of a value of any kind.
func walk(r *jsontext.Reader) any {
	switch r.Kind() {
	case '{':
		object := map[string]any{}
		for name := range r.Object() {
			object[name] = walk(r)
		}
		return object
	case '[':
		array := []any{}
		for range r.Array() {
			array = append(array, walk(r))
		}
		return array
	case '"':
		return r.String()
	case '0':
		return r.Float64()
	case 't', 'f':
		return r.Bool()
	}
	r.Skip()
	return nil
}

// tree is a value of any kind.
type tree struct{ v any }

func (t *tree) ReadJSON(r *jsontext.Reader) { t.v = walk(r) }

// plain does as walk does, with a Value.
func plain(v jsontext.Value) any {
	switch v.Kind() {
	case '{':
		object := map[string]any{}
		for name, member := range v.Object() {
			object[name] = plain(member)
		}
		return object
	case '[':
		array := []any{}
		for _, element := range v.Array() {
			array = append(array, plain(element))
		}
		return array
	case '"':
		return v.String()
	case '0':
		return v.Float64()
	case 't', 'f':
		return v.Bool()
	}
	return nil
}

// checkSame reads text as a value of any kind and as an order, and writes what it
// has read, and wants what encoding/json makes of it.
func checkSame(t *testing.T, text string) {
	t.Helper()
	var value jsontext.Value
	err := jsontext.Unmarshal(text, &value)
	if valid := json.Valid([]byte(text)); valid != (err == nil) {
		t.Fatalf("%.100q: got %v, encoding/json says valid: %v", text, err, valid)
	}
	if err != nil {
		return
	}
	var want any
	var got tree
	err, wantErr := jsontext.Unmarshal(text, &got), json.Unmarshal([]byte(text), &want) // a number may be too large
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got.v, want) {
		t.Errorf("%.100q: got value %.300v, error %v; want %.300v, %v", text, got.v, err, want, wantErr)
	}
	if err == nil && len(text) < 1000 {
		if got := plain(value); !reflect.DeepEqual(got, want) {
			t.Errorf("%.100q: got value %v, want %v", text, got, want)
		}
	}
	checkWritten(t, value, json.RawMessage(text))
	checkSameOrder(t, text, want)
}

// checkSameOrder reads text, whose value is v, as an order.
func checkSameOrder(t *testing.T, text string, v any) {
	t.Helper()
	if otherCase(v) {
		return
	}
	var got, like order
	err, wantErr := jsontext.Unmarshal(text, &got), theirs(text, &like)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%.100q: got error %v, want %v", text, err, wantErr)
	}
	if err == nil {
		checkOrder(t, got, like)
	}
}

// otherCase reports whether v has a name that encoding/json takes for another.
func otherCase(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			for _, own := range []string{"id", "name", "price", "paid", "due", "tags", "buyer", "lines", "serial", "note", "age", "item", "count"} {
				if name != own && strings.EqualFold(name, own) {
					return true
				}
			}
			if otherCase(v) {
				return true
			}
		}
	case []any:
		if slices.ContainsFunc(v, otherCase) {
			return true
		}
	}
	return false
}

func checkOrder(t *testing.T, got, want order) {
	t.Helper()
	// An empty array is no slice here, and one of length 0 there.
	if len(want.Tags) == 0 {
		got.Tags, want.Tags = []string{}, []string{}
	}
	if len(want.Lines) == 0 {
		got.Lines, want.Lines = []line{}, []line{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	checkWritten(t, &got, want)
}

func checkWritten(t *testing.T, v jsontext.Writable, like any) {
	t.Helper()
	got, err := jsontext.Marshal(v)
	want, wantErr := json.Marshal(like)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("got error %v, want %v", err, wantErr)
	}
	if _, raw := like.(json.RawMessage); raw && err == nil {
		var compact bytes.Buffer // encoding/json takes out white space
		if err := json.Compact(&compact, got); err != nil {
			t.Fatal(err)
		}
		got = compact.Bytes()
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Errorf("got  %.300s\nwant %.300s", got, want)
	}
}

func TestSameAsEncodingJSON(t *testing.T) {
	for _, text := range texts {
		checkSame(t, text)
	}
}

func FuzzSameAsEncodingJSON(f *testing.F) {
	for _, text := range texts {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) { checkSame(t, text) })
}

type text string

func (s text) WriteJSON(w *jsontext.Writer) { w.String(string(s)) }

type float float64

func (f float) WriteJSON(w *jsontext.Writer) { w.Float64(float64(f)) }

func FuzzWritesAsEncodingJSON(f *testing.F) {
	for _, s := range []string{"", "a\x00\b\f\n\r\t\x1f\x7f\"\\/<>&", "\u2028\u2029\ufffd\xff\xed\xa0\x80é😀"} {
		f.Add(s, uint64(len(s)))
	}
	for _, n := range []float64{0, math.Copysign(0, -1), 1, 1e21, 1e20, 1e-6, 9.9e-7, 1e-10, 5e-324, math.MaxFloat64, math.NaN(), math.Inf(-1)} {
		f.Add("", math.Float64bits(n))
	}
	f.Fuzz(func(t *testing.T, s string, bits uint64) {
		checkWritten(t, text(s), s)
		checkWritten(t, float(math.Float64frombits(bits)), math.Float64frombits(bits))
		checkWritten(t, float(int32(bits)), int32(bits))
	})
}
