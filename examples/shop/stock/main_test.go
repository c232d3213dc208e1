package main

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestStock(t *testing.T) {
	host := sdktest.New(routes().Serve)
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"some", "/items/tea/taken", "3", 204},
		{"some more", "/items/tea/taken", "100", 204},
		{"back", "/items/tea/returned", "2", 204},
		{"nothing", "/items/tea/taken", "0", 400},
		{"too many", "/items/tea/taken", "101", 400},
		{"no number", "/items/tea/taken", "three", 400},
		{"what there is not", "/items/gold/taken", "1", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			if res := host.Send("POST", c.path, "text/plain", c.body); res.Status != c.status {
				t.Errorf("got %v, want %d", res, c.status)
			}
		})
	}
	if got := host.Get("/items").Text(); !strings.Contains(got, `{"name":"tea","left":399899,"sold":101}`) {
		t.Errorf("the stock is %s", got)
	}
}

// The last units are sold once.
func TestSoldOut(t *testing.T) {
	host := sdktest.New(routes().Serve)
	for range items[0].opening / 100 {
		if res := host.Send("POST", "/items/coffee/taken", "text/plain", "100"); res.Status != 204 {
			t.Fatal(res)
		}
	}
	if res := host.Send("POST", "/items/coffee/taken", "text/plain", "1"); res.Status != 409 {
		t.Errorf("one more is answered %v", res)
	}
}
