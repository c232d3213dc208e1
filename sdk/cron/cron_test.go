package cron_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/cron"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// tidy notes what it was told, and fails where a test has said so.
func tidy(w *sdk.Response, r *sdk.Request) error {
	tick, ok := cron.From(r)
	if !ok {
		w.SetStatus(http.StatusTeapot)
		return nil
	}
	if err := kv.Set("ran", []byte(fmt.Sprint(tick.Name, " ", tick.ID, " ", tick.Due.Unix(), " ", tick.Attempt, " ", tick.Manual))); err != nil {
		return err
	}
	if _, fails, err := kv.Get("fails"); err != nil || fails {
		w.SetStatus(http.StatusInternalServerError)
		return err
	}
	return nil
}

// TestTick: a tick reaches its handler, whose writes stay if it answers 2xx, and no
// client does.
func TestTick(t *testing.T) {
	host := sdktest.New(tidy)
	host.Crons = map[string]string{"tidy": "POST /tasks/tidy"}
	if res := host.Do(httptest.NewRequest("POST", "/tasks/tidy", nil)); res.Status != http.StatusNotFound {
		t.Errorf("a client gets %v", res)
	}
	if res := host.Get("/other"); res.Status != http.StatusTeapot {
		t.Errorf("cron.From takes the request of a client: %v", res)
	}
	if res := host.Tick("tidy"); res.Status != http.StatusOK || res.Outcome != sdktest.Committed {
		t.Errorf("Tick: %v", res)
	}
	due := host.Now.Unix()
	want := fmt.Sprintf("tidy tidy-%d %d 1 false", host.Now.UnixMilli(), due)
	if got, _ := host.Store.Get("ran"); string(got) != want {
		t.Errorf("the handler was told %q, want %q", got, want)
	}
	host.Store.Set("fails", nil, 0)
	host.Store.Set("ran", nil, 0)
	if res := host.Tick("tidy"); res.Status != http.StatusInternalServerError || res.Outcome == sdktest.Committed {
		t.Errorf("Tick that fails: %v", res)
	}
	if got, _ := host.Store.Get("ran"); len(got) > 0 {
		t.Errorf("a handler that failed has written %q", got)
	}
	if host.Trigger != "" {
		t.Errorf("the next request would have trigger %q", host.Trigger)
	}
}
