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
		Trigger: "call", Attributes: []abi.Pair{{Name: "caller.plugin", Value: "shop"}, {Name: "auth.subject", Value: ""}},
		Deadline: 5<<32 + 1,
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
		list := func(field int) (pairs []abi.Pair) {
			h.each(field, func(name, value string) bool {
				pairs = append(pairs, abi.Pair{Name: name, Value: value})
				return true
			})
			return pairs
		}
		got := abi.RequestHead{
			Method: h.string(headMethod), Path: h.string(headPath), Mount: h.string(headMount),
			Pattern: h.string(headPattern), Params: list(headParams), Query: h.string(headQuery), Headers: list(headHeaders),
			Scheme: h.string(headScheme), Host: h.string(headHost), Remote: h.string(headRemote),
			RequestID: h.string(headRequestID), Attempt: h.attempt(), BodySize: h.bodySize(),
			Trigger: h.string(headTrigger), Attributes: list(headAttributes), Deadline: h.deadline(),
		}
		if string(abi.AppendRequestHead(nil, &got)) != string(abi.AppendRequestHead(nil, &want)) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(want.Params) > 0 && h.exact(headParams, want.Params[0].Name) != want.Params[0].Value {
			t.Errorf("path value: got %q", h.exact(headParams, want.Params[0].Name))
		}
	})
}
