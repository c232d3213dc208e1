package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/examples/notes/apptest"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// fake is the plugin in the fake host, with a library.
type fake struct{ *sdktest.Host }

func newFake(t *testing.T) fake {
	library := apptest.Library()
	t.Cleanup(library.Close)
	host := sdktest.New(nethttp.Serve(service()))
	host.Now = time.Now()
	host.Config["library"] = "https://openlibrary.org"
	host.Upstream("https://openlibrary.org", library.Config.Handler)
	return fake{host}
}

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) {
	res := f.Do(r)
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), res.Header)
	w.WriteHeader(res.Status)
	_, _ = w.Write(res.Body)
	return w.Result(), nil
}

func TestNotes(t *testing.T) { apptest.Run(t, "http://notes.test", newFake(t)) }

// Two take one name at the same time: the second finds it taken.
func TestOneNameTwice(t *testing.T) {
	f := newFake(t)
	body := `{"name":"ada","password":"correct horse"}`
	f.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			if res := f.Send("POST", "/api/users", "application/json", body); res.Status != 201 {
				t.Errorf("got %v", res)
			}
		}
	}
	res := f.Send("POST", "/api/users", "application/json", body)
	if res.Status != 409 || res.Attempts != 2 {
		t.Errorf("got %v after %d attempts, want 409 after 2", res, res.Attempts)
	}
	if hash, ok := f.Store.Get("users/ada"); !ok || strings.Contains(string(hash), "correct horse") {
		t.Errorf("stored for a user: %q", hash)
	}
}
