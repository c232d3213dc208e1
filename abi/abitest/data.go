package abitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Data is bytes of a call: a text, or one of these forms.
type Data struct {
	bytes    []byte
	numbered bool // bytes are prefix and which of its times the call is
	prefix   string
	size     int   // of bytes that do not matter, in place of bytes
	calls    []int // Handles: the calls that gave them
	match    func(got []byte) error
}

// form is an object that stands for bytes.
type form struct {
	Hex        *string      `json:"hex"`
	Times      int          `json:"times"`
	Text       string       `json:"text"`     // so many Times
	Numbered   *string      `json:"numbered"` // this text, and which of its times the call is
	Any        int          `json:"any"`      // so many bytes that do not matter
	Counter    *int64       `json:"counter"`  // value of a counter
	Pairs      *[][2]string `json:"pairs"`    // attributes
	Handles    *[]int       `json:"handles"`  // of the calls with these indexes
	SQLArgs    *[]sqlArg    `json:"sql_args"`
	SQLResult  *[2]int64    `json:"sql_result"`  // rows changed, and the rowid inserted last
	SQLColumns *[][2]string `json:"sql_columns"` // names and declared types
	SQLPage    *struct {
		More    bool
		Columns uint32
		Rows    [][]sqlArg
	} `json:"sql_page"`
	SQLError *struct {
		Code    uint32
		Message string
	} `json:"sql_error"`
	RequestHead  *requestHead `json:"request_head"` // to compare with, but for the request's id and the size of its body
	ResponseHead *struct {
		Status  uint32
		Headers [][2]string
	} `json:"response_head"`
	Page *struct {
		More    bool
		Entries [][]string // of a key, or of a key and a value
	} `json:"page"`
	HTTPRequest *struct {
		Method, URL string
		Headers     [][2]string
		URLPad      int    `json:"url_pad"` // so many letters after the URL
		TimeoutMS   uint32 `json:"timeout_ms"`
		Flags       uint32
	} `json:"http_request"`
	Blob         *blobHead     `json:"blob"`          // to compare with, but for the time
	HTTPResponse *httpResponse `json:"http_response"` // to compare with; headers that are not named may be there
}

type requestHead struct {
	Method, Path, Mount, Pattern, Query string
	Headers                             [][2]string
	Scheme, Host, Remote                string
	Attempt                             uint32
	Trigger                             string
	Attributes                          [][2]string
}

type blobHead struct {
	Of, Type, Metadata string
}

type httpResponse struct {
	Status  uint32
	Headers [][2]string
	URL     string
	Failure string // name of a status
}

// UnmarshalJSON reads a text or a form.
func (d *Data) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		d.bytes = []byte(s)
		return nil
	}
	var f form
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return err
	}
	return f.data(d)
}

func (f *form) data(d *Data) (err error) {
	switch {
	case f.Hex != nil:
		d.bytes, err = hex.DecodeString(*f.Hex)
	case f.Times > 0:
		d.bytes = []byte(strings.Repeat(f.Text, f.Times))
	case f.Numbered != nil:
		d.numbered, d.prefix = true, *f.Numbered
		d.number(0)
	case f.Any > 0:
		d.size = f.Any
	case f.Counter != nil:
		d.bytes = abi.AppendUint64(nil, uint64(*f.Counter))
	case f.Pairs != nil:
		d.bytes = abi.AppendPairs(nil, Pairs(*f.Pairs))
	case f.Handles != nil:
		d.calls = *f.Handles
		d.bytes = abi.AppendHandles(nil, make([]uint32, len(d.calls)))
	case f.ResponseHead != nil:
		d.bytes = abi.AppendResponseHead(nil, &abi.ResponseHead{Status: f.ResponseHead.Status, Headers: Pairs(f.ResponseHead.Headers)})
	case f.Page != nil:
		d.bytes = abi.AppendPageHeader(nil, uint32(len(f.Page.Entries)), f.Page.More)
		for _, e := range f.Page.Entries {
			d.bytes = abi.AppendString(d.bytes, e[0])
			if len(e) > 1 {
				d.bytes = abi.AppendString(d.bytes, e[1])
			}
		}
	case f.SQLArgs != nil || f.SQLResult != nil || f.SQLColumns != nil || f.SQLPage != nil || f.SQLError != nil:
		d.bytes = f.sql()
	case f.HTTPRequest != nil:
		r := f.HTTPRequest
		d.bytes = abi.AppendHTTPRequest(nil, &abi.HTTPRequest{
			Method: r.Method, URL: r.URL + strings.Repeat("a", r.URLPad), Headers: Pairs(r.Headers), TimeoutMS: r.TimeoutMS, Flags: r.Flags,
		})
	case f.RequestHead != nil:
		d.match = f.RequestHead.match
	case f.Blob != nil:
		d.match = f.Blob.match
	case f.HTTPResponse != nil:
		d.match = f.HTTPResponse.match
	default:
		return fmt.Errorf("%+v is no form of bytes", *f)
	}
	return err
}

