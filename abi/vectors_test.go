package abi

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// vector is one item of a file in testdata.
type vector struct {
	Layout string // in malformed.json only
	Name   string
	Value  json.RawMessage
	Hex    string
}

func (v vector) bytes(tb testing.TB) string {
	tb.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		tb.Fatalf("%s: %v", v.Name, err)
	}
	return string(b)
}

func vectors(tb testing.TB, layout string) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + layout + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(data, &list); err != nil {
		tb.Fatalf("%s.json: %v", layout, err)
	}
	if len(list) == 0 {
		tb.Fatalf("%s.json is empty", layout)
	}
	return list
}

// codec is one layout, both ways. value is what stands in JSON.
type codec struct {
	encode func(tb testing.TB, value json.RawMessage) string
	// decode returns the value as JSON would give it.
	decode func(b string, like json.RawMessage) (any, bool)
	fresh  func() any // a pointer to decode JSON into
}

var codecs = map[string]codec{
	"request_head": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			h := parse[requestHead](tb, v).head()
			return string(AppendRequestHead(nil, &h))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			var h RequestHead
			ok := DecodeRequestHead(b, &h)
			return requestHeadOf(h), ok
		},
		fresh: func() any { return new(requestHead) },
	},
	"response_head": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			h := parse[responseHead](tb, v)
			return string(AppendResponseHead(nil, &ResponseHead{Status: h.Status, Headers: toPairs(h.Headers)}))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			var h ResponseHead
			ok := DecodeResponseHead(b, &h)
			return responseHead{Status: h.Status, Headers: fromPairs(h.Headers)}, ok
		},
		fresh: func() any { return new(responseHead) },
	},
	"page": {
		encode: encodePage,
		decode: decodePage,
		fresh:  func() any { return new(page) },
	},
	"attributes": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			return string(AppendPairs(nil, toPairs(parse[[][2]string](tb, v))))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			pairs, ok := DecodePairs(b, nil)
			return fromPairs(pairs), ok
		},
		fresh: func() any { return new([][2]string) },
	},
	"http_request": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			r := parse[httpRequest](tb, v)
			return string(AppendHTTPRequest(nil, &HTTPRequest{r.Method, r.URL, toPairs(r.Headers), r.TimeoutMS, r.Flags}))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			var r HTTPRequest
			ok := DecodeHTTPRequest(b, &r)
			return httpRequest{r.Method, r.URL, fromPairs(r.Headers), r.TimeoutMS, r.Flags}, ok
		},
		fresh: func() any { return new(httpRequest) },
	},
	"http_response": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			r := parse[httpResponse](tb, v)
			return string(AppendHTTPResponse(nil, &HTTPResponse{r.Status, toPairs(r.Headers), r.URL, r.Failure, r.Reason}))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			var r HTTPResponse
			ok := DecodeHTTPResponse(b, &r)
			return httpResponse{r.Status, fromPairs(r.Headers), r.URL, r.Failure, r.Reason}, ok
		},
		fresh: func() any { return new(httpResponse) },
	},
	"handles": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			return string(AppendHandles(nil, parse[[]uint32](tb, v)))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			list, ok := DecodeHandles(b, []uint32{})
			return list, ok
		},
		fresh: func() any { return new([]uint32) },
	},
	"blob": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			b := parse[blobHead](tb, v)
			return string(AppendBlob(nil, &Blob{b.Size, b.Created, string(unhex(tb, b.Digest)), b.Type, string(unhex(tb, b.Metadata))}))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			var h Blob
			ok := DecodeBlob(b, &h)
			return blobHead{h.Size, h.Created, hex.EncodeToString([]byte(h.Digest)), h.Type, hex.EncodeToString([]byte(h.Metadata))}, ok
		},
		fresh: func() any { return new(blobHead) },
	},
	"counter": {
		encode: func(tb testing.TB, v json.RawMessage) string {
			tb.Helper()
			return string(AppendUint64(nil, uint64(parse[int64](tb, v))))
		},
		decode: func(b string, _ json.RawMessage) (any, bool) {
			r := NewReader(b)
			return int64(r.Uint64()), r.OK()
		},
		fresh: func() any { return new(int64) },
	},
	"sql_args":    sqlArgs,
	"sql_columns": sqlColumns,
	"sql_page":    sqlPages,
	"sql_error":   sqlErrors,
}

