package abi

import (
	"strings"
	"testing"
)

// seed adds the vectors of a layout, whole, cut and malformed.
func seed(f *testing.F, layout string) {
	f.Helper()
	for _, v := range vectors(f, layout) {
		b := v.bytes(f)
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(b + "behind")
	}
	for _, v := range vectors(f, "malformed") {
		if v.Layout == layout {
			f.Add(v.bytes(f))
		}
	}
}

// checkPrefix: a layout has one encoding, so what was decoded encodes to the
// bytes it was decoded from, and what is left is behind the last field.
func checkPrefix(t *testing.T, in string, out []byte) {
	t.Helper()
	if !strings.HasPrefix(in, string(out)) {
		t.Errorf("decoded from %x, encodes to %x", in, out)
	}
}

func FuzzDecodeRequestHead(f *testing.F) {
	seed(f, "request_head")
	seed(f, "request_head_old")
	used := RequestHead{Params: make([]Pair, 3), Headers: make([]Pair, 9), Query: "old"}
	f.Fuzz(func(t *testing.T, in string) {
		var h RequestHead
		ok := DecodeRequestHead(in, &h)
		if ok {
			out := string(AppendRequestHead(nil, &h))
			if in+noDeadline != out && in+noTrigger+noDeadline != out { // not a head of before those fields
				checkPrefix(t, in, []byte(out))
			}
		}
		if n := len(h.Params) + len(h.Headers) + len(h.Attributes); n > len(in)/pairSize {
			t.Errorf("%d pairs out of %d bytes", n, len(in))
		}
		again := used
		if DecodeRequestHead(in, &again) != ok || ok && string(AppendRequestHead(nil, &again)) != string(AppendRequestHead(nil, &h)) {
			t.Error("decoding into a used head differs")
		}
	})
}

func FuzzDecodeResponseHead(f *testing.F) {
	seed(f, "response_head")
	f.Fuzz(func(t *testing.T, in string) {
		var h ResponseHead
		if DecodeResponseHead(in, &h) {
			checkPrefix(t, in, AppendResponseHead(nil, &h))
		}
		if len(h.Headers) > len(in)/pairSize {
			t.Errorf("%d fields out of %d bytes", len(h.Headers), len(in))
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	for _, keysOnly := range []bool{false, true} {
		for _, layout := range []string{"page", "malformed"} {
			for _, v := range vectors(f, layout) {
				f.Add(v.bytes(f), keysOnly)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in string, keysOnly bool) {
		entries, more, ok := DecodePage(in, keysOnly)
		if len(entries) > len(in)/4 {
			t.Errorf("%d entries out of %d bytes", len(entries), len(in))
		}
		if !ok {
			return
		}
		out := AppendPageHeader(nil, uint32(len(entries)), more)
		for _, e := range entries {
			out = AppendEntry(out, e, keysOnly)
		}
		if more { // any byte but 0 says so
			in = in[:4] + "\x01" + in[5:]
		}
		checkPrefix(t, in, out)
	})
}

func FuzzDecodePairs(f *testing.F) {
	seed(f, "attributes")
	f.Fuzz(func(t *testing.T, in string) {
		pairs, ok := DecodePairs(in, nil)
		if len(pairs) > len(in)/pairSize {
			t.Errorf("%d pairs out of %d bytes", len(pairs), len(in))
		}
		if ok && in != "" {
			checkPrefix(t, in, AppendPairs(nil, pairs))
		}
	})
}

func FuzzDecodeHTTPRequest(f *testing.F) {
	seed(f, "http_request")
	f.Fuzz(func(t *testing.T, in string) {
		var r HTTPRequest
		if DecodeHTTPRequest(in, &r) {
			checkPrefix(t, in, AppendHTTPRequest(nil, &r))
		}
		if len(r.Headers) > len(in)/pairSize {
			t.Errorf("%d fields out of %d bytes", len(r.Headers), len(in))
		}
	})
}

func FuzzDecodeHTTPResponse(f *testing.F) {
	seed(f, "http_response")
	f.Fuzz(func(t *testing.T, in string) {
		var r HTTPResponse
		if DecodeHTTPResponse(in, &r) {
			checkPrefix(t, in, AppendHTTPResponse(nil, &r))
		}
	})
}

func FuzzDecodeBlob(f *testing.F) {
	seed(f, "blob")
	f.Fuzz(func(t *testing.T, in string) {
		var b Blob
		if DecodeBlob(in, &b) {
			checkPrefix(t, in, AppendBlob(nil, &b))
		}
	})
}

func FuzzDecodeHandles(f *testing.F) {
	seed(f, "handles")
	f.Fuzz(func(t *testing.T, in string) {
		list, ok := DecodeHandles(in, nil)
		if len(list) > len(in)/4 {
			t.Errorf("%d handles out of %d bytes", len(list), len(in))
		}
		if ok {
			checkPrefix(t, in, AppendHandles(nil, list))
		}
	})
}
