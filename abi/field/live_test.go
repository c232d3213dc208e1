package field

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

func TestLive(t *testing.T) {
	for in, want := range map[abi.Pair]string{
		{Name: "authorization", Value: "Bearer x"}:                             "Bearer x",
		{Name: "x-api-key", Value: ""}:                                         "",
		{Name: "accept", Value: "text/event-stream"}:                           "gone",
		{Name: "accept", Value: "application/json, Text/Event-Stream;q=0.5"}:   "application/json",
		{Name: "accept", Value: "text/event-stream, application/json, text/*"}: "application/json, text/*",
		{Name: "cookie", Value: "wasmoor-client=abc"}:                          "gone",
		{Name: "cookie", Value: "a=1; wasmoor-client=abc; b=wasmoor-client=2"}: "a=1; b=wasmoor-client=2",
		{Name: "cookie", Value: "a=1;wasmoor-client=abc"}:                      "a=1",
		{Name: "cookie", Value: "xwasmoor-client=abc"}:                         "xwasmoor-client=abc",
		{Name: "user-agent", Value: "x"}:                                       "gone",
		{Name: "sec-fetch-mode", Value: "cors"}:                                "gone",
		{Name: "if-none-match", Value: "x"}:                                    "gone",
		{Name: "x-forwarded-for", Value: "192.0.2.1"}:                          "gone",
		{Name: "accept-language", Value: "de"}:                                 "de",
		{Name: "range", Value: "bytes=0-"}:                                     "gone",
		{Name: "second", Value: "2"}:                                           "2",
	} {
		got, ok := Live(in)
		if !ok {
			got.Value = "gone"
		}
		if got.Value != want || got.Name != in.Name {
			t.Errorf("%+v is seen as %+v, want %q", in, got, want)
		}
	}
}

func TestAcceptsEvents(t *testing.T) {
	for value, want := range map[string]bool{
		"text/event-stream": true, "text/html, TEXT/event-stream;q=0.1": true, "*/*": false, "text/*": false,
		"text/event-streams": false, "": false, "text/event-stream;q=0": false, "text/event-stream; a=b; Q=0.000, text/html": false, "text/event-stream;q=0.001": true, "application/x; a=text/event-stream": false,
	} {
		if got := AcceptsEvents([]abi.Pair{{Name: "accept", Value: value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if !AcceptsEvents([]abi.Pair{{Name: "accept", Value: "text/html"}, {Name: "accept", Value: "text/event-stream"}}) {
		t.Error("the second field is not read")
	}
	if AcceptsEvents([]abi.Pair{{Name: "x-accept", Value: "text/event-stream"}}) {
		t.Error("another field is read")
	}
}
