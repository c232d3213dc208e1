package sdktest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func liveHost() *sdktest.Host {
	r := sdk.NewRouter()
	r.HandleFunc("GET /stock", func(w *sdk.Response, r *sdk.Request) error {
		n, err := kv.Int("stock")
		if err != nil {
			return err
		}
		if n < 0 {
			w.SetStatus(http.StatusForbidden)
			return nil
		}
		_, offer, err := kv.Get("offer")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%d %v %s %q", n/10, offer, r.Remote(), r.Header("user-agent")+r.Header("authorization"))
		return err
	})
	r.HandleFunc("POST /stock", func(w *sdk.Response, r *sdk.Request) error { return kv.Add("stock", 5) })
	r.HandleFunc("POST /none", func(w *sdk.Response, r *sdk.Request) error { return kv.SetInt("stock", -1) })
	r.HandleFunc("POST /offer", func(w *sdk.Response, r *sdk.Request) error { return kv.SetTTL("offer", []byte("x"), kv.Minute) })
	r.HandleFunc("GET /writes", func(w *sdk.Response, r *sdk.Request) error { return kv.Set("stock", nil) })
	r.HandleFunc("GET /drops", func(w *sdk.Response, r *sdk.Request) error {
		sdk.Abort()
		return kv.Set("stock", nil)
	})
	r.HandleFunc("GET /calls", func(w *sdk.Response, r *sdk.Request) error {
		_, err := fetch.Post("https://pay.example/", "text/plain", []byte("1"))
		return err
	})
	h := sdktest.New(r.Serve)
	h.Upstream("https://pay.example/", sdktest.Answer(200, "text/plain", "ok"))
	return h
}

func TestLive(t *testing.T) {
	h := liveHost()
	live := h.Live("/stock", "Authorization: anna", "User-Agent: x")
	want := func(text string, wantChanged bool, runs int) {
		t.Helper()
		got, changed := live.Next()
		if got.Text() != text || changed != wantChanged || live.Runs != runs {
			t.Errorf("next is %v, changed %v, after %d runs; want %q, %v, %d", got, changed, live.Runs, text, wantChanged, runs)
		}
	}
	if got := live.Now().Text(); got != `0 false 0.0.0.0 "anna"` {
		t.Errorf("first came %q", got)
	}
	want(`0 false 0.0.0.0 "anna"`, false, 1)
	h.Store.Set("other", nil, 0)
	want(`0 false 0.0.0.0 "anna"`, false, 1)
	h.Send("POST", "/stock", "", "")
	want(`0 false 0.0.0.0 "anna"`, false, 2) // another count, and the same answer
	h.Send("POST", "/stock", "", "")
	want(`1 false 0.0.0.0 "anna"`, true, 3)
	h.Send("POST", "/offer", "", "")
	want(`1 true 0.0.0.0 "anna"`, true, 4)
	h.Now = h.Now.Add(time.Hour)
	want(`1 false 0.0.0.0 "anna"`, true, 5)
	h.Send("POST", "/none", "", "")
	if got, changed := live.Next(); got.Status != http.StatusForbidden || !changed {
		t.Errorf("next is %v", got)
	}
	h.Store.Delete("stock")
	if _, changed := live.Next(); changed || live.Runs != 6 {
		t.Error("an answer that was refused goes on")
	}
}

func TestLiveIsRefused(t *testing.T) {
	h := liveHost()
	for path, want := range map[string]int{"/writes": 502, "/calls": 502, "/drops": 200} {
		if got := h.Live(path).Now(); got.Status != want {
			t.Errorf("%s: %v, want %d", path, got, want)
		}
	}
	if keys := h.Store.Keys(""); len(keys) > 0 {
		t.Errorf("a live answer has written %q", keys)
	}
}
