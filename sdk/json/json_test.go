package json_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

type item struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

func echo(w *sdk.Response, r *sdk.Request) error {
	var v item
	if err := json.Read(r, 100, &v); err != nil {
		return err
	}
	return json.Write(w, 201, v)
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		says                    string
	}{
		{"object", "application/json", `{"name":"a","n":1}`, 201, `{"name":"a","n":1}`},
		{"space around", "application/json; charset=utf-8", " {}\n ", 201, `{"name":"","n":0}`},
		{"json type", "application/merge-patch+json", "{}", 201, "{"},
		{"other type", "text/plain", "{}", 415, "application/json"},
		{"no type", "", "{}", 415, "application/json"},
		{"empty", "application/json", "", 400, "empty"},
		{"cut short", "application/json", `{"name":`, 400, "not whole JSON: it ends at byte 8"},
		{"syntax", "application/json", `{name}`, 400, "object key string at byte 2"},
		{"unknown field", "application/json", `{"nam":1}`, 400, `unknown field \"nam\" at byte 2`},
		{"unknown field twice", "application/json", `{"nam":1,"nam":2}`, 400, `unknown field \"nam\""`},
		{"wrong kind", "application/json", `{"n":"1"}`, 400, `n\" must not be a JSON string at byte 8`},
		{"wrong kind of all", "application/json", `[]`, 400, "JSON array"},
		{"two values", "application/json", `{}{}`, 400, "more than one"},
		{"closing brace", "application/json", `{}}`, 400, "more than one"},
		{"too long", "application/json", `{"name":"` + strings.Repeat("a", 100) + `"}`, 413, "larger than 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := sdktest.New(echo).Send("POST", "/", c.contentType, c.body)
			if res.Status != c.status || !strings.Contains(res.Text(), c.says) {
				t.Errorf("got %v, want %d %q", res, c.status, c.says)
			}
			if strings.Contains(res.Text(), "item") || strings.Contains(res.Text(), "Go ") {
				t.Errorf("tells of the plugin's types: %q", res.Text())
			}
		})
	}
}

func TestReadAllowsUnknownFields(t *testing.T) {
	res := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		var v item
		if err := json.Read(r, 100, &v, json.AllowUnknownFields); err != nil {
			return err
		}
		return json.Write(w, 200, v)
	}).Send("POST", "/", "application/json", `{"name":"a","nam":{"n":2},"n":1}`)
	if res.Text() != `{"name":"a","n":1}`+"\n" {
		t.Errorf("got %v", res)
	}
}

// TestReadRefusesOfItsOwnTypes: the error of a type's own decoder is not for clients.
func TestReadRefusesOfItsOwnTypes(t *testing.T) {
	var v struct{ At time.Time }
	for name, c := range map[string]struct {
		into   any
		status int
	}{"a type's own": {&v, 400}, "no pointer": {v, 500}} {
		res := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
			return json.Read(r, 100, c.into)
		}).Send("POST", "/", "application/json", `{"At":"yesterday"}`)
		if res.Status != c.status || strings.Contains(res.Text(), "time") || strings.Contains(res.Text(), "whole") {
			t.Errorf("%s: got %v", name, res)
		}
	}
}

func TestWriteRefusesWhatJSONCannotHold(t *testing.T) {
	res := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		return json.Write(w, 200, math.NaN())
	}).Get("/")
	if res.Status != 500 {
		t.Errorf("got %v", res)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"n":1e99}`, `{"name":"\ud800"}`, "[[[[", "null", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		switch res := sdktest.New(echo).Send("POST", "/", "application/json", body); res.Status {
		case 201, 400, 413:
		default:
			t.Errorf("%q: %v", body, res)
		}
	})
}
