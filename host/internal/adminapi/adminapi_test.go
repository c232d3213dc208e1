package adminapi

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// TestTagsAreTheLimits: a tag cannot name a constant.
func TestTagsAreTheLimits(t *testing.T) {
	for _, tt := range []struct {
		in   any
		most int
	}{{KeysQuery{}, MaxKeys}, {EventsQuery{}, MaxEvents}} {
		f, ok := reflect.TypeOf(tt.in).FieldByName("Limit")
		if got := f.Tag.Get("maximum"); !ok || got != fmt.Sprint(tt.most) {
			t.Errorf("%T takes a limit up to %q, and the constant says %d", tt.in, got, tt.most)
		}
	}
}

// TestLimitsAreThoseOfManifests: what an operator may decide is what a manifest may.
func TestLimitsAreThoseOfManifests(t *testing.T) {
	most := limit.Maximum()
	for field, want := range map[string]int64{
		"Memory": most.Memory, "DeadlineMillis": most.Deadline.Milliseconds(), "RequestBody": most.RequestBody,
		"ResponseBody": most.ResponseBody, "Concurrency": int64(most.Concurrency),
	} {
		f, ok := reflect.TypeFor[Limits]().FieldByName(field)
		if got := f.Tag.Get("maximum"); !ok || got != fmt.Sprint(want) {
			t.Errorf("%s takes up to %q, and a manifest up to %d", field, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, key := range [][]byte{[]byte("a"), []byte("a/b c"), {0}, {0xff}, []byte("\xff\xfe")} {
		if got, err := KeyOf(key).Bytes(); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%q comes back as %q, %v", key, got, err)
		}
	}
	for _, k := range []Key{{}, {Text: "a", Base64: "YQ=="}, {Base64: "!"}} {
		if got, err := k.Bytes(); err == nil {
			t.Errorf("%+v is taken for %q", k, got)
		}
	}
}
