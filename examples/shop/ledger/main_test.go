package main

import (
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestEntries(t *testing.T) {
	host := sdktest.New(routes().Serve)
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"an entry", `{"from":"customers","to":"sales","cents":500}`, 204},
		{"and back", `{"from":"sales","to":"customers","cents":200}`, 204},
		{"nothing", `{"from":"customers","to":"sales","cents":0}`, 400},
		{"less than nothing", `{"from":"customers","to":"sales","cents":-1}`, 400},
		{"to itself", `{"from":"sales","to":"sales","cents":1}`, 400},
		{"from nobody", `{"to":"sales","cents":1}`, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			if res := host.Send("POST", "/entries", "application/json", c.body); res.Status != c.status {
				t.Errorf("got %v, want %d", res, c.status)
			}
		})
	}
	want := `{"accounts":{"customers":-300,"sales":300},"sum":0}` + "\n"
	if got := host.Get("/balances").Text(); got != want {
		t.Errorf("the balances are %s, want %s", got, want)
	}
}
