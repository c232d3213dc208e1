package layout

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestLayout pins the bytes on disk: a change here is a new format.
func TestLayout(t *testing.T) {
	record, _ := EncodeRecord(store.Value{Data: []byte("data")})
	expiring, _ := EncodeRecord(store.Value{Data: []byte("data"), Expires: 0x0102})
	got := map[string][]byte{
		"data key": Key(KindData, 0x0102, []byte("k")),
		"end":      End(KindData, 0x01ff),
		"last end": End(KindData, ^store.Space(0)),
		"tail key": TailKey(Key(KindData, 1, []byte("k"))),
		"expiry":   ExpiryKey(0x0304, 1, []byte("k")),
		"record":   record,
		"expiring": expiring,
		"usage":    EncodeUsage(store.Usage{Keys: 1, Bytes: 0x0203}),
		"format":   EncodeFormat(Format),
		"where":    FormatKey,
	}
	want := map[string][]byte{
		"data key": []byte("\x10\x00\x00\x00\x00\x00\x00\x01\x02k"),
		"end":      []byte("\x10\x00\x00\x00\x00\x00\x00\x02\x00"),
		"last end": []byte("\x11"),
		"tail key": []byte("\x11\x00\x00\x00\x00\x00\x00\x00\x01\x82\x54\xc3\x29\xa9\x28\x50\xf6\xd5\x39\xdd\x37\x6f\x48\x16\xee"),
		"expiry":   []byte("\x04\x00\x00\x00\x00\x00\x00\x03\x04\x00\x00\x00\x00\x00\x00\x00\x01\x82\x54\xc3\x29\xa9\x28\x50\xf6\xd5\x39\xdd\x37\x6f\x48\x16\xee"),
		"record":   []byte("\x00data"),
		"expiring": []byte("\x01\x02\x01\x00\x00\x00\x00\x00\x00data"),
		"usage":    []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x03\x02\x00\x00\x00\x00\x00\x00"),
		"format":   []byte("\x02\x00\x00\x00"),
		"where":    []byte("\x01format"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
}

// TestAreas pins the numbers of the areas: they are on disk.
func TestAreas(t *testing.T) {
	want := map[store.Area]byte{
		store.AreaKV: 0x00, store.AreaRecords: 0x80, store.AreaQueue: 0x81, store.AreaCron: 0x82,
		store.AreaTopics: 0x83, store.AreaSQL: 0x84, store.AreaBlobs: 0x85,
	}
	for _, a := range store.Areas() {
		key := Key(KindData, store.Space(0x0102).In(a), []byte("k"))
		if number, ok := want[a]; !ok || !a.Known() || key[1] != number || string(key[2:]) != "\x00\x00\x00\x00\x00\x01\x02k" {
			t.Errorf("area %#x has the key %x", a, key)
		}
		delete(want, a)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	for _, a := range []store.Area{0x01, 0x7f, 0x86, 0xff} {
		if a.Known() {
			t.Errorf("area %#x is known", a)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x00data", "\x01\x02\x01\x00\x00\x00\x00\x00\x00data", "\x01short", "\x02tail", "\x04unknown", "\x03\x01\x00\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, tail, err := DecodeRecord(b)
		if err != nil {
			if fault.CodeOf(err) != fault.Internal {
				t.Errorf("code %q", fault.CodeOf(err))
			}
			return
		}
		if tail || v.Expires == 0 && b[0]&flagExpires != 0 {
			return // never written like this, but harmless
		}
		if again, _ := EncodeRecord(v); !bytes.Equal(again, b) {
			t.Errorf("%x decodes and encodes to %x", b, again)
		}
	})
}

func TestRecordLengths(t *testing.T) {
	data := make([]byte, store.MaxValue)
	for _, expires := range []int64{0, 1} {
		for size := store.MaxValue - 12; size <= store.MaxValue; size++ {
			v := store.Value{Data: data[:size], Expires: expires}
			record, tail := EncodeRecord(v)
			if len(record) >= ValueThreshold {
				t.Fatalf("a record of %d bytes would go to the value log", len(record))
			}
			if got := IsLong(int64(len(v.Data)), v.Expires); got != (tail != nil) {
				t.Fatalf("size %d, expires %d: hasTail %v, tail of %d bytes", size, expires, got, len(tail))
			}
			back, more, err := DecodeRecord(record)
			if err != nil || more != (tail != nil) || len(back.Data)+len(tail) != size {
				t.Fatalf("size %d: %d + %d bytes back, %v", size, len(back.Data), len(tail), err)
			}
		}
	}
}

func TestParseExpiryKey(t *testing.T) {
	expires, space, ok := ParseExpiryKey(ExpiryKey(77, 5, []byte("k")))
	if !ok || expires != 77 || space != 5 {
		t.Errorf("got %d, %d, %v", expires, space, ok)
	}
	for _, bad := range [][]byte{nil, {KindExpiry}, append(ExpiryKey(1, 1, []byte("k")), 0), Key(KindData, 1, make([]byte, 24))} {
		if _, _, ok := ParseExpiryKey(bad); ok {
			t.Errorf("%x is taken for an expiry key", bad)
		}
	}
}
