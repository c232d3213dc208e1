package sdk

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

// FuzzHead reads heads as package abi does.
func FuzzHead(f *testing.F) {
	full := string(abi.AppendRequestHead(nil, &abi.RequestHead{
		Method: "GET", Path: "/items/7", Mount: "/m", Pattern: "GET /items/{id}", Params: []abi.Pair{{Name: "id", Value: "7"}},
		Query: "q=1", Headers: []abi.Pair{{Name: "accept", Value: "*/*"}, {Name: "x", Value: ""}, {Name: "x", Value: "second"}},
		Scheme: "http", Host: "localhost", Remote: "127.0.0.1", RequestID: "r1", Attempt: 3, BodySize: 5<<32 + 1,
	}))
	for n := range len(full) + 1 {
		f.Add(full[:n])
	}
	f.Add(full + "behind")
	f.Add("\xff\xff\xff\xffGET")
	f.Fuzz(func(t *testing.T, text string) {
		var want abi.RequestHead
		var h head
		ok := abi.DecodeRequestHead(text, &want)
		if got := h.set(text); got != ok {
			t.Fatalf("whole: got %v, want %v", got, ok)
		}
		if !ok {
			return
		}
		var headers []abi.Pair
		h.headers(func(name, value string) bool {
			headers = append(headers, abi.Pair{Name: name, Value: value})
			return true
		})
		got := abi.RequestHead{
			Method: h.string(headMethod), Path: h.string(headPath), Mount: h.string(headMount),
			Pattern: h.string(headPattern), Params: want.Params, Query: h.string(headQuery), Headers: headers,
			Scheme: h.string(headScheme), Host: h.string(headHost), Remote: h.string(headRemote),
			RequestID: h.string(headRequestID), Attempt: h.attempt(), BodySize: h.bodySize(),
		}
		if string(abi.AppendRequestHead(nil, &got)) != string(abi.AppendRequestHead(nil, &want)) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(want.Params) > 0 && h.param(want.Params[0].Name) != want.Params[0].Value {
			t.Errorf("path value: got %q", h.param(want.Params[0].Name))
		}
	})
}
