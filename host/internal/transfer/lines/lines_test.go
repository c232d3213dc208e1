package lines

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func all(l *Reader) (list []Entry, err error) {
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
}

// TestWhatIsWrittenIsRead: every key and value comes back, byte for byte.
func TestWhatIsWrittenIsRead(t *testing.T) {
	want := []Entry{
		{Key: []byte("\x00"), Value: []byte{}},
		{Key: []byte("a\nb\"<&>\u2028"), Value: []byte("\ufffd is text"), Expires: 1_764_515_401_123},
		{Key: []byte("b"), Value: bytes.Repeat([]byte{1}, store.MaxValue)},
		{Key: bytes.Repeat([]byte{1, 0x7f}, store.MaxKey/2)[1:], Value: []byte("é")},
		{Key: []byte("\xff\x00"), Value: []byte{0, 0xff, 0xc3}},
	}
	slices.SortFunc(want, func(a, b Entry) int { return bytes.Compare(a.Key, b.Key) })
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Plugin: "shop", Revision: 7, Time: time.Unix(9, 0).UTC()}, []byte("\xff"))
	for _, e := range want {
		err = errors.Join(err, w.Write(e))
	}
	if err = errors.Join(err, w.Close()); err != nil || w.Keys() != int64(len(want)) {
		t.Fatal(err, w.Keys())
	}
	r, h, err := NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Header{Format: 1, Plugin: "shop", PrefixBase64: "/w==", Revision: 7, Time: time.Unix(9, 0).UTC()}, h); diff != "" {
		t.Error(diff)
	}
	got, err := all(r)
	if err != nil || !reflect.DeepEqual(got, want) { // cmp takes seconds for a MiB
		t.Errorf("%v: %d entries are not what was written", err, len(got))
	}
}

// TestWhatIsWrongIsNamed: a line that is not as it should be is refused, with its
// number and the reason.
func TestWhatIsWrongIsNamed(t *testing.T) {
	const good = `{"key":"a","value":"b"}` + "\n"
	long := strings.Repeat("x", store.MaxValue+1)
	for _, tt := range []struct{ text, want string }{
		{"", "no lines at all"},
		{"\n", "line 1: it does not say the format"},
		{good, "line 1: it does not say the format"},
		{`{"wasmoor_kv":2}`, "line 1: it is of format 2, and this program knows 1"},
		{"H" + good, "the lines end after line 2, and the last one does not say how many keys there are, e.g. {\"keys\":1}"},
		{"H" + good + `{"keys":2}`, "line 3: it says that there are 2 keys, and there were 1"},
		{"H" + `{"keys":0}` + "\n\n", "line 3: it follows the last line"},
		{"H" + good + good, `line 3: key "a" does not follow "a"`},
		{"H" + `{"key":"b","value":"1"}` + "\n" + good, `line 3: key "a" does not follow "b"`},
		{"H\n", "line 2: it is not an object"},
		{"H[1]\n", "line 2: it is not an object"},
		{`H{"key":"a","value":"b"`, "line 2: it is not JSON"},
		{`H{"key":"a","value":"b"} {}`, "line 2: something follows its object"},
		{`H{"key":"a","key":"b","value":"b"}`, `line 2: it has "key" twice`},
		{`H{"Key":"a","value":"b"}`, `line 2: "Key" is no member of a key`},
		{`H{"key":"a","value":1}`, "line 2: value is not a string"},
		{`H{"key":"a","value":null}`, "line 2: value is not a string"},
		{`H{"key":"a","value":["b"]}`, "line 2: "},
		{`H{"key":"a"}`, "line 2: it has to have one of value and value_base64"},
		{`H{"value":"a"}`, "line 2: it has to have one of key and key_base64"},
		{`H{"key":"a","key_base64":"YQ==","value":""}`, "line 2: it has to have one of key and key_base64"},
		{`H{"key":"","value":""}`, "line 2: its key is empty"},
		{`H{"key":"a","value_base64":"YQ"}`, "line 2: value_base64 is not base64"},
		{`H{"key":"a","value_base64":"YR=="}`, "line 2: value_base64 is not base64"},
		{`H{"key":"a","value":"\ud800"}`, "line 2: an escape in it is half of a character"},
		{"H{\"key\":\"a\",\"value\":\"\xff\"}", "line 2: it is not UTF-8"},
		{`H{"key":"a","value":"","expires":"tomorrow"}`, `line 2: expires is "tomorrow"`},
		{`H{"key":"a","value":"` + long + `"}`, "line 2: its value has 1048577 bytes"},
		{`H{"key":"` + long[:store.MaxKey+1] + `","value":""}`, "line 2: its key has 1025 bytes"},
		{`H{"key":"a","value":"` + strings.Repeat("x", MaxLine) + `"}`, "line 2: it has more than"},
	} {
		text := strings.Replace(tt.text, "H", `{"wasmoor_kv":1}`+"\n", 1)
		r, _, err := NewReader(strings.NewReader(text))
		if err == nil {
			_, err = all(r)
		}
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestPieces: the lines of entries alone, as they are sent, keep their numbers.
func TestPieces(t *testing.T) {
	r := NewPiece(strings.NewReader(`{"key":"a","value":"1"}`+"\n"+`{"key":"b","value":"2"}`), 17)
	got, err := all(r)
	if err != nil || len(got) != 2 || r.Line() != 18 {
		t.Errorf("%v, %v, line %d", got, err, r.Line())
	}
	r = NewPiece(strings.NewReader(`{"keys":0}`), 3)
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), `line 3: "keys" is no member`) {
		t.Errorf("the last line in a piece: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"wasmoor_kv":1}` + "\n" + `{"key":"a","value_base64":"YQ==","expires":"2026-12-01T15:00:00.123Z"}` + "\n" + `{"keys":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		got, err := all(r)
		if err != nil {
			return
		}
		var b bytes.Buffer
		w, err := NewWriter(&b, Header{}, nil)
		for _, e := range got {
			err = errors.Join(err, w.Write(e))
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		again, _, err := NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := all(again); err != nil || !cmp.Equal(got, twice) {
			t.Errorf("%v: %v is %v", err, got, twice)
		}
	})
}