// number makes the bytes those of the call's nth time.
func (d *Data) number(n int) {
	if d.numbered {
		d.bytes = fmt.Appendf(nil, "%s%d", d.prefix, n)
	}
}

// Size returns how many bytes Bytes returns.
func (d *Data) Size(origin string) int { return max(len(replaceOrigin(d.bytes, origin)), d.size) }

// Irrelevant reports whether only the number of bytes matters.
func (d *Data) Irrelevant() bool { return d.size > 0 }

// Bytes returns the bytes, with the upstream's origin in place of Origin and, of
// a list of handles, the results of the calls that gave them; 0 of one that is not
// among results.
func (d *Data) Bytes(origin string, results []int64) []byte {
	if d.size > 0 {
		return make([]byte, d.size)
	}
	if d.calls != nil {
		handles := make([]uint32, len(d.calls))
		for i, call := range d.calls {
			if call < len(results) {
				handles[i] = uint32(results[call])
			}
		}
		return abi.AppendHandles(nil, handles)
	}
	return replaceOrigin(d.bytes, origin)
}

// Handles returns the indexes of the calls whose results the data lists; nil if
// it is anything else.
func (d *Data) Handles() []int { return d.calls }

// replaceOrigin puts the origin into a URL, or into that of an HTTP request, whose length
// goes with it.
func replaceOrigin(b []byte, origin string) []byte {
	if rest, ok := bytes.CutPrefix(b, []byte(Origin)); ok {
		return append([]byte(origin), rest...)
	}
	var r abi.HTTPRequest
	if !bytes.Contains(b, []byte(Origin)) || !abi.DecodeHTTPRequest(string(b), &r) {
		return b
	}
	r.URL = strings.Replace(r.URL, Origin, origin, 1)
	return abi.AppendHTTPRequest(nil, &r)
}

func (w *requestHead) match(got []byte) error {
	var h abi.RequestHead
	if !abi.DecodeRequestHead(string(got), &h) {
		return fmt.Errorf("%x is no request head", got)
	}
	have := requestHead{
		h.Method, h.Path, h.Mount, h.Pattern, h.Query, fromPairs(h.Headers), h.Scheme, h.Host, h.Remote, h.Attempt,
		h.Trigger, fromPairs(h.Attributes),
	}
	if fmt.Sprint(have) != fmt.Sprint(*w) {
		return fmt.Errorf("the request head is %+v, want %+v", have, *w)
	}
	return nil
}

func (w *blobHead) match(got []byte) error {
	sum := sha256.Sum256([]byte(w.Of))
	want := abi.Blob{Size: uint64(len(w.Of)), Digest: string(sum[:]), Type: w.Type, Metadata: w.Metadata}
	var have abi.Blob
	if !abi.DecodeBlob(string(got), &have) || have.Created <= 0 {
		return fmt.Errorf("%x is no blob head", got)
	}
	want.Created = have.Created
	if have != want {
		return fmt.Errorf("the blob head is %+v, want %+v", have, want)
	}
	return nil
}

func (w *httpResponse) match(got []byte) error {
	var r abi.HTTPResponse
	if !abi.DecodeHTTPResponse(string(got), &r) {
		return fmt.Errorf("%x is no HTTP response", got)
	}
	failure := ""
	if r.Failure != 0 {
		failure = (-abi.Status(r.Failure)).String()
	}
	if r.Status != w.Status || failure != w.Failure || (r.Reason != "") != (r.Failure != 0) || !strings.HasSuffix(r.URL, w.URL) {
		return fmt.Errorf("the call ended with %+v, want %+v", r, *w)
	}
	have := fromPairs(r.Headers)
	for _, h := range w.Headers {
		i := 0
		for i < len(have) && have[i] != h {
			i++
		}
		if i == len(have) {
			return fmt.Errorf("the response has the headers %q, want %q among them in order", fromPairs(r.Headers), w.Headers)
		}
		have = have[i+1:]
	}
	return nil
}

// Pairs returns pairs as package abi has them.
func Pairs(list [][2]string) []abi.Pair {
	var pairs []abi.Pair
	for _, p := range list {
		pairs = append(pairs, abi.Pair{Name: p[0], Value: p[1]})
	}
	return pairs
}

func fromPairs(pairs []abi.Pair) [][2]string {
	var list [][2]string
	for _, p := range pairs {
		list = append(list, [2]string{p.Name, p.Value})
	}
	return list
}