type requestHead struct {
	Method, Path, Mount, Pattern string
	Params                       [][2]string
	Query                        string
	Headers                      [][2]string
	Scheme, Host, Remote         string
	RequestID                    string `json:"request_id"`
	Attempt                      uint32
	BodySize                     uint64 `json:"body_size"`
	Trigger                      string
	Attributes                   [][2]string
	Deadline                     int64
}

type responseHead struct {
	Status  uint32
	Headers [][2]string
}

type httpRequest struct {
	Method, URL string
	Headers     [][2]string
	TimeoutMS   uint32 `json:"timeout_ms"`
	Flags       uint32
}

type httpResponse struct {
	Status  uint32
	Headers [][2]string
	URL     string
	Failure uint32
	Reason  string
}

type blobHead struct {
	Size     uint64
	Created  int64
	Digest   string // hex
	Type     string
	Metadata string // hex
}

type page struct {
	KeysOnly bool `json:"keys_only"`
	More     bool
	Entries  []struct{ Key, Value string } // hex
}

func (v requestHead) head() RequestHead {
	return RequestHead{
		v.Method, v.Path, v.Mount, v.Pattern, toPairs(v.Params), v.Query, toPairs(v.Headers),
		v.Scheme, v.Host, v.Remote, v.RequestID, v.Attempt, v.BodySize, v.Trigger, toPairs(v.Attributes), v.Deadline,
	}
}

func requestHeadOf(h RequestHead) requestHead {
	return requestHead{
		h.Method, h.Path, h.Mount, h.Pattern, fromPairs(h.Params), h.Query, fromPairs(h.Headers),
		h.Scheme, h.Host, h.Remote, h.RequestID, h.Attempt, h.BodySize, h.Trigger, fromPairs(h.Attributes), h.Deadline,
	}
}

func encodePage(tb testing.TB, v json.RawMessage) string {
	tb.Helper()
	p := parse[page](tb, v)
	b := AppendPageHeader(nil, uint32(len(p.Entries)), p.More)
	for _, e := range p.Entries {
		b = AppendEntry(b, Entry{Key: unhex(tb, e.Key), Value: unhex(tb, e.Value)}, p.KeysOnly)
	}
	return string(b)
}

func decodePage(b string, like json.RawMessage) (any, bool) {
	var p page
	if like != nil && json.Unmarshal(like, &p) != nil {
		return nil, false
	}
	entries, more, ok := DecodePage(b, p.KeysOnly)
	p.More = more
	p.Entries = make([]struct{ Key, Value string }, len(entries))
	for i, e := range entries {
		p.Entries[i].Key = hex.EncodeToString(e.Key)
		p.Entries[i].Value = hex.EncodeToString(e.Value)
	}
	return p, ok
}

func parse[T any](tb testing.TB, raw json.RawMessage) (v T) {
	tb.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func toPairs(list [][2]string) []Pair {
	var pairs []Pair
	for _, p := range list {
		pairs = append(pairs, Pair{p[0], p[1]})
	}
	return pairs
}

// fromPairs returns an empty list and never nil, as JSON has it.
func fromPairs(pairs []Pair) [][2]string {
	list := make([][2]string, len(pairs))
	for i, p := range pairs {
		list[i] = [2]string{p.Name, p.Value}
	}
	return list
}

func TestVectors(t *testing.T) {
	for layout, c := range codecs {
		for _, v := range vectors(t, layout) {
			t.Run(layout+"/"+v.Name, func(t *testing.T) {
				want := v.bytes(t)
				if got := c.encode(t, v.Value); got != want {
					t.Errorf("encode = %x, want %x", got, want)
				}
				value := c.fresh()
				if err := json.Unmarshal(v.Value, value); err != nil {
					t.Fatal(err)
				}
				for _, behind := range []string{"", "\x00", "\xff\xff\xff\xff more fields"} {
					got, ok := c.decode(want+behind, v.Value)
					if !ok || !reflect.DeepEqual(got, reflect.ValueOf(value).Elem().Interface()) {
						t.Errorf("decode with %q behind = %+v, %v, want %+v", behind, got, ok, value)
					}
				}
				checkPieces(t, layout, c, v)
			})
		}
	}
}

// checkPieces decodes every shorter piece of a vector.
func checkPieces(t *testing.T, layout string, c codec, v vector) {
	t.Helper()
	whole := v.bytes(t)
	for n := range len(whole) {
		if (layout == "attributes" || layout == "sql_args") && n == 0 || layout == "request_head" && slices.Contains(oldSizes(t, whole), n) {
			continue
		}
		if _, ok := c.decode(whole[:n], v.Value); ok {
			t.Errorf("the first %d of %d bytes decode", n, len(whole))
		}
	}
}

// oldSizes returns how long a request head was before the fields that came later.
func oldSizes(t *testing.T, whole string) []int {
	t.Helper()
	var h RequestHead
	if !DecodeRequestHead(whole, &h) {
		t.Fatalf("%x is no request head", whole)
	}
	h.Trigger, h.Attributes = "", nil
	return []int{len(AppendRequestHead(nil, &h)) - len(noTrigger+noDeadline), len(whole) - len(noDeadline)}
}

// noTrigger is an empty trigger and no attributes, noDeadline no deadline.
const (
	noTrigger  = "\x00\x00\x00\x00\x00\x00\x00\x00"
	noDeadline = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

// TestOldRequestHeads reads heads of hosts that came before the last fields, and
// reads today's heads as guests did that were built then.
func TestOldRequestHeads(t *testing.T) {
	for _, v := range vectors(t, "request_head_old") {
		want := parse[requestHead](t, v.Value).head()
		h := RequestHead{Trigger: "of the head before", Attributes: make([]Pair, 3), Deadline: 1}
		if !DecodeRequestHead(v.bytes(t), &h) || !reflect.DeepEqual(requestHeadOf(h), requestHeadOf(want)) {
			t.Errorf("%s: got %+v, want %+v", v.Name, h, want)
		}
		later := noDeadline
		if want.Trigger == "" {
			later = noTrigger + noDeadline
		}
		if got := string(AppendRequestHead(nil, &want)); got != v.bytes(t)+later {
			t.Errorf("%s: today's host sends %x, which does not start as before", v.Name, got)
		}
		for n := range len(v.bytes(t)) {
			if DecodeRequestHead(v.bytes(t)[:n], &h) && n != len(v.bytes(t))-len(AppendPairs(AppendString(nil, want.Trigger), want.Attributes)) {
				t.Errorf("%s: the first %d bytes decode", v.Name, n)
			}
		}
	}
}

func TestMalformedVectors(t *testing.T) {
	for _, v := range vectors(t, "malformed") {
		c, ok := codecs[v.Layout]
		if !ok {
			t.Fatalf("malformed.json: no layout %q", v.Layout)
		}
		if got, ok := c.decode(v.bytes(t), nil); ok {
			t.Errorf("%s: %s decodes to %+v", v.Layout, v.Name, got)
		}
	}
}

// TestCountsAreNotTrusted holds the memory a lying count takes to a constant.
func TestCountsAreNotTrusted(t *testing.T) {
	lie := "\xff\xff\xff\xff" + strings.Repeat("\x00", 64)
	head := "\xc8\x00\x00\x00" + lie
	for name, f := range map[string]func(){
		"response head":            func() { var h ResponseHead; DecodeResponseHead(head, &h) },
		"page":                     func() { DecodePage(lie, true) },
		"attributes":               func() { DecodePairs(lie, nil) },
		"http request":             func() { var r HTTPRequest; DecodeHTTPRequest("\x00\x00\x00\x00\x00\x00\x00\x00"+lie, &r) },
		"http response":            func() { var r HTTPResponse; DecodeHTTPResponse(head, &r) },
		"handles":                  func() { DecodeHandles(lie, nil) },
		"sql args":                 func() { DecodeSQLArgs(lie) },
		"sql columns":              func() { DecodeSQLColumns(lie) },
		"sql rows":                 func() { readSQLPage(lie) },
		"sql columns of rows":      func() { readSQLPage("\x00\x00\x00\x00\x00" + lie) },
		"sql rows without columns": func() { readSQLPage("\xff\xff\xff\xff\x00" + strings.Repeat("\x00", 64)) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%s: a lying count takes %d bytes", name, got)
		}
	}
}
